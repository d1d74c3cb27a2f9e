//! The suite against real servers: correct ones, which must pass, and ones with a single fault, which must fail.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod broken;
mod relay;
mod repeat;
mod schemes;
mod server;
mod store_control;
mod testbed;
mod traffic_fault;
