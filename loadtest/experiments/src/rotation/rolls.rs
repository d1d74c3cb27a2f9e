//! Key rotation under load.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use contract::{Kind, Scheme, route};
use engine::plan::{Arrivals, Plan, Population};
use engine::record::{Learning, Presented, Quantiles, Roll, RotationExperiment, Validity, empty_histogram};
use engine::ticket::Tickets;
use lab::http::{Client, DEADLINE, HttpError};
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use super::RollParameters;
use super::clients::{us_between, wait_until};
use crate::blocks::{Turn, turns};
use crate::run_context::{ExperimentError, RunContext};

/// The interval between two logins of some clients.
const LOGIN_EVERY: Duration = Duration::from_millis(50);
/// Clients that log in then: a part of the population, so that credentials of both keys are sent for a while.
const LOGINS: u32 = 4;
/// With fewer requests signed by a new key there is no result.
const FEWEST: u64 = 20;

/// A scheme whose key is rotated, and how another node gets the new key.
type Planned = (Scheme, Learning);

/// Returns all rotations, block by block.
pub(super) fn planned(context: &RunContext<'_>, parameters: &RollParameters) -> Vec<Turn<Planned>> {
    let ways = |&scheme: &Scheme| learning(scheme).iter().map(move |&learning| (scheme, learning));
    let all: Vec<Planned> = context.config.schemes.iter().flat_map(ways).collect();
    turns(&all, 0..parameters.blocks, context.config.seed)
}

/// Returns the ways in which another node of this scheme can get a new key; none for a scheme without keys.
fn learning(scheme: Scheme) -> &'static [Learning] {
    match scheme.kind() {
        Kind::Token { algorithm, .. } if !algorithm.is_symmetric() => &[Learning::Never, Learning::Published],
        Kind::Token { .. } | Kind::Sealed => &[Learning::Never],
        Kind::Hybrid => &[Learning::Published],
        Kind::Anonymous | Kind::Session(_) => &[],
    }
}

pub(super) fn run(
    context: &mut RunContext<'_>,
    parameters: &RollParameters,
    planned: Vec<Turn<Planned>>,
) -> Result<(), ExperimentError> {
    context.config.stores.values().try_for_each(Store::clear)?;
    for Turn { block, item: (scheme, learning), .. } in planned {
        let how = if learning == Learning::Never { "not published" } else { "published" };
        context.step(&format!("key rotation of {scheme}, {how}"))?;
        let nodes = Nodes::start(context, scheme, learning)?;
        let started_at = crate::now();
        let load = Load::new(context, &nodes, parameters, block)?;
        let (rolled_s, seen) = load.drive(context, &nodes)?;
        context.check_can_continue()?;
        nodes.check(context)?;
        let presented = presented(&seen);
        let validity = judge(&presented);
        let rate_rps = parameters.rate_rps;
        let scheme = scheme.id().to_owned();
        let roll = Roll { scheme, block, started_at, learning, rate_rps, rolled_s, presented, validity };
        context.journal.measured(|rotation: &mut RotationExperiment| rotation.rolls.push(roll))?;
    }
    Ok(())
}

/// Two nodes, and the routes to the servers that check their keys.
struct Nodes {
    scheme: Scheme,
    /// It issues credentials, and its key is rotated.
    first: Server,
    other: Server,
    ways: Vec<Way>,
}

/// The route of a request to the server that checks the key.
#[derive(Clone)]
struct Way {
    base: String,
    path: String,
    other_node: bool,
}

