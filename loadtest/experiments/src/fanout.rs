//! `fanout`: what does each further server add that a request crosses before it is answered?
//!
//! Varies: the scheme, and how many servers stand behind the one that is asked: with a session each looks it up, with a JWT
//! each checks the signature, with the hybrid the first looks the session up and those behind it check a short JWT. Holds:
//! the request (`GET /chain`), the carrier, the rate of Poisson arrivals, which is low enough that nobody queues, the
//! connections, and that no session's idle limit is pushed back.
//!
//! Measures response times at that rate, and CPU time of all servers and the store a request in small closed loops. The control
//! crosses as many servers and shows nothing to any of them: what a scheme rises more steeply than the control is what
//! it costs a hop.
//!
//! Every hop is a process of its own; those of all schemes stand ready from the start. Weak: they share the server's
//! processors, so that a request's hops come one after another as they would elsewhere, but with warmer caches and no
//! network. The servers behind an edge have its key from a file, and fetch no key set. Only schemes that stand for the others
//! are measured, because each takes a row of servers.

use std::path::{Path, PathBuf};

use contract::{Scheme, Touch};
use engine::plan::{Arrivals, Mix, Plan, Population};
use engine::record::Level;
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use crate::bench::{Bench, ExperimentError};
use crate::fleet::{self, Station};
use crate::journal::Rounds;
use crate::order::shuffled;
use crate::profile::FanoutParameters;
use crate::visit::Visit;

/// What stands behind an edge.
const INNER: &str = "jwt-eddsa";

/// Runs the experiment.
pub fn run(bench: &mut Bench<'_>, parameters: &FanoutParameters) -> Result<(), ExperimentError> {
    bench.setting.stores.values().try_for_each(Store::clear)?;
    let schemes = chosen(bench, parameters)?;
    let folder = tempfile::tempdir_in(bench.setting.scratch.path());
    let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
    let mut stations = Vec::new();
    for scheme in schemes {
        stations.push(row(bench, scheme, parameters, folder.path())?);
    }
    let visits = visits(stations.len(), parameters);
    bench.progress.begin("fanout", u64::from(parameters.blocks) * visits.len() as u64);
    for block in 0..parameters.blocks {
        for (position, (index, level)) in shuffled(&visits, bench.setting.seed, block).into_iter().enumerate() {
            let station = &mut stations[index];
            bench.step(&worded(station, &level))?;
            let plan = plan(parameters, &level, bench.setting.seed + u64::from(block));
            Visit { experiment: Rounds::Fanout, block, position, level }.make(bench, station, &plan)?;
        }
    }
    Ok(())
}

/// Those of the run's schemes that are measured; the others are named as left out.
fn chosen(bench: &mut Bench<'_>, parameters: &FanoutParameters) -> Result<Vec<Scheme>, ExperimentError> {
    let (chosen, others): (Vec<Scheme>, Vec<Scheme>) =
        bench.setting.schemes.iter().partition(|scheme| parameters.schemes.contains(scheme));
    if !others.is_empty() {
        let ids: Vec<&str> = others.into_iter().map(Scheme::id).collect();
        let stand_in: Vec<&str> = parameters.schemes.iter().copied().map(Scheme::id).collect();
        let reason = format!(
            "each scheme takes a row of servers, so that only those are measured which stand for the others: {}",
            stand_in.join(", ")
        );
        bench.journal.omit(&format!("fanout of {}", ids.join(", ")), &reason)?;
    }
    Ok(chosen)
}

/// A server with as many behind it as the longest way has hops, each of which passes on to the next.
fn row<'a>(
    bench: &mut Bench<'a>,
    scheme: Scheme,
    parameters: &FanoutParameters,
    keys: &Path,
) -> Result<Station<'a>, ExperimentError> {
    let store = bench.setting.store(scheme);
    let key = lab::keys::make(scheme, keys).map_err(|source| ExperimentError::Key { scheme, source })?;
    let (inner, inner_store, inner_key) = behind(scheme, store, key.clone());
    let mut servers: Vec<Server> = Vec::new();
    let hops = parameters.hops.iter().copied().max().unwrap_or(0);
    for number in (2..=hops + 1).rev() {
        bench.go_on()?;
        let spec = spec(bench, inner, inner_store, inner_key.clone(), servers.last(), number)?;
        let log = bench.log(&format!("{scheme}-hop-{}", number - 1));
        servers.push(Server::start(&ServerSpec { log, ..spec })?);
    }
    let spec = spec(bench, scheme, store, key, servers.last(), 1)?;
    let mut station = fleet::station(bench, &spec, store, None, parameters.population)?;
    station.behind = servers;
    Ok(station)
}

type Key = Option<(&'static str, PathBuf)>;

/// What the servers behind the first run: the same, or behind an edge those who believe what it has signed.
fn behind(scheme: Scheme, store: Option<&Store>, key: Key) -> (Scheme, Option<&Store>, Key) {
    if scheme.binary() != "edge-server" {
        return (scheme, store, key);
    }
    let inner = Scheme::all().find(|scheme| scheme.id() == INNER).expect("the table has it");
    (inner, None, key.map(|(_, path)| ("AUTHBENCH_KEY_FILE", path)))
}

fn spec(
    bench: &Bench<'_>,
    scheme: Scheme,
    store: Option<&Store>,
    key: Key,
    next: Option<&Server>,
    number: u32,
) -> Result<ServerSpec, ExperimentError> {
    let flags = next.map(|next| ("--next-hop", next.base_url())).into_iter().collect();
    // A session whose idle limit is pushed back on the way would be another command now and then.
    Ok(ServerSpec { touch: Touch::Never, node: format!("node-{number}"), key, flags, ..bench.spec(scheme, store)? })
}

/// What is visited in each block: a station by its index, and a level.
fn visits(stations: usize, parameters: &FanoutParameters) -> Vec<(usize, Level)> {
    let levels = parameters
        .hops
        .iter()
        .flat_map(|&hops| [Some(parameters.rate_rps), None].map(|rate_rps| Level::Hops { hops, rate_rps }));
    (0..stations).flat_map(|index| levels.clone().map(move |level| (index, level))).collect()
}

fn worded(station: &Station<'_>, level: &Level) -> String {
    match level {
        Level::Hops { hops, rate_rps: Some(rate_rps) } => {
            format!("{} over {hops} hops at {rate_rps:.0} requests/s", station.scheme)
        }
        Level::Hops { hops, rate_rps: None } => format!("{} over {hops} hops, saturated", station.scheme),
        _ => station.scheme.to_string(),
    }
}

fn plan(parameters: &FanoutParameters, level: &Level, seed: u64) -> Plan {
    let (arrivals, duration_s, connections) = match level {
        Level::Hops { rate_rps: Some(rate_rps), .. } => {
            (Arrivals::Poisson { rate_rps: *rate_rps }, parameters.round_s, parameters.connections)
        }
        _ => (Arrivals::Closed, parameters.saturated_s, parameters.saturated_connections),
    };
    let hops = if let Level::Hops { hops, .. } = level { *hops } else { 0 };
    Plan {
        seed,
        connections,
        population: Population { size: parameters.population, ..Population::default() },
        mix: Mix::Chain { hops },
        interval_s: (duration_s / 20.0).max(0.01),
        ..Plan::new(arrivals, duration_s)
    }
}
