//! An open loop without back-pressure: each request is sent at its intended time, however many are pending,
//! and the outcome of each is reported.
//!
//! For the effect of a fault on single requests. Virtual users that take tickets in turn would all block on pending
//! requests, and the following requests would be sent too late to see the fault, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::plan::{Mix, Plan};
use engine::shortage::Shortage;
use engine::ticket::{Ticket, Tickets};
use reqwest::{Client, Request};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::attack::{DriveError, runtime};
use crate::client::client;
use crate::credential::Credential;
use crate::exchange::{Addresses, BodyError, has_expected_user, read_body};
use crate::pacer::pace;
use crate::{Target, Workers};

/// How often the stop flag is checked while responses are pending.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Reads by one plan on one target.
#[derive(Clone, Debug)]
pub struct ProbeLoad {
    /// When requests begin, with which credentials, and how long each may take. An open loop.
    pub plan: Plan,
    /// The targets, used in turn.
    pub target: Target,
}

/// A request that was planned, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct ProbedRequest {
    /// When it was to begin.
    pub intended: Instant,
    /// Which node it was for, counted from 0.
    pub node: usize,
    /// The number of its credential.
    pub credential: u32,
    /// What came of it.
    pub reply: Reply,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A complete response.
    Completed {
        /// Its status.
        status: u16,
        /// Whether it names the user whose credential was sent; true where no user is expected.
        has_expected_user: bool,
        /// When it was sent.
        sent: Instant,
        /// When its last byte was there.
        done: Instant,
    },
    /// No complete response in time.
    TimedOut,
    /// No connection, or one that was lost before the response was complete.
    Disconnected,
    /// It was not sent, because the loop was stopped or this machine had no descriptor, port or memory for its
    /// connection; or the loop was stopped before its response.
    Unsent,
}

/// Sends reads (`GET /me`) on every load at once, each at its intended time regardless of earlier ones. All slow work
/// is done when it is created, so that the first request is as punctual as the last.
pub struct Probe {
    runtime: Runtime,
    loads: Vec<PreparedLoad>,
}

impl Probe {
    /// Gets everything ready: threads, clients, addresses.
    pub fn of(loads: &[ProbeLoad], workers: Workers) -> Result<Self, DriveError> {
        let (runtime, _) = runtime(workers.count, workers.dedicated_cpus)?;
        let loads = loads.iter().map(PreparedLoad::of).collect::<Result<_, _>>()?;
        Ok(Self { runtime, loads })
    }

    /// Sends from `start` on. Returns one list per load, with an entry for every request of its plan, in the order of
    /// the intended starts. Setting `stop` ends it early; unsent requests are reported as such.
    ///
    /// Blocks the calling thread, which must not belong to an asynchronous runtime, until the last response or timeout.
    pub fn run(self, start: Instant, stop: &Arc<AtomicBool>) -> Result<Vec<Vec<ProbedRequest>>, DriveError> {
        let Self { runtime, loads } = self;
        let probed = runtime.block_on(async {
            let in_flight: Vec<_> = loads.into_iter().map(|load| tokio::spawn(load.run(start, stop.clone()))).collect();
            let mut probed = Vec::with_capacity(in_flight.len());
            for load in in_flight {
                probed.push(load.await.expect("a load does not panic and is not aborted")?);
            }
            Ok(probed)
        });
        runtime.shutdown_background();
        probed
    }
}

/// A load with parsed addresses and ready clients.
struct PreparedLoad {
    load: ProbeLoad,
    addresses: Vec<Addresses>,
    clients: Vec<Client>,
}

impl PreparedLoad {
    fn of(load: &ProbeLoad) -> Result<Self, DriveError> {
        let nodes = &load.target.nodes;
        Ok(Self {
            addresses: nodes.iter().map(|node| Addresses::of(node, Mix::Reads)).collect::<Result<_, _>>()?,
            clients: nodes
                .iter()
                .map(|_| client(Duration::from_secs_f64(load.plan.timeout_s)))
                .collect::<Result<_, _>>()?,
            load: load.clone(),
        })
    }

    async fn run(self, start: Instant, stop: Arc<AtomicBool>) -> Result<Vec<ProbedRequest>, DriveError> {
        let all: Vec<Ticket> = Tickets::of(&self.load.plan, start).collect();
        let mut probed: Vec<ProbedRequest> =
            all.iter().enumerate().map(|(number, ticket)| self.planned(number, *ticket)).collect();
        let (sender, tickets) = flume::unbounded();
        let pacer = tokio::spawn(pace(Tickets::of(&self.load.plan, start), sender, stop.clone()));
        let mut in_flight = JoinSet::new();
        let mut sent = 0;
        while tickets.recv_async().await.is_ok() {
            let ProbedRequest { node, credential, .. } = probed[sent];
            let credential = self.load.target.nodes[node].credentials.get(credential).clone();
            let request = self.addresses[node].read(&credential);
            let (client, number) = (self.clients[node].clone(), sent);
            in_flight.spawn(async move { (number, send_request(&client, request, &credential).await) });
            sent += 1;
        }
        loop {
            match timeout(STOP_CHECK_INTERVAL, in_flight.join_next()).await {
                Ok(Some(ended)) => {
                    let (number, reply) = ended.expect("a request does not panic and is not aborted");
                    probed[number].reply = reply;
                }
                Ok(None) => break,
                // Pending requests end with their set.
                Err(_) if stop.load(Ordering::Relaxed) => break,
                Err(_) => {}
            }
        }
        pacer.await.expect("the pacer does not panic and is not aborted")?;
        Ok(probed)
    }

    fn planned(&self, number: usize, ticket: Ticket) -> ProbedRequest {
        let node = number % self.addresses.len();
        ProbedRequest { intended: ticket.intended, node, credential: ticket.credential, reply: Reply::Unsent }
    }
}

async fn send_request(client: &Client, request: Request, credential: &Credential) -> Reply {
    let sent = Instant::now();
    let response = async {
        let response = client.execute(request).await?;
        Ok::<_, BodyError>((response.status().as_u16(), read_body(response).await?))
    };
    match response.await {
        Ok((status, body)) => Reply::Completed {
            status,
            has_expected_user: has_expected_user(&body, credential),
            sent,
            done: Instant::now(),
        },
        Err(BodyError::Lost(error)) if error.is_timeout() => Reply::TimedOut,
        Err(BodyError::Lost(error)) if Shortage::find_cause(&error).is_some() => Reply::Unsent,
        Err(_) => Reply::Disconnected,
    }
}
