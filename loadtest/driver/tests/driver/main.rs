//! The driver against servers that only a test would have.

#![expect(clippy::unwrap_used, reason = "shared test code fails like the tests themselves")]

mod login_burst;
mod nodes;
mod probe;
mod revocation_poller;
mod saturator;
mod server;
