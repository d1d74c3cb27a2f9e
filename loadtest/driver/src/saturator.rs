//! Sends as many reads as a server can respond to, at the lowest cost for the generator.
//!
//! CPU time per request is only comparable where the server is saturated: a server that waits for its
//! clients wakes up for every request, which hides the cost of a scheme. An HTTP client with
//! all features costs more CPU time than a server that does next to nothing, so
//! on two CPUs Goose is saturated before the server. Here requests are bytes built before the round,
//! and a response is read only as far as needed to verify it.

mod busy_polling;

use std::io;
use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use contract::BaseUrl;
use engine::chooser::Chooser;
use engine::clock::SchedulingClass;
use engine::plan::Plan;
use engine::recorder::{Recorder, Sample};
use engine::round::DrivenLoad;
use tokio::task::JoinSet;

use self::busy_polling::{Completions, IdlePolls};
use crate::connection::{BorrowedResponse, Connection};
use crate::credential::Credential;
use crate::exchange::read_path;
use crate::{Drive, DriveError, Node, Target, Workers};

/// Between the last connection and the round's start.
const START_DELAY: Duration = Duration::from_millis(20);
/// How long a connection waits before it tries a target again that has failed it.
const RETRY: Duration = Duration::from_millis(10);

/// What all connections of a round share.
struct Round {
    /// Of each node.
    requests: Vec<Vec<Request>>,
    plan: Plan,
    start: Instant,
    recorder: Recorder,
    stop: Arc<AtomicBool>,
}

/// A read with one credential: the bytes to send, and the user that the response must name.
struct Request {
    bytes: Vec<u8>,
    username: Option<String>,
}

pub(crate) fn run(plan: &Plan, target: &Target, workers: Workers, stop: &Arc<AtomicBool>) -> Result<Drive, DriveError> {
    target.check_limits(plan)?;
    let bases: Vec<BaseUrl> = target.nodes.iter().map(Node::base).collect::<Result<_, _>>()?;
    let addresses: Vec<String> = bases.iter().map(BaseUrl::host_and_port).collect();
    let node_addresses = addresses.iter().cycle().take(plan.connections as usize);
    let streams: Vec<TcpStream> =
        node_addresses.map(|to| TcpStream::connect(to).map_err(DriveError::connect)).collect::<Result<_, _>>()?;
    let nodes = bases.iter().zip(&target.nodes);
    let route = read_path(plan.mix);
    let start = Instant::now() + START_DELAY;
    let round = Arc::new(Round {
        requests: nodes
            .map(|(to, node)| node.credentials.iter().map(|credential| Request::read(to, &route, credential)).collect())
            .collect(),
        plan: plan.clone(),
        start,
        recorder: Recorder::new(plan, start, workers.count),
        stop: stop.clone(),
    });
    let mut shares: Vec<Vec<(usize, TcpStream)>> = (0..workers.count).map(|_| Vec::new()).collect();
    for (number, stream) in streams.into_iter().enumerate() {
        shares[number % workers.count].push((number, stream));
    }
    let idle_polls: Vec<IdlePolls> = std::thread::scope(|scope| {
        let work = |share| scope.spawn(|| work(&round, share, workers.dedicated_cpus));
        let threads: Vec<_> = shares.into_iter().map(work).collect();
        threads.into_iter().map(|thread| thread.join().expect("a worker does not panic")).collect::<io::Result<_>>()
    })?;
    let Round { plan, recorder, .. } = Arc::into_inner(round).expect("every connection has returned its handle");
    let interval_s = plan.interval_s;
    let driven = DrivenLoad::new(plan, recorder.finish(), None, 0);
    let idle_poll_time = idle_polls.iter().map(|idle_polls| idle_polls.inside(driven.window(), interval_s)).sum();
    Ok(Drive { started: start, driven, class: SchedulingClass::Other, idle_poll_time })
}

impl Request {
    /// The same bytes that Goose's client sends.
    fn read(base: &BaseUrl, route: &str, credential: &Credential) -> Self {
        let mut bytes = format!("GET {}{route} HTTP/1.1\r\n", base.path()).into_bytes();
        for (name, value) in &credential.headers {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend(format!("accept: */*\r\nuser-agent: authbench\r\nhost: {}\r\n\r\n", base.authority()).bytes());
        Self { bytes, username: credential.username.clone() }
    }

    fn check_response(&self, response: &BorrowedResponse<'_>, expected_status: u16) -> Result<(), String> {
        if response.status != expected_status {
            return Err(format!("status {}", response.status));
        }
        if response.status != 200 {
            return Ok(());
        }
        let is_expected_user = |username: &String| memchr::memmem::find(response.body, username.as_bytes()).is_some();
        if self.username.as_ref().is_none_or(is_expected_user) {
            Ok(())
        } else {
            Err("response for another user".to_owned())
        }
    }
}

/// One thread's connections, until the round ends.
fn work(round: &Arc<Round>, share: Vec<(usize, TcpStream)>, dedicated_cpu: bool) -> io::Result<IdlePolls> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let completions = Arc::<Completions>::default();
        let mut connections = JoinSet::new();
        for (number, stream) in share {
            connections.spawn(saturate(round.clone(), number, Connection::of(stream)?, completions.clone()));
        }
        // On a processor that it shares with the server it would take the time that the server needs.
        let idle_polls =
            if dedicated_cpu { busy_polling::busy_poll(round, &completions).await } else { IdlePolls::default() };
        connections.join_all().await;
        Ok(idle_polls)
    })
}

/// Sends read after read over one connection until the round ends.
async fn saturate(round: Arc<Round>, number: usize, mut connection: Connection, completions: Arc<Completions>) {
    let plan = &round.plan;
    let end = round.start + Duration::from_secs_f64(plan.duration_s);
    // One for the whole round: a timer for every request would cost some of what is saved here.
    let mut timeout = pin!(tokio::time::sleep_until((end + Duration::from_secs_f64(plan.timeout_s)).into()));
    let mut chooser = Chooser::new(plan.population, plan.seed, number as u64 + 1);
    let requests = &round.requests[number % round.requests.len()];
    tokio::time::sleep_until(round.start.into()).await;
    while !round.stop.load(Ordering::Relaxed) && Instant::now() < end {
        let request = &requests[chooser.choose() as usize % requests.len()];
        let sent = Instant::now();
        let mut closed = false;
        let outcome = tokio::select! {
            biased;
            response = connection.exchange(&request.bytes) => match response {
                Ok(response) => {
                    closed = response.closes;
                    request.check_response(&response, plan.expected_status)
                }
                Err(error) => Err(error.to_string()),
            },
            () = &mut timeout => Err("timeout".to_owned()),
        };
        let failure = outcome.as_ref().err().map(String::as_str);
        let sample = Sample { intended: sent, sent, done: Instant::now(), found_idle: true, failure };
        round.recorder.record(number, sample);
        completions.add();
        if failure.is_some() {
            connection.reconnect().await;
            tokio::time::sleep_until((Instant::now() + RETRY).into()).await;
        } else if closed {
            connection.reconnect().await;
        }
    }
}
