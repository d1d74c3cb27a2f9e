//! Polls several nodes whether they still accept a credential.
//!
//! One thread does all the work over kept-alive connections, and reads the clock before it sends each request. So no
//! response counts as later than an acknowledgement if its request was sent before this thread had read that to its
//! last byte.

mod wave;

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::shortage::Shortage;
use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio::time::{sleep_until, timeout};

use crate::connection::Connection;

/// A node that has not responded after this time counts as unresponsive: it waits for its store for less than a second.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the stop flag is checked.
const POLL: Duration = Duration::from_millis(20);

/// A request, wherever it is sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// Such as `GET`.
    pub method: &'static str,
    /// Such as `/me`.
    pub path: &'static str,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// JSON; none for no body.
    pub body: Option<String>,
}

/// A credential, what ends it, and how it is shown.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The node that receives the event, from 0.
    pub event_node: usize,
    /// What ends the credential; 204 acknowledges it.
    pub event: Call,
    /// What shows it: 200 accepts it; 401, 403 and 503 deny it.
    pub probe: Call,
}

/// The rate and duration of the polling.
#[derive(Clone, Copy, Debug)]
pub struct Polling {
    /// The least time between two questions over one connection; a kernel's tick is its grain.
    pub pause: Duration,
    /// How long after an acknowledgement a node that still accepts is polled.
    pub timeout: Duration,
    /// Connections that poll a node for the same trial at the same time.
    pub concurrency: u32,
}

/// What was seen of a trial. Times count from the acknowledgement, in microseconds.
#[derive(Clone, Debug)]
pub struct TrialResult {
    /// From sending the event to its acknowledgement, in microseconds.
    pub answered_us: u64,
    /// When the acknowledgement was in; none if there was none.
    pub acknowledged: Option<Instant>,
    /// One a node.
    pub nodes: Vec<NodeResult>,
    /// Faults, in sentences: with any the trial has no result.
    pub faults: Vec<String>,
}

/// What a node did after an acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeResult {
    /// When its first denial was in.
    pub denied_us: Option<u64>,
    /// Requests that it accepted.
    pub accepted: u32,
    /// When the last of them was sent.
    pub last_accepted_us: Option<u64>,
    /// Denials of all kinds.
    pub denials: u32,
    /// Denials because it could not query its store (503).
    pub unavailable: u32,
}

/// Nodes cannot be polled.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// A node cannot be reached.
    #[error("cannot reach the node at {authority}: {source}; see its log")]
    Unreachable {
        /// Host and port.
        authority: String,
        /// Why.
        source: io::Error,
    },
    /// This machine ran out of what a connection needs.
    #[error("cannot connect to the node at {authority}: {}", .shortage.kind())]
    Shortage {
        /// Host and port.
        authority: String,
        /// What it ran out of.
        shortage: Shortage,
    },
    /// A node does not respond.
    #[error("the node at {authority} did not respond to {path}: {why}; see its log")]
    NoResponse {
        /// Host and port.
        authority: String,
        /// The path.
        path: &'static str,
        /// Why.
        why: String,
    },
    /// It was stopped.
    #[error("interrupted")]
    Interrupted,
    /// No runtime can be started.
    #[error("cannot start a runtime: {0}")]
    Runtime(#[from] io::Error),
}

/// Connections to the polled nodes. It blocks the calling thread, which must not belong to an asynchronous runtime.
pub struct RevocationPoller {
    nodes: Vec<Node>,
    runtime: Runtime,
}

struct Node {
    authority: String,
    /// For events.
    event_connection: Connection,
    /// For probes.
    poll_connections: Vec<Connection>,
}

impl PollError {
    fn connect(authority: &str, source: io::Error) -> Self {
        let authority = authority.to_owned();
        match Shortage::of(&source) {
            Some(shortage) => Self::Shortage { authority, shortage },
            None => Self::Unreachable { authority, source },
        }
    }
}

