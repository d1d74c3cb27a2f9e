//! Key rotation under load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use contract::{Kind, Scheme, route};
use engine::plan::{Arrivals, Plan, Population};
use engine::record::{
    KeyDistribution, KeyRotation, Presented, Quantiles, RotationExperiment, Validity, empty_histogram,
};
use engine::ticket::Tickets;
use lab::http::{Client, DEADLINE, HttpError};
use lab::listener::free_address;
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use super::KeyRotationParameters;
use super::clients::{us_between, wait_until};
use crate::blocks::{Turn, turns};
use crate::run_context::{ExperimentError, RunContext};

/// The interval between two logins of some clients.
const LOGIN_EVERY: Duration = Duration::from_millis(50);
/// Clients that log in then: a part of the population, so that credentials of both keys are sent for a while.
const LOGINS: u32 = 4;
/// With fewer requests signed by a new key there is no result.
const MIN_NEW_KEY_REQUESTS: u64 = 20;

/// A scheme whose key is rotated, and how another node gets the new key.
type Planned = (Scheme, KeyDistribution);

/// Returns all rotations, block by block.
pub(super) fn planned(context: &RunContext<'_>, parameters: &KeyRotationParameters) -> Vec<Turn<Planned>> {
    let with_distributions =
        |&scheme: &Scheme| distributions(scheme).iter().map(move |&distribution| (scheme, distribution));
    let all: Vec<Planned> = context.config.schemes.iter().flat_map(with_distributions).collect();
    turns(&all, 0..parameters.blocks, context.config.seed)
}

/// Returns the ways in which another node of this scheme can get a new key; none for a scheme without keys.
fn distributions(scheme: Scheme) -> &'static [KeyDistribution] {
    match scheme.kind() {
        Kind::Token { algorithm, .. } if !algorithm.is_symmetric() => {
            &[KeyDistribution::Never, KeyDistribution::Published]
        }
        Kind::Token { .. } | Kind::Sealed => &[KeyDistribution::Never],
        Kind::Hybrid => &[KeyDistribution::Published],
        Kind::Anonymous | Kind::Session(_) => &[],
    }
}

pub(super) fn run(
    context: &mut RunContext<'_>,
    parameters: &KeyRotationParameters,
    planned: Vec<Turn<Planned>>,
) -> Result<(), ExperimentError> {
    context.config.stores.values().try_for_each(Store::clear)?;
    for Turn { block, item: (scheme, distribution), .. } in planned {
        let how = if distribution == KeyDistribution::Never { "not published" } else { "published" };
        context.step(&format!("key rotation of {scheme}, {how}"))?;
        let nodes = Nodes::start(context, scheme, distribution)?;
        let started_at = crate::now();
        let load = Load::new(context, &nodes, parameters, block)?;
        let (rolled_s, requests) = load.drive(context, &nodes)?;
        context.check_can_continue()?;
        nodes.check(context)?;
        let presented = count_requests(&requests);
        let validity = validity(&presented);
        let rate_rps = parameters.rate_rps;
        let scheme = scheme.id().to_owned();
        let key_rotation =
            KeyRotation { scheme, block, started_at, learning: distribution, rate_rps, rolled_s, presented, validity };
        context.journal.measured(|rotation: &mut RotationExperiment| rotation.rolls.push(key_rotation))?;
    }
    Ok(())
}

/// Two nodes, and the routes to the servers that check their keys.
struct Nodes {
    scheme: Scheme,
    /// It issues credentials, and its key is rotated.
    first: Server,
    other: Server,
    routes: Vec<Route>,
}

/// The route of a request to the server that checks the key.
#[derive(Clone)]
struct Route {
    base: String,
    path: String,
    other_node: bool,
}

