//! Tokens: first published ones, hostile ones and keys, on a clock that the test sets, then the server as its users
//! see it.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod denylist;
mod epoch;
mod families;
mod forge;
mod invalid_tokens;
mod journeys;
mod keys;
mod lifetime;
mod logout;
mod mutation;
mod push;
mod refresh;
mod remote_keys;
mod rotation;
mod server;
mod signature_only;
mod store_faults;
mod testbed;
mod vectors;
mod writes;

const BINARY: &str = env!("CARGO_BIN_EXE_jwt-server");
