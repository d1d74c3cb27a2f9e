//! The command line as its users see it: real processes, real HTTP, a real Redis.

#![expect(clippy::unwrap_used, reason = "what tests share fails them as they would fail themselves")]

mod compare;
mod conform;
mod errors;
mod kill;
mod load;
mod stall;
mod support;
