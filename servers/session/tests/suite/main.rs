//! Sessions: first the authenticator over every store, on a clock that the test sets, then the
//! server as its users see it.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod account;
mod at_rest;
mod cached;
mod carriers;
mod commands;
mod ids;
mod lifetime;
mod outage;
mod races;
mod rejected_stores;
mod removal;
mod sealed;
mod settings;
mod store_faults;
mod testbed;
mod throttle;
mod user_administration;

const BINARY: &str = env!("CARGO_BIN_EXE_session-server");

/// The schemes with a store.
const STORED: [&str; 6] = [
    "session-memory",
    "session-redis",
    "session-redis-pool",
    "session-redis-cached",
    "session-redis-cluster",
    "session-postgres",
];
