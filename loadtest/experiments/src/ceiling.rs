//! The highest rate that the generator sustains in an open loop, determined before `latency`, so that no level measures
//! the generator instead of the server.

use engine::plan::{Arrivals, Plan};
use engine::record::Load;
use engine::validity::generator_share;

use crate::bench::{ExperimentError, Setting};
use crate::fleet::ServerUnderTest;
use crate::visit::{Watched, alone, drive_round, workers};

/// The generator sustains a rate if it uses at most this share of its processors; a round is invalid only above
/// [`engine::validity::GENERATOR_SHARE`].
const SHARE: f64 = 0.80;
/// Rounds of a search: each halves the undecided range.
const STEPS: u32 = 6;
/// Duration of each round, in seconds.
const ROUND_S: f64 = 0.3;

/// Returns the rate in requests per second, found by bisection below `at_most` on this server; 0 if there is none.
pub(crate) fn find(
    setting: &Setting,
    station: &ServerUnderTest<'_>,
    connections: u32,
    at_most: f64,
) -> Result<f64, ExperimentError> {
    let (mut carried, mut too_much) = (0.0, at_most);
    for _ in 0..STEPS {
        setting.go_on()?;
        let rate_rps = f64::midpoint(carried, too_much);
        if keeps_pace(setting, station, connections, rate_rps)? { carried = rate_rps } else { too_much = rate_rps }
    }
    Ok(carried)
}

fn keeps_pace(
    setting: &Setting,
    station: &ServerUnderTest<'_>,
    connections: u32,
    rate_rps: f64,
) -> Result<bool, ExperimentError> {
    let arrivals = Arrivals::Poisson { rate_rps };
    let plan = Plan { connections, interval_s: ROUND_S / 10.0, ..Plan::new(arrivals, ROUND_S) };
    let place = alone(station.scheme.id(), Load::AsPlanned);
    let watched = Watched { servers: &[station.server.process().pid()], ..Watched::default() };
    let workers = workers(&setting.placement);
    let (round, _) = drive_round(&plan, &station.target, place, watched, workers, &setting.stop)?;
    Ok(generator_share(&round, workers.count as u32).is_some_and(|share| share <= SHARE))
}
