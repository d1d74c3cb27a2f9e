//! The driver against servers that only a test would have.

#![expect(clippy::unwrap_used, reason = "what tests share fails them as they would fail themselves")]

mod nodes;
mod probe;
mod prober;
mod saturator;
mod server;
mod storm;
