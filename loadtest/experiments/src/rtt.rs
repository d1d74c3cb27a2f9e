//! `rtt`: what does a store further away change?
//!
//! Varies: the scheme, and the round-trip time between server and store. Holds: the request (`GET /me`), the carrier,
//! the rate of Poisson arrivals, which is low enough that nobody queues, the connections, and that no session's idle limit
//! is pushed back.
//!
//! Measures response times at that rate, and CPU time a request in closed loops of few connections. From the former follow
//! how many round trips a request waits for, and the distance up to which asking a store is sooner answered than checking a signature.
//! Schemes that keep nothing in a store are visited once a block: no distance changes them.
//!
//! At 0 the server reaches its store over loopback; further away a delay proxy lies between, and what it really gave is
//! recorded. The closed loops are small because the proxy would be full before the server; each answer of the store then
//! wakes the server by itself, near or far, which makes a look-up dearer than in the experiment `cost`. Weak: besides the delay the proxy adds some microseconds for its own two sockets; connections are opened at
//! once; and nothing is ever lost, so there are no retransmissions.

use contract::{Scheme, Touch};
use engine::plan::{Arrivals, Plan, Population};
use engine::record::Level;
use lab::proxy::{DelayProxy, Link};
use lab::server::ServerSpec;
use lab::store::Store;

use crate::bench::{Bench, ExperimentError};
use crate::fleet::{self, ServerUnderTest};
use crate::journal::Rounds;
use crate::order::shuffled;
use crate::profile::RttParameters;
use crate::visit::Visit;

/// Runs the experiment.
pub fn run(bench: &mut Bench<'_>, parameters: &RttParameters) -> Result<(), ExperimentError> {
    bench.setting.stores.values().try_for_each(Store::clear)?;
    let mut stations = near(bench, parameters)?;
    let near = stations.len();
    stations.extend(far(bench, parameters)?);
    let visits = visits(&stations, near, parameters);
    bench.progress.begin("rtt", u64::from(parameters.blocks) * visits.len() as u64);
    for block in 0..parameters.blocks {
        let in_order = shuffled(&visits, bench.setting.seed, block);
        for (position, (index, level)) in in_order.into_iter().enumerate() {
            let station = &mut stations[index];
            bench.step(&worded(station, &level))?;
            let plan = plan(parameters, &level, bench.setting.seed + u64::from(block));
            Visit { experiment: Rounds::Rtt, block, position, level }.make(bench, station, &plan)?;
        }
    }
    Ok(())
}

/// A server beside its store for every scheme.
fn near<'a>(bench: &mut Bench<'a>, parameters: &RttParameters) -> Result<Vec<ServerUnderTest<'a>>, ExperimentError> {
    let setting = bench.setting;
    let start = |&scheme: &Scheme| {
        let spec = spec(bench, scheme)?;
        fleet::station(bench, &spec, setting.store(scheme), None, parameters.population)
    };
    setting.schemes.iter().map(start).collect()
}

/// A server behind a delay proxy for every scheme whose store is ours and in one place.
fn far<'a>(bench: &mut Bench<'a>, parameters: &RttParameters) -> Result<Vec<ServerUnderTest<'a>>, ExperimentError> {
    let setting = bench.setting;
    let mut stations = Vec::new();
    for &scheme in &setting.schemes {
        let Some(store) = setting.store(scheme) else { continue };
        let Some(address) = store.address() else {
            let reason = "a delay proxy stands before one store that this run has started; this one was lent, or tells its \
                          clients other addresses";
            bench.journal.omit(&format!("{scheme} over a store further away"), reason)?;
            continue;
        };
        let proxy = DelayProxy::start(address, Link::default(), &setting.placement.generator_cpus, setting.seed);
        let proxy = proxy.map_err(|source| ExperimentError::Proxy { source })?;
        let spec = spec(bench, scheme)?;
        stations.push(fleet::station(bench, &spec, Some(store), Some(proxy), parameters.population)?);
    }
    Ok(stations)
}

/// No idle limit is pushed back, which would be another round trip now and then.
fn spec(bench: &Bench<'_>, scheme: Scheme) -> Result<ServerSpec, ExperimentError> {
    Ok(ServerSpec { touch: Touch::Never, ..bench.spec(scheme, bench.setting.store(scheme))? })
}

/// What is visited in each block: a station by its index, and a level.
fn visits(stations: &[ServerUnderTest<'_>], near: usize, parameters: &RttParameters) -> Vec<(usize, Level)> {
    let far = parameters.rtts_us.iter().filter(|rtt_us| **rtt_us > 0);
    let rtts_us = |index: usize| if index < near { vec![0] } else { far.clone().copied().collect::<Vec<u32>>() };
    let levels = |rtt_us| [Some(parameters.rate_rps), None].map(|rate_rps| Level::FarStore { rtt_us, rate_rps });
    (0..stations.len())
        .flat_map(|index| rtts_us(index).into_iter().flat_map(levels).map(move |level| (index, level)))
        .collect()
}

fn worded(station: &ServerUnderTest<'_>, level: &Level) -> String {
    match level {
        Level::FarStore { rtt_us, rate_rps: Some(rate_rps) } => {
            format!("{} over {rtt_us} us at {rate_rps:.0} requests/s", station.scheme)
        }
        Level::FarStore { rtt_us, rate_rps: None } => format!("{} over {rtt_us} us, saturated", station.scheme),
        _ => station.scheme.to_string(),
    }
}

fn plan(parameters: &RttParameters, level: &Level, seed: u64) -> Plan {
    let (arrivals, duration_s, connections) = match level {
        Level::FarStore { rate_rps: Some(rate_rps), .. } => {
            (Arrivals::Poisson { rate_rps: *rate_rps }, parameters.round_s, parameters.connections)
        }
        _ => (Arrivals::Closed, parameters.saturated_s, parameters.saturated_connections),
    };
    Plan {
        seed,
        connections,
        population: Population { size: parameters.population, ..Population::default() },
        interval_s: duration_s / 20.0,
        ..Plan::new(arrivals, duration_s)
    }
}
