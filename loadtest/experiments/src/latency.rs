//! `latency`: how long does a user wait?
//!
//! Varies: the scheme, and the rate of Poisson arrivals: shares of the scheme's own capacity, so
//! that each is as loaded as the others, and rates that are the same for all. Holds: the request
//! (`GET /me`), the carrier, the connections.
//!
//! Measures response time from the intended start, so that a stall counts for everybody who
//! would have come meanwhile; service time and lag beside it.
//!
//! The capacity is what a saturated closed loop carried: the median of the experiment `cost` if it
//! ran, else of one round here. Levels above what the generator can carry in an open loop are left
//! out; on two processors these are the higher shares of the cheap schemes. Weak on one machine:
//! there is no network in it.

use engine::plan::{Arrivals, Plan, Population};
use engine::record::{Experiment, Level};

use crate::bench::{Bench, ExperimentError};
use crate::ceiling;
use crate::fleet::{self, ServerUnderTest};
use crate::journal::Rounds;
use crate::order::shuffled;
use crate::profile::LatencyParameters;
use crate::visit::Visit;

/// Runs the experiment.
pub fn run(bench: &mut Bench<'_>, parameters: &LatencyParameters) -> Result<(), ExperimentError> {
    let mut stations = fleet::start(bench, parameters.population)?;
    let visits = visits(bench, &mut stations, parameters)?;
    bench.progress.begin("latency", u64::from(parameters.blocks) * visits.len() as u64);
    for block in 0..parameters.blocks {
        if block > 0 && block % parameters.restart_every == 0 {
            stations.clear();
            stations = fleet::start(bench, parameters.population)?;
        }
        let in_order = shuffled(&visits, bench.setting.seed, block);
        for (position, (index, level, rate_rps)) in in_order.into_iter().enumerate() {
            let station = &mut stations[index];
            bench.step(&format!("{} at {rate_rps:.0} requests/s", station.scheme))?;
            let visit = Visit { experiment: Rounds::Latency, block, position, level };
            let arrivals = Arrivals::Poisson { rate_rps };
            visit.make(bench, station, &plan(parameters, arrivals, bench.setting.seed + u64::from(block)))?;
        }
    }
    Ok(())
}

/// What is visited in each block: a station by its index, a level, and its rate in requests per
/// second. What the generator could not carry is left out, and the record says so.
fn visits(
    bench: &mut Bench<'_>,
    stations: &mut [ServerUnderTest<'_>],
    parameters: &LatencyParameters,
) -> Result<Vec<(usize, Level, f64)>, ExperimentError> {
    let capacities = capacities(bench, stations, parameters)?;
    // The control, which stands first, leaves the most to the generator.
    let ceiling_rps = ceiling::find(bench.setting, &stations[0], parameters.connections, capacities[0])?;
    let mut visits = Vec::new();
    for (index, (station, &capacity_rps)) in stations.iter().zip(&capacities).enumerate() {
        for level in levels(parameters) {
            let rate_rps = rate(&level, capacity_rps);
            if rate_rps <= ceiling_rps {
                visits.push((index, level, rate_rps));
            } else {
                let reason = format!(
                    "it means {rate_rps:.0} requests/s, and the generator keeps its pace up to {ceiling_rps:.0} here"
                );
                bench.journal.omit(&format!("latency of {} {}", station.scheme, worded(&level)), &reason)?;
            }
        }
    }
    Ok(visits)
}

fn worded(level: &Level) -> String {
    match level {
        Level::OfCapacity { fraction } => format!("at {:.0} % of its capacity", fraction * 100.0),
        Level::EqualRate { rate_rps } => format!("at {rate_rps:.0} requests/s"),
        _ => String::new(),
    }
}

fn levels(parameters: &LatencyParameters) -> Vec<Level> {
    let shares = parameters.fractions.iter().map(|&fraction| Level::OfCapacity { fraction });
    let rates = parameters.rates_rps.iter().map(|&rate_rps| Level::EqualRate { rate_rps });
    shares.chain(rates).collect()
}

fn rate(level: &Level, capacity_rps: f64) -> f64 {
    match level {
        Level::OfCapacity { fraction } => fraction * capacity_rps,
        Level::EqualRate { rate_rps } => *rate_rps,
        _ => capacity_rps,
    }
}

fn plan(parameters: &LatencyParameters, arrivals: Arrivals, seed: u64) -> Plan {
    Plan {
        seed,
        connections: parameters.connections,
        population: Population { size: parameters.population, ..Population::default() },
        interval_s: parameters.round_s / 20.0,
        ..Plan::new(arrivals, parameters.round_s)
    }
}

/// Requests per second that each station can carry, in their order.
fn capacities(
    bench: &mut Bench<'_>,
    stations: &mut [ServerUnderTest<'_>],
    parameters: &LatencyParameters,
) -> Result<Vec<f64>, ExperimentError> {
    for (position, station) in stations.iter_mut().enumerate() {
        if measured_capacity(bench, station).is_none() {
            let visit = Visit { experiment: Rounds::Latency, block: 0, position, level: Level::Saturated };
            visit.make(bench, station, &plan(parameters, Arrivals::Closed, bench.setting.seed))?;
        }
    }
    stations
        .iter()
        .map(|station| measured_capacity(bench, station).ok_or(ExperimentError::NoCapacity(station.scheme)))
        .collect()
}

/// The median throughput of the scheme's saturated rounds so far.
fn measured_capacity(bench: &Bench<'_>, station: &ServerUnderTest<'_>) -> Option<f64> {
    let rounds = bench.journal.record().experiments.iter().filter_map(|experiment| match experiment {
        Experiment::Cost(load) | Experiment::Latency(load) => Some(&load.rounds),
        _ => None,
    });
    let mut carried: Vec<f64> = rounds
        .flatten()
        .filter(|round| round.scheme == station.scheme.id() && round.level == Level::Saturated)
        .map(|round| round.achieved_rps)
        .collect();
    carried.sort_by(f64::total_cmp);
    carried.get(carried.len() / 2).copied().filter(|rate| *rate > 0.0)
}
