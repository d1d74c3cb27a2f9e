//! Goose under the engine, with a [saturator](saturate) and a [revocation poller](RevocationPoller).
//!
//! Goose provides the virtual users, each an asynchronous task. The engine provides what Goose lacks: arrivals that do
//! not wait for responses, and times that count from the intended start. A Goose user here runs one transaction per
//! round: it takes tickets until there are no more. Goose's own client is not used, because it obeys the environment's
//! proxies and follows redirects. Goose's own metrics stay off, since its clock starts after the throttle, stops at the
//! response's headers, and costs CPU time that would count in the measurement.

mod attack;
mod client;
mod connection;
mod credential;
mod exchange;
mod issued;
mod journey;
mod limits;
mod login_burst;
mod pacer;
mod preflight;
mod probe;
mod redact;
mod revocation_poller;
mod saturator;
mod virtual_user;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use contract::{BaseUrl, BaseUrlError};
use engine::clock::SchedulingClass;
use engine::plan::Plan;
use engine::round::DrivenLoad;

pub use attack::DriveError;
pub use credential::{CredentialError, Credentials};
pub use limits::{LimitError, check as check_limits, raise_descriptor_limit, spare_descriptors};
pub use login_burst::{LoginBurst, Logins};
pub use preflight::{Exchanged, PreflightError};
pub use probe::{Probe, ProbeLoad, ProbedRequest, Reply};
pub use revocation_poller::{Call, NodeResult, PollError, Polling, RevocationPoller, Trial, TrialResult};

/// What is loaded, and with what.
///
/// Reads driven by Goose cycle through the nodes. A connection of the [saturator](saturate) stays with one node,
/// so that each has the same number; and so does a user on a journey, because a session may be known only to the node
/// that began it.
#[derive(Clone, Debug)]
pub struct Target {
    /// At least one.
    pub nodes: Vec<Node>,
    /// The carrier of the credentials that a journey's logins issue.
    pub carrier: contract::Carrier,
}

/// One of the servers that share a load.
#[derive(Clone, Debug)]
pub struct Node {
    /// Such as `http://127.0.0.1:8080`; every route is appended to its path.
    pub base_url: String,
    /// What is sent to this target, and the carrier of each credential.
    pub credentials: Arc<Credentials>,
}

impl Node {
    fn base(&self) -> Result<BaseUrl, BaseUrlError> {
        self.base_url.parse()
    }
}

impl Target {
    /// A single server.
    #[must_use]
    pub fn one(base_url: String, credentials: Arc<Credentials>, carrier: contract::Carrier) -> Self {
        Self { nodes: vec![Node { base_url, credentials }], carrier }
    }
}

/// The threads that send. They run wherever the thread may that calls [`drive`].
#[derive(Clone, Copy, Debug)]
pub struct Workers {
    /// How many, at least 1.
    pub count: usize,
    /// Whether their CPUs are dedicated. Then they request `SCHED_FIFO` in open loops, to run before every
    /// ordinary thread, and never sleep when they [saturate]; elsewhere they would keep the server
    /// from running.
    pub dedicated_cpus: bool,
}

/// A load that has been driven.
#[derive(Debug)]
pub struct Drive {
    /// The round's start: all its offsets count from here.
    pub started: Instant,
    /// What was measured.
    pub driven: DrivenLoad,
    /// The class that the sending threads got.
    pub class: SchedulingClass,
    /// CPU time that the sending threads spent inside the window on idle polls: none
    /// where they sleep meanwhile.
    pub idle_poll_time: Duration,
}

/// Drives a plan against a target, and returns when the last response has arrived. Setting `stop` ends it
/// early: then the plan of the result is as long as the part that ran.
///
/// Blocks the calling thread, which must not belong to an asynchronous runtime.
pub fn drive(plan: &Plan, target: &Target, workers: Workers, stop: &Arc<AtomicBool>) -> Result<Drive, DriveError> {
    attack::run(plan, target, workers, stop)
}

/// Sends every node the first request of a plan, and checks its response as the load does: a read with the first
/// credential, or a journey's login. The error shows what was sent and received, with credentials masked.
///
/// Blocks the calling thread, which must not belong to an asynchronous runtime.
pub fn preflight(plan: &Plan, target: &Target) -> Result<(), PreflightError> {
    preflight::run(plan, target)
}

/// Sends reads (`GET /me`, or `/chain`) in a closed loop, as many as the target responds to: for the cost of a request
/// to a saturated server. Much cheaper than Goose, and for no other use. Where a response closes its connection, as
/// that to a header that is too long does, the next read opens a new one.
///
/// Blocks the calling thread, which must not belong to an asynchronous runtime.
pub fn saturate(plan: &Plan, target: &Target, workers: Workers, stop: &Arc<AtomicBool>) -> Result<Drive, DriveError> {
    saturator::run(plan, target, workers, stop)
}

/// Logs in as one user after another (`POST /login`, with the common password), and returns when the last response has
/// arrived. After `stop` is set no further login begins.
///
/// Blocks the calling thread, which must not belong to an asynchronous runtime.
pub fn log_in(node: &Node, login_burst: LoginBurst, stop: &Arc<AtomicBool>) -> Result<Logins, DriveError> {
    login_burst::run(node, login_burst, stop)
}
