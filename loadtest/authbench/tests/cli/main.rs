//! The command line from the user's perspective: real processes, real HTTP, a real Redis.

#![expect(clippy::unwrap_used, reason = "what tests share fails them as they would fail themselves")]

mod compare;
mod conform;
mod doctor;
mod documentation;
mod errors;
mod gate;
mod gate_build;
mod interrupt;
mod kill;
mod limits;
mod load;
mod output;
mod plans;
mod preflight;
mod proxies;
mod slo;
mod stall;
mod support;
mod target;
mod targets;
mod toy;
mod workflows;