impl Nodes {
    fn start(context: &mut RunContext<'_>, scheme: Scheme, learning: Learning) -> Result<Self, ExperimentError> {
        if scheme.binary() == "edge-server" {
            return Self::edge(context, scheme);
        }
        let store = context.config.store(scheme);
        let spec = context.spec(scheme, store)?;
        let folder = tempfile::tempdir_in(context.config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let key = match learning {
            Learning::Never => lab::keys::make(scheme, folder.path()),
            Learning::Published => Ok(None),
        };
        let key = key.map_err(|source| ExperimentError::Key { scheme, source })?;
        let first = context.start(&ServerSpec { key: key.clone(), ..spec.clone() })?;
        let flags = match learning {
            Learning::Never => Vec::new(),
            Learning::Published => vec![("--trusted-jwks", jwks(first.address()))],
        };
        let node = "node-2".to_owned();
        let other =
            context.start(&ServerSpec { key, flags, node, log: context.log(&format!("{scheme}-node-2")), ..spec })?;
        let way = |server: &Server, other_node| Way { base: server.base_url(), path: route::ME.to_owned(), other_node };
        let ways = vec![way(&first, false), way(&other, true)];
        Ok(Self { scheme, first, other, ways })
    }

    /// Starts an edge, whose key is rotated, and a server behind it that fetches its key set: only that server checks
    /// the key.
    fn edge(context: &mut RunContext<'_>, scheme: Scheme) -> Result<Self, ExperimentError> {
        let address = free_address()?;
        let inner = "jwt-eddsa".parse().expect("the table has it");
        let behind = ServerSpec {
            flags: vec![("--trusted-jwks", jwks(address))],
            log: context.log(&format!("{scheme}-inner")),
            ..context.spec(inner, None)?
        };
        let other = Server::start(&behind)?;
        let flags = vec![("--next-hop", other.base_url())];
        let spec = context.spec(scheme, context.config.store(scheme))?;
        let first = context.start(&ServerSpec { listen: address, flags, ..spec })?;
        let path = format!("{}?hops=1", route::CHAIN);
        let ways = vec![Way { base: first.base_url(), path, other_node: true }];
        Ok(Self { scheme, first, other, ways })
    }

    fn check(&self, context: &RunContext<'_>) -> Result<(), ExperimentError> {
        self.first.process().check()?;
        self.other.process().check()?;
        Ok(context.config.store(self.scheme).map_or(Ok(()), Store::check)?)
    }
}

fn jwks(address: SocketAddr) -> String {
    format!("http://{address}{}", route::JWKS)
}

/// Returns a free address for an edge, which the server behind it must know before it starts.
fn free_address() -> Result<SocketAddr, ExperimentError> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map_err(|source| ExperimentError::Address { source })
}

type Headers = BTreeMap<String, String>;

/// A credential, and whether it was issued after the rotation.
#[derive(Clone)]
struct Held {
    headers: Headers,
    new_key: bool,
}

struct Load<'run> {
    plan: Plan,
    clients: u32,
    ways: &'run [Way],
    /// The present credentials of the clients.
    held: RwLock<Vec<Held>>,
    stop: &'run AtomicBool,
}

/// One request.
struct Seen {
    other_node: bool,
    new_key: bool,
    /// When it was due, in seconds since the rotation was requested; negative before.
    due_s: f64,
    status: u16,
    response_us: u64,
}

impl<'run> Load<'run> {
    fn new(
        context: &'run RunContext<'_>,
        nodes: &'run Nodes,
        parameters: &RollParameters,
        block: u32,
    ) -> Result<Self, ExperimentError> {
        let arrivals = Arrivals::Poisson { rate_rps: parameters.rate_rps };
        let population = Population { size: parameters.population, ..Population::default() };
        let seed = context.config.seed + u64::from(block);
        let plan = Plan { seed, population, ..Plan::new(arrivals, parameters.round_s) };
        let held = log_in(&nodes.first.client(), parameters.population, 0, false)?;
        // Servers that fetch keys fetch the first ones before the load, and may fetch again a second later.
        for way in &nodes.ways {
            Client::new(&way.base).get(&way.path, &held[0].headers, DEADLINE)?;
        }
        Ok(Self {
            plan,
            clients: parameters.clients,
            ways: &nodes.ways,
            held: RwLock::new(held),
            stop: &context.config.stop,
        })
    }

    /// Sends all requests, and rotates the key in the middle. Returns the time of the rotation in seconds since the
    /// start, and the requests.
    fn drive(&self, context: &RunContext<'_>, nodes: &Nodes) -> Result<(f64, Vec<Seen>), ExperimentError> {
        let start = Instant::now() + LOGIN_EVERY;
        let tickets = Mutex::new(Tickets::of(&self.plan, start));
        let (rolled, seen) = std::thread::scope(|scope| {
            let work = |_| scope.spawn(|| self.work(&tickets));
            let workers: Vec<_> = (0..self.clients).map(work).collect();
            let rolled = self.log_in_and_roll(nodes, start);
            let seen: Vec<_> =
                workers.into_iter().map(|worker| worker.join().expect("a client does not panic")).collect();
            (rolled, seen)
        });
        context.check_can_continue()?;
        let rolled = rolled?;
        let after = |(due, seen): (Instant, Seen)| Seen { due_s: seconds(rolled, due), ..seen };
        Ok((seconds(start, rolled), seen.into_iter().flatten().map(after).collect()))
    }

    /// Logs some clients in at intervals, and rotates the key in the middle of the load. Returns when the rotation was
    /// requested.
    fn log_in_and_roll(&self, nodes: &Nodes, start: Instant) -> Result<Instant, HttpError> {
        let client = nodes.first.client();
        let (middle, end) = (self.plan.duration_s / 2.0, self.plan.duration_s);
        let (mut rolled, mut next) = (None, self.plan.population.size);
        let mut due = start;
        while seconds(start, due) < end && !self.stop.load(Ordering::SeqCst) {
            wait_until(due);
            due += LOGIN_EVERY;
            if rolled.is_none() && seconds(start, Instant::now()) >= middle {
                rolled = Some(Instant::now());
                client.rotate()?;
            }
            let fresh = log_in(&client, LOGINS, next, rolled.is_some())?;
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            let size = held.len();
            for one in fresh {
                held[next as usize % size] = one;
                next += 1;
            }
        }
        Ok(rolled.unwrap_or(start))
    }

