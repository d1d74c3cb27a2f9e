//! The highest rate that the generator sustains in an open loop, determined before `latency`, so that no level measures
//! the generator instead of the server.

use engine::plan::{Arrivals, Plan};
use engine::record::Load;
use engine::validity::generator_share;

use crate::run_context::{ExperimentError, RunConfig};
use crate::servers::ServerUnderTest;
use crate::visit::{ObservedProcesses, drive_round, outside_blocks, workers};

/// The generator sustains a rate if it uses at most this share of its processors; a round is invalid only above
/// [`engine::validity::GENERATOR_SHARE`].
const MAX_CPU_SHARE: f64 = 0.80;
/// Rounds of a search: each halves the undecided range.
const STEPS: u32 = 6;
/// Duration of each round, in seconds.
const ROUND_S: f64 = 0.3;

/// Returns the rate in requests per second, found by bisection below `at_most` on this server; 0 if there is none.
pub(crate) fn find(
    config: &RunConfig,
    under_test: &ServerUnderTest<'_>,
    connections: u32,
    at_most: f64,
) -> Result<f64, ExperimentError> {
    let (mut sustained, mut not_sustained) = (0.0, at_most);
    for _ in 0..STEPS {
        config.check_can_continue()?;
        let rate_rps = f64::midpoint(sustained, not_sustained);
        if sustains(config, under_test, connections, rate_rps)? {
            sustained = rate_rps;
        } else {
            not_sustained = rate_rps;
        }
    }
    Ok(sustained)
}

fn sustains(
    config: &RunConfig,
    under_test: &ServerUnderTest<'_>,
    connections: u32,
    rate_rps: f64,
) -> Result<bool, ExperimentError> {
    let arrivals = Arrivals::Poisson { rate_rps };
    let plan = Plan { connections, interval_s: ROUND_S / 10.0, ..Plan::new(arrivals, ROUND_S) };
    let place = outside_blocks(under_test.scheme.id(), Load::AsPlanned);
    let processes = ObservedProcesses { servers: &[under_test.server.process().pid()], ..ObservedProcesses::default() };
    let workers = workers(&config.placement);
    let (round, _) = drive_round(&plan, &under_test.target, place, processes, workers, &config.stop)?;
    Ok(generator_share(&round, workers.count as u32).is_some_and(|share| share <= MAX_CPU_SHARE))
}
