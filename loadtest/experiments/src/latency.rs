//! `latency`: what are the response times?
//!
//! Varies: the scheme, and the rate of Poisson arrivals: fractions of the scheme's own capacity, so that all schemes
//! are equally loaded, and rates that are the same for all. Holds: the request (`GET /me`), the carrier, the
//! connections.
//!
//! Measures response time from the intended start, so that a stall counts for every request that arrives during it;
//! also service time and lag.
//!
//! The capacity is the rate of a saturated closed loop: the median of the experiment `cost` if it ran, otherwise that
//! of one round here. Levels above the rate that the generator sustains in an open loop are left out; on two processors
//! these are the higher fractions of the cheap schemes. Limitations: on one machine there is no network.

use engine::median::median;
use engine::record::{CostExperiment, LatencyExperiment, Load, Round};

use crate::bench::{Bench, ExperimentError};
use crate::fleet::{self, ServerUnderTest};
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::visit::Visit;
use crate::{Run, blocks, ceiling};

/// The parameters of the experiment `latency`.
#[derive(Clone, Debug)]
pub struct LatencyParameters {
    /// Visits of every scheme at every level.
    pub blocks: u32,
    /// Duration of a visit, in seconds.
    pub round_s: f64,
    /// Fractions of the scheme's own capacity, 0 to 1.
    pub fractions: Vec<f64>,
    /// Rates that are the same for every scheme, in requests per second.
    pub rates_rps: Vec<f64>,
    /// Number of connections.
    pub connections: u32,
    /// Number of credentials in use.
    pub population: u32,
    /// Blocks between two restarts of every server.
    pub restart_every: u32,
}

impl Run for LatencyExperiment {
    type Parameters = LatencyParameters;

    fn parameters(_: Profile) -> LatencyParameters {
        LatencyParameters {
            blocks: 8,
            round_s: 0.8,
            fractions: vec![0.2, 0.6],
            rates_rps: vec![5_000.0],
            connections: 64,
            population: 2_000,
            restart_every: 5,
        }
    }

    fn run(bench: &mut Bench<'_>, parameters: &LatencyParameters) -> Result<(), ExperimentError> {
        let mut stations = fleet::start(bench, parameters.population)?;
        let visits = visits(bench, &mut stations, parameters)?;
        for turn in blocks::begin(bench, "latency", &visits, parameters.blocks) {
            if turn.restarts_servers(parameters.restart_every) {
                fleet::restart(bench, &mut stations, parameters.population)?;
            }
            let (index, load, rate_rps) = turn.item;
            let station = &mut stations[index];
            bench.step(&format!("{} at {rate_rps:.0} requests/s", station.scheme))?;
            let plan = parameters.size().plan(bench.setting, turn.block, Some(rate_rps));
            let round = turn.visit(load).make(bench, station, &plan)?;
            bench.journal.measured(|latency: &mut LatencyExperiment| latency.rounds.push(round))?;
        }
        Ok(())
    }
}

impl LatencyParameters {
    const fn size(&self) -> RoundSize {
        RoundSize { duration_s: self.round_s, connections: self.connections, population: self.population }
    }
}

/// Returns the visits of each block: a server by its index, a load, and its rate in requests per second. Records and
/// leaves out levels that the generator does not sustain.
fn visits(
    bench: &mut Bench<'_>,
    stations: &mut [ServerUnderTest<'_>],
    parameters: &LatencyParameters,
) -> Result<Vec<(usize, Load, f64)>, ExperimentError> {
    let capacities = capacities(bench, stations, parameters)?;
    // The control, which comes first, leaves the most CPU time to the generator.
    let ceiling_rps = ceiling::find(bench.setting, &stations[0], parameters.connections, capacities[0])?;
    let mut visits = Vec::new();
    for (index, (station, &capacity_rps)) in stations.iter().zip(&capacities).enumerate() {
        for load in loads(parameters) {
            let rate_rps = rate(load, capacity_rps);
            if rate_rps <= ceiling_rps {
                visits.push((index, load, rate_rps));
            } else {
                let reason = format!(
                    "this level needs {rate_rps:.0} requests/s, and the generator sustains only {ceiling_rps:.0} on this machine"
                );
                bench.journal.omit(&format!("latency of {} {}", station.scheme, worded(load)), &reason)?;
            }
        }
    }
    Ok(visits)
}

fn worded(load: Load) -> String {
    match load {
        Load::OfCapacity { fraction } => format!("at {:.0} % of its capacity", fraction * 100.0),
        Load::EqualRate { rate_rps } => format!("at {rate_rps:.0} requests/s"),
        Load::AsPlanned | Load::Saturated => String::new(),
    }
}

fn loads(parameters: &LatencyParameters) -> Vec<Load> {
    let shares = parameters.fractions.iter().map(|&fraction| Load::OfCapacity { fraction });
    let rates = parameters.rates_rps.iter().map(|&rate_rps| Load::EqualRate { rate_rps });
    shares.chain(rates).collect()
}

fn rate(load: Load, capacity_rps: f64) -> f64 {
    match load {
        Load::OfCapacity { fraction } => fraction * capacity_rps,
        Load::EqualRate { rate_rps } => rate_rps,
        Load::AsPlanned | Load::Saturated => capacity_rps,
    }
}

/// Returns the capacity of each server in requests per second, in order.
fn capacities(
    bench: &mut Bench<'_>,
    stations: &mut [ServerUnderTest<'_>],
    parameters: &LatencyParameters,
) -> Result<Vec<f64>, ExperimentError> {
    for (position, station) in (0..).zip(&mut *stations) {
        if measured_capacity(bench, station).is_none() {
            let plan = parameters.size().plan(bench.setting, 0, None);
            let round = Visit { block: 0, position, load: Load::Saturated }.make(bench, station, &plan)?;
            bench.journal.measured(|latency: &mut LatencyExperiment| latency.rounds.push(round))?;
        }
    }
    stations
        .iter()
        .map(|station| measured_capacity(bench, station).ok_or(ExperimentError::NoCapacity(station.scheme)))
        .collect()
}

/// Returns the median throughput of the scheme's saturated rounds so far.
fn measured_capacity(bench: &Bench<'_>, station: &ServerUnderTest<'_>) -> Option<f64> {
    let record = bench.journal.record();
    let cost = record.data().map_or(&[][..], |cost: &CostExperiment| &cost.rounds);
    let latency = record.data().map_or(&[][..], |latency: &LatencyExperiment| &latency.rounds);
    let saturated = |round: &&Round| round.scheme == station.scheme.id() && round.load.is_saturated();
    let carried = cost.iter().chain(latency).filter(saturated).map(|round| round.achieved_rps);
    median(carried).filter(|rate| *rate > 0.0)
}