impl Nodes {
    fn start(
        context: &mut RunContext<'_>,
        scheme: Scheme,
        distribution: KeyDistribution,
    ) -> Result<Self, ExperimentError> {
        if scheme.binary() == "edge-server" {
            return Self::edge(context, scheme);
        }
        let store = context.config.store(scheme);
        let spec = context.spec(scheme, store)?;
        let folder = tempfile::tempdir_in(context.config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let key = match distribution {
            KeyDistribution::Never => lab::keys::make(scheme, folder.path()),
            KeyDistribution::Published => Ok(None),
        };
        let key = key.map_err(|source| ExperimentError::Key { scheme, source })?;
        let first = context.start(&ServerSpec { key: key.clone(), ..spec.clone() })?;
        let flags = match distribution {
            KeyDistribution::Never => Vec::new(),
            KeyDistribution::Published => vec![("--trusted-jwks", jwks(first.address()))],
        };
        let node = "node-2".to_owned();
        let other =
            context.start(&ServerSpec { key, flags, node, log: context.log(&format!("{scheme}-node-2")), ..spec })?;
        let to_route =
            |server: &Server, other_node| Route { base: server.base_url(), path: route::ME.to_owned(), other_node };
        let routes = vec![to_route(&first, false), to_route(&other, true)];
        Ok(Self { scheme, first, other, routes })
    }

    /// Starts an edge, whose key is rotated, and a server behind it that fetches its key set: only that server checks
    /// the key.
    fn edge(context: &mut RunContext<'_>, scheme: Scheme) -> Result<Self, ExperimentError> {
        // The server behind must know it before the edge starts.
        let address = free_address().map_err(|source| ExperimentError::Address { source })?;
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
        let routes = vec![Route { base: first.base_url(), path, other_node: true }];
        Ok(Self { scheme, first, other, routes })
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

type Headers = BTreeMap<String, String>;

/// A credential, and whether it was issued after the rotation.
#[derive(Clone)]
struct HeldCredential {
    headers: Headers,
    new_key: bool,
}

struct Load<'run> {
    plan: Plan,
    clients: u32,
    routes: &'run [Route],
    /// The present credentials of the clients.
    credentials: RwLock<Vec<HeldCredential>>,
    stop: &'run AtomicBool,
}

/// One request.
struct SentRequest {
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
        parameters: &KeyRotationParameters,
        block: u32,
    ) -> Result<Self, ExperimentError> {
        let arrivals = Arrivals::Poisson { rate_rps: parameters.rate_rps };
        let population = Population { size: parameters.population, ..Population::default() };
        let seed = context.config.seed + u64::from(block);
        let plan = Plan { seed, population, ..Plan::new(arrivals, parameters.round_s) };
        let credentials = log_in(&nodes.first.client(), parameters.population, 0, false)?;
        // Servers that fetch keys fetch the first ones before the load, and may fetch again a second later.
        for route in &nodes.routes {
            Client::new(&route.base).get(&route.path, &credentials[0].headers, DEADLINE)?;
        }
        Ok(Self {
            plan,
            clients: parameters.clients,
            routes: &nodes.routes,
            credentials: RwLock::new(credentials),
            stop: &context.config.stop,
        })
    }

    /// Sends all requests, and rotates the key in the middle. Returns the time of the rotation in seconds since the
    /// start, and the requests.
    fn drive(&self, context: &RunContext<'_>, nodes: &Nodes) -> Result<(f64, Vec<SentRequest>), ExperimentError> {
        let start = Instant::now() + LOGIN_EVERY;
        let tickets = Mutex::new(Tickets::of(&self.plan, start));
        let (rotated_at, requests) = std::thread::scope(|scope| {
            let work = |_| scope.spawn(|| self.work(&tickets));
            let workers: Vec<_> = (0..self.clients).map(work).collect();
            let rotated_at = self.log_in_and_rotate(nodes, start);
            let requests: Vec<_> =
                workers.into_iter().map(|worker| worker.join().expect("a client does not panic")).collect();
            (rotated_at, requests)
        });
        context.check_can_continue()?;
        let rotated_at = rotated_at?;
        let after = |(due, request): (Instant, SentRequest)| SentRequest { due_s: seconds(rotated_at, due), ..request };
        Ok((seconds(start, rotated_at), requests.into_iter().flatten().map(after).collect()))
    }

    /// Logs some clients in at intervals, and rotates the key in the middle of the load. Returns when the rotation was
    /// requested.
    fn log_in_and_rotate(&self, nodes: &Nodes, start: Instant) -> Result<Instant, HttpError> {
        let client = nodes.first.client();
        let (middle, end) = (self.plan.duration_s / 2.0, self.plan.duration_s);
        let (mut rotated_at, mut next) = (None, self.plan.population.size);
        let mut due = start;
        while seconds(start, due) < end && !self.stop.load(Ordering::SeqCst) {
            wait_until(due);
            due += LOGIN_EVERY;
            if rotated_at.is_none() && seconds(start, Instant::now()) >= middle {
                rotated_at = Some(Instant::now());
                client.rotate()?;
            }
            let fresh = log_in(&client, LOGINS, next, rotated_at.is_some())?;
            let mut credentials = self.credentials.write().unwrap_or_else(PoisonError::into_inner);
            let size = credentials.len();
            for one in fresh {
                credentials[next as usize % size] = one;
                next += 1;
            }
        }
        Ok(rotated_at.unwrap_or(start))
    }

    /// Runs one client: sends a request for every ticket. Returns each with the moment at which it was due.
    fn work(&self, tickets: &Mutex<Tickets>) -> Vec<(Instant, SentRequest)> {
        let clients: Vec<Client> = self.routes.iter().map(|route| Client::new(&route.base)).collect();
        let mut requests = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            let ticket = tickets.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(ticket) = ticket else { break };
            wait_until(ticket.intended);
            let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner);
            let credential = credentials[ticket.credential as usize].clone();
            drop(credentials);
            // The nodes in turn, so that both get as many credentials of each age.
            let number = requests.len() % self.routes.len();
            let route = &self.routes[number];
            let response = clients[number].get(&route.path, &credential.headers, DEADLINE);
            let status = response.map_or(0, |response| response.status);
            let response_us = us_between(ticket.intended, Instant::now());
            let (other_node, new_key) = (route.other_node, credential.new_key);
            requests.push((ticket.intended, SentRequest { other_node, new_key, due_s: 0.0, status, response_us }));
        }
        requests
    }
}

