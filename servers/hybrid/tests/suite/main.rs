//! The edge and the servers behind it, as processes: what crosses the hops, and what a revocation ends where.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod chain;
mod edge;
mod server_chain;
mod settings;
mod store_faults;

const EDGE: &str = env!("CARGO_BIN_EXE_edge-server");
