//! Tokens: first published ones, hostile ones and keys, on a clock that the test sets, then the server as its users
//! see it.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod bed;
mod denylist;
mod epoch;
mod families;
mod forge;
mod hostile;
mod journeys;
mod keys;
mod lifetime;
mod logout;
mod mutation;
mod plain;
mod push;
mod refresh;
mod rotation;
mod serving;
mod store_trouble;
mod trusted;
mod vectors;
mod writes;

const BINARY: &str = env!("CARGO_BIN_EXE_jwt-server");