/// Returns credentials of users from this number on, as a login issues them.
fn log_in(client: &Client, count: u32, first: u32, new_key: bool) -> Result<Vec<HeldCredential>, HttpError> {
    let minted = client.mint(count, first)?;
    Ok(minted.into_iter().map(|credential| HeldCredential { headers: credential.headers, new_key }).collect())
}

/// Returns the seconds from one instant to another, negative if that was earlier.
fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() - from.saturating_duration_since(to).as_secs_f64()
}

/// Counts the requests by node and by the age of credential and request.
fn count_requests(requests: &[SentRequest]) -> Vec<Presented> {
    let mut kinds: BTreeMap<(bool, bool, bool), Vec<&SentRequest>> = BTreeMap::new();
    for one in requests {
        kinds.entry((one.other_node, one.new_key, one.due_s >= 0.0)).or_default().push(one);
    }
    let of = |((other_node, new_key, after_roll), requests): ((bool, bool, bool), Vec<&SentRequest>)| {
        let with = |status: u16| requests.iter().filter(move |one| one.status == status);
        let last = |status: u16| with(status).map(|one| one.due_s).reduce(f64::max);
        let mut response = empty_histogram();
        for one in &requests {
            response.saturating_record(one.response_us.max(1));
        }
        let (rejected, accepted) = (with(401).count() as u64, with(200).count() as u64);
        Presented {
            other_node,
            new_key,
            after_roll,
            sent: requests.len() as u64,
            refused: rejected,
            failed: requests.len() as u64 - rejected - accepted,
            last_refused_s: last(401),
            last_accepted_s: last(200),
            response_us: Quantiles::of(&response),
        }
    };
    kinds.into_iter().map(of).collect()
}

fn validity(presented: &[Presented]) -> Validity {
    let sent: u64 = presented.iter().filter(|kind| kind.other_node && kind.new_key).map(|kind| kind.sent).sum();
    let few = (sent < MIN_NEW_KEY_REQUESTS).then(|| {
        format!("the other node got {sent} requests with a credential signed by the new key, fewer than {MIN_NEW_KEY_REQUESTS}")
    });
    Validity::from_reasons(few.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(other_node: bool, new_key: bool, due_s: f64, status: u16) -> SentRequest {
        SentRequest { other_node, new_key, due_s, status, response_us: 100 }
    }

    #[test]
    fn requests_are_counted_by_node_and_age() {
        let requests = [
            request(true, true, 0.3, 401),
            request(true, true, 0.5, 200),
            request(true, true, 0.1, 401),
            request(false, false, -0.2, 503),
        ];
        let [first, other] = count_requests(&requests).try_into().unwrap();
        assert_eq!((first.other_node, first.new_key, first.after_roll), (false, false, false));
        assert_eq!((first.sent, first.refused, first.failed, first.last_refused_s), (1, 0, 1, None));
        assert_eq!((other.sent, other.refused, other.failed), (3, 2, 0));
        assert_eq!((other.last_refused_s, other.last_accepted_s), (Some(0.3), Some(0.5)));
        assert!(!validity(&[first, other]).valid, "three are too few");
    }

    #[test]
    fn only_public_keys_are_published() {
        let of = |id: &str| distributions(id.parse().unwrap());
        assert_eq!(of("jwt-es256-denylist"), [KeyDistribution::Never, KeyDistribution::Published]);
        assert_eq!(of("jwt-hs256"), [KeyDistribution::Never]);
        assert_eq!(of("cookie-sealed"), [KeyDistribution::Never]);
        assert_eq!(of("hybrid"), [KeyDistribution::Published]);
        assert_eq!((of("session-redis").len(), of("anonymous").len()), (0, 0));
    }
}
