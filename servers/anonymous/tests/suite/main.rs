//! The chassis as its users see it, with the authentication out of the way.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod bodies;
mod description;
mod hashing;
mod host;
mod mint;
mod settings;
mod shutdown;
mod slow_clients;

const BINARY: &str = env!("CARGO_BIN_EXE_anonymous-server");