impl RevocationPoller {
    /// Connects to the nodes at these hosts and ports, with this many connections for probes to each.
    pub fn connect(authorities: &[String], connections: u32) -> Result<Self, PollError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let node = |authority: &String| {
            let failed = |source| PollError::connect(authority, source);
            let connection = || TcpStream::connect(authority).and_then(Connection::of).map_err(failed);
            let poll_connections = (0..connections).map(|_| connection()).collect::<Result<_, _>>()?;
            Ok(Node { authority: authority.clone(), event_connection: connection()?, poll_connections })
        };
        let nodes = authorities.iter().map(node).collect::<Result<_, PollError>>()?;
        drop(entered);
        Ok(Self { nodes, runtime })
    }

    /// Sends this to a node and returns the status of its response.
    pub fn send(&mut self, node: usize, call: &Call) -> Result<u16, PollError> {
        let Node { authority, event_connection, .. } = &mut self.nodes[node];
        let bytes = call.bytes(authority);
        let sent = self.runtime.block_on(async { timeout(RESPONSE_TIMEOUT, exchange(event_connection, &bytes)).await });
        let response = sent.unwrap_or_else(|_| Err(TIMED_OUT.to_owned()));
        response.map_err(|why| PollError::NoResponse { authority: authority.clone(), path: call.path, why })
    }

    /// Shows every trial's credential to every node once, and gives for each trial what a node did that did not accept
    /// it.
    pub fn warm_up(&mut self, trials: &[Trial]) -> Result<Vec<Option<String>>, PollError> {
        let nodes = &mut self.nodes;
        let poll_connections = nodes.iter_mut().enumerate().flat_map(|(number, node)| {
            let (authority, connections) = (&node.authority, node.poll_connections.len());
            let share = move |(first, connection)| warm_up(number, authority, connection, trials, (first, connections));
            node.poll_connections.iter_mut().enumerate().map(share)
        });
        let rejected = self.runtime.block_on(join_all(poll_connections));
        let mut rejections = vec![None; trials.len()];
        for (trial, why) in rejected.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            rejections[trial] = Some(why);
        }
        Ok(rejections)
    }

    /// Revokes the trials' credentials one after another, and polls all nodes for each from its acknowledgement on,
    /// until each has denied it several times or the time limit has passed.
    pub fn run(
        &mut self,
        trials: &[Trial],
        polling: Polling,
        stop: &AtomicBool,
    ) -> Result<Vec<TrialResult>, PollError> {
        let Self { nodes, runtime } = self;
        runtime.block_on(async {
            tokio::select! {
                results = wave::run(nodes, trials, polling) => Ok(results),
                () = stopped(stop) => Err(PollError::Interrupted),
            }
        })
    }
}

const TIMED_OUT: &str = "timeout";

async fn stopped(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        sleep_until((Instant::now() + POLL).into()).await;
    }
}

/// Returns the status, or why there is none. A failed connection is reopened.
async fn exchange(connection: &mut Connection, bytes: &[u8]) -> Result<u16, String> {
    match connection.exchange(bytes).await {
        Ok(response) => Ok(response.status),
        Err(error) => {
            let why = error.to_string();
            connection.reconnect().await;
            Err(why)
        }
    }
}

/// Sends every `step`th credential to a node, and returns which ones it did not accept.
async fn warm_up(
    node: usize,
    authority: &str,
    connection: &mut Connection,
    trials: &[Trial],
    (first, step): (usize, usize),
) -> Result<Vec<(usize, String)>, PollError> {
    let mut rejected = Vec::new();
    for (number, trial) in trials.iter().enumerate().skip(first).step_by(step) {
        let bytes = trial.probe.bytes(authority);
        // A connection that was idle for long may have been closed meanwhile.
        let status = match exchange(connection, &bytes).await {
            Ok(status) => status,
            Err(_) => exchange(connection, &bytes).await.map_err(|why| PollError::NoResponse {
                authority: authority.to_owned(),
                path: trial.probe.path,
                why,
            })?,
        };
        if status != 200 {
            rejected.push((number, format!("node {} did not accept it before the event (status {status})", node + 1)));
        }
    }
    Ok(rejected)
}

impl Call {
    /// A read with these headers.
    #[must_use]
    pub fn get(path: &'static str, headers: Vec<(String, String)>) -> Self {
        Self { method: "GET", path, headers, body: None }
    }

    /// A change with these headers.
    #[must_use]
    pub fn post(path: &'static str, headers: Vec<(String, String)>, body: Option<String>) -> Self {
        Self { method: "POST", path, headers, body }
    }

    fn bytes(&self, authority: &str) -> Vec<u8> {
        use std::fmt::Write as _;
        let Self { method, path, headers, body } = self;
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\naccept: */*\r\nuser-agent: authbench\r\n");
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let body = body.as_deref().unwrap_or_default();
        if !body.is_empty() {
            text.push_str("content-type: application/json\r\n");
        }
        if *method == "POST" {
            let _ = write!(text, "content-length: {}\r\n", body.len());
        }
        let _ = write!(text, "\r\n{body}");
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_is_serialised_as_http_1_1_request() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let get = Call::get("/me", vec![header("authorization", "Bearer x")]);
        assert_eq!(
            String::from_utf8(get.bytes("127.0.0.1:80")).unwrap(),
            "GET /me HTTP/1.1\r\nhost: 127.0.0.1:80\r\naccept: */*\r\nuser-agent: authbench\r\n\
             authorization: Bearer x\r\n\r\n"
        );
        let post = Call::post("/logout", Vec::new(), None);
        assert!(String::from_utf8(post.bytes("h")).unwrap().ends_with("content-length: 0\r\n\r\n"));
        let body = Call::post("/password", Vec::new(), Some("{}".to_owned()));
        let text = String::from_utf8(body.bytes("h")).unwrap();
        assert!(text.ends_with("content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"), "{text}");
    }
}