    /// Runs one client: sends a request for every ticket. Returns each with the moment at which it was due.
    fn work(&self, tickets: &Mutex<Tickets>) -> Vec<(Instant, Seen)> {
        let clients: Vec<Client> = self.ways.iter().map(|way| Client::new(&way.base)).collect();
        let mut seen = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            let ticket = tickets.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(ticket) = ticket else { break };
            wait_until(ticket.intended);
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner)[ticket.credential as usize].clone();
            // The nodes in turn, so that both get as many credentials of each age.
            let (number, way) = (seen.len() % self.ways.len(), &self.ways[seen.len() % self.ways.len()]);
            let answer = clients[number].get(&way.path, &held.headers, DEADLINE);
            let status = answer.map_or(0, |answer| answer.status);
            let response_us = us_between(ticket.intended, Instant::now());
            let (other_node, new_key) = (way.other_node, held.new_key);
            seen.push((ticket.intended, Seen { other_node, new_key, due_s: 0.0, status, response_us }));
        }
        seen
    }
}

/// Returns credentials of users from this number on, as a login issues them.
fn log_in(client: &Client, count: u32, first: u32, new_key: bool) -> Result<Vec<Held>, HttpError> {
    let minted = client.mint(count, first)?;
    Ok(minted.into_iter().map(|credential| Held { headers: credential.headers, new_key }).collect())
}

/// Returns the seconds from one instant to another, negative if that was earlier.
fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() - from.saturating_duration_since(to).as_secs_f64()
}

/// Counts the requests by node and by the age of credential and request.
fn presented(seen: &[Seen]) -> Vec<Presented> {
    let mut kinds: BTreeMap<(bool, bool, bool), Vec<&Seen>> = BTreeMap::new();
    for one in seen {
        kinds.entry((one.other_node, one.new_key, one.due_s >= 0.0)).or_default().push(one);
    }
    let of = |((other_node, new_key, after_roll), seen): ((bool, bool, bool), Vec<&Seen>)| {
        let with = |status: u16| seen.iter().filter(move |one| one.status == status);
        let last = |status: u16| with(status).map(|one| one.due_s).reduce(f64::max);
        let mut response = empty_histogram();
        for one in &seen {
            response.saturating_record(one.response_us.max(1));
        }
        let (refused, accepted) = (with(401).count() as u64, with(200).count() as u64);
        Presented {
            other_node,
            new_key,
            after_roll,
            sent: seen.len() as u64,
            refused,
            failed: seen.len() as u64 - refused - accepted,
            last_refused_s: last(401),
            last_accepted_s: last(200),
            response_us: Quantiles::of(&response),
        }
    };
    kinds.into_iter().map(of).collect()
}

fn judge(presented: &[Presented]) -> Validity {
    let told: u64 = presented.iter().filter(|kind| kind.other_node && kind.new_key).map(|kind| kind.sent).sum();
    let few = (told < FEWEST).then(|| {
        format!("the other node got {told} requests with a credential signed by the new key, fewer than {FEWEST}")
    });
    Validity::from_reasons(few.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(other_node: bool, new_key: bool, due_s: f64, status: u16) -> Seen {
        Seen { other_node, new_key, due_s, status, response_us: 100 }
    }

    #[test]
    fn requests_are_counted_by_node_and_age() {
        let requests = [
            seen(true, true, 0.3, 401),
            seen(true, true, 0.5, 200),
            seen(true, true, 0.1, 401),
            seen(false, false, -0.2, 503),
        ];
        let [first, other] = presented(&requests).try_into().unwrap();
        assert_eq!((first.other_node, first.new_key, first.after_roll), (false, false, false));
        assert_eq!((first.sent, first.refused, first.failed, first.last_refused_s), (1, 0, 1, None));
        assert_eq!((other.sent, other.refused, other.failed), (3, 2, 0));
        assert_eq!((other.last_refused_s, other.last_accepted_s), (Some(0.3), Some(0.5)));
        assert!(!judge(&[first, other]).valid, "three are too few");
    }

    #[test]
    fn only_public_keys_are_published() {
        let of = |id: &str| learning(id.parse().unwrap());
        assert_eq!(of("jwt-es256-denylist"), [Learning::Never, Learning::Published]);
        assert_eq!(of("jwt-hs256"), [Learning::Never]);
        assert_eq!(of("cookie-sealed"), [Learning::Never]);
        assert_eq!(of("hybrid"), [Learning::Published]);
        assert_eq!((of("session-redis").len(), of("anonymous").len()), (0, 0));
    }
}
