//! From a process that runs to a server that serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use contract::route;
use serde::Deserialize;

use super::{ServerError, base_url};
use crate::child::Child;
use crate::http::Client;

/// How often `/readyz` is polled.
const POLL: Duration = Duration::from_millis(10);

/// The line that a server prints once it listens.
#[derive(Deserialize)]
struct ReadyLine {
    listening: SocketAddr,
    pid: u32,
}

/// A server that is ready.
pub(super) struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    /// How many requests of `/readyz` it received, the last one included.
    pub polls: u32,
}

/// Waits until the server listens and reports that it is ready.
pub(super) fn wait(child: &Child, timeout: Duration) -> Result<Ready, ServerError> {
    let deadline = Instant::now() + timeout;
    let late = |what: String| ServerError::Late {
        name: child.name().to_owned(),
        what,
        seconds: timeout.as_secs(),
        log: child.log().to_owned(),
    };
    let address = child.find_line(deadline, |line| address_of(child.pid(), line))?;
    let address = address.ok_or_else(|| late("report its address".to_owned()))?;
    let client = Client::new(&base_url(address));
    let mut response = String::new();
    for polls in 1.. {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        child.check()?;
        match client.get(route::READYZ, &BTreeMap::new(), left) {
            Ok(ready) if ready.status == 200 => return Ok(Ready { address, polls }),
            Ok(other) => response = format!("status {}", other.status),
            Err(error) => response = error.to_string(),
        }
        sleep(POLL);
    }
    Err(late(format!("become ready ({} returned: {response})", route::READYZ)))
}

/// The address in the ready line of the process itself, not of another one that shares its log.
fn address_of(pid: u32, line: &str) -> Option<SocketAddr> {
    let ready: ReadyLine = serde_json::from_str(line).ok()?;
    (ready.pid == pid).then_some(ready.listening)
}
