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

use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunContext};
use crate::servers::{self, ServerUnderTest};
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

    fn run(context: &mut RunContext<'_>, parameters: &LatencyParameters) -> Result<(), ExperimentError> {
        let mut servers = servers::start_all(context, parameters.population)?;
        let visits = visits(context, &mut servers, parameters)?;
        for turn in blocks::begin(context, "latency", &visits, parameters.blocks) {
            if turn.restarts_servers(parameters.restart_every) {
                servers::restart_all(context, &mut servers, parameters.population)?;
            }
            let (index, load, rate_rps) = turn.item;
            let under_test = &mut servers[index];
            context.step(&format!("{} at {rate_rps:.0} requests/s", under_test.scheme))?;
            let plan = parameters.size().plan(context.config, turn.block, Some(rate_rps));
            let round = turn.visit(load).make(context, under_test, &plan)?;
            context.journal.measured(|latency: &mut LatencyExperiment| latency.rounds.push(round))?;
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
    context: &mut RunContext<'_>,
    servers: &mut [ServerUnderTest<'_>],
    parameters: &LatencyParameters,
) -> Result<Vec<(usize, Load, f64)>, ExperimentError> {
    let capacities = capacities(context, servers, parameters)?;
    // The control, which comes first, leaves the most CPU time to the generator.
    let ceiling_rps = ceiling::find(context.config, &servers[0], parameters.connections, capacities[0])?;
    let mut visits = Vec::new();
    for (index, (under_test, &capacity_rps)) in servers.iter().zip(&capacities).enumerate() {
        for load in loads(parameters) {
            let rate_rps = rate(load, capacity_rps);
            if rate_rps <= ceiling_rps {
                visits.push((index, load, rate_rps));
            } else {
                let reason = format!(
                    "this level needs {rate_rps:.0} requests/s, and the generator sustains only {ceiling_rps:.0} on this machine"
                );
                context.journal.omit(&format!("latency of {} {}", under_test.scheme, describe_load(load)), &reason)?;
            }
        }
    }
    Ok(visits)
}

fn describe_load(load: Load) -> String {
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
    context: &mut RunContext<'_>,
    servers: &mut [ServerUnderTest<'_>],
    parameters: &LatencyParameters,
) -> Result<Vec<f64>, ExperimentError> {
    for (position, under_test) in (0..).zip(&mut *servers) {
        if measured_capacity(context, under_test).is_none() {
            let plan = parameters.size().plan(context.config, 0, None);
            let round = Visit { block: 0, position, load: Load::Saturated }.make(context, under_test, &plan)?;
            context.journal.measured(|latency: &mut LatencyExperiment| latency.rounds.push(round))?;
        }
    }
    servers
        .iter()
        .map(|under_test| measured_capacity(context, under_test).ok_or(ExperimentError::NoCapacity(under_test.scheme)))
        .collect()
}

/// Returns the median throughput of the scheme's saturated rounds so far.
fn measured_capacity(context: &RunContext<'_>, under_test: &ServerUnderTest<'_>) -> Option<f64> {
    let record = context.journal.record();
    let cost = record.data().map_or(&[][..], |cost: &CostExperiment| &cost.rounds);
    let latency = record.data().map_or(&[][..], |latency: &LatencyExperiment| &latency.rounds);
    let saturated = |round: &&Round| round.scheme == under_test.scheme.id() && round.load.is_saturated();
    let carried = cost.iter().chain(latency).filter(saturated).map(|round| round.achieved_rps);
    median(carried).filter(|rate| *rate > 0.0)
}
