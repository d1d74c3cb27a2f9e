//! The driver against servers that only a test would have.

#![expect(clippy::unwrap_used, reason = "shared test code fails like the tests themselves")]

mod nodes;
mod probe;
mod prober;
mod saturator;
mod server;
mod storm;
