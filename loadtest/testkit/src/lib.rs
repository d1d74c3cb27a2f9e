//! Shared code of the tests of several crates: an HTTP client that hides nothing, servers and stores as processes, and
//! scenarios that several servers have to pass.
//!
//! A dev-dependency only. Where something cannot be started or does not respond, the calling test panics.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]
#![expect(clippy::must_use_candidate, reason = "a test may send a request for its effect alone")]

pub mod backend;
pub mod cluster;
pub mod http;
pub mod message;
pub mod postgres;
pub mod privileged_writes;
pub mod program;
pub mod redis;
pub mod reverse_proxy;
pub mod server;
pub mod store_faults;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a test waits for what should happen soon.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Between two checks whether something has happened.
const POLL: Duration = Duration::from_millis(5);

/// Returns an address of loopback that is free now.
pub fn free_address() -> SocketAddr {
    lab::listener::free_address().unwrap()
}

/// Polls until the condition holds; panics with `what` after [`TIMEOUT`].
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "timeout after {TIMEOUT:?}: {what}");
        std::thread::sleep(POLL);
    }
}
