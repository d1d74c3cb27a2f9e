//! The size of a round, and the plan derived from it.

use engine::plan::{Arrivals, Plan, Population};

use crate::run_context::RunConfig;

/// The size of an experiment's rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundSize {
    /// Duration of the arrivals, in seconds.
    pub(crate) duration_s: f64,
    /// Number of connections; in a saturated round, the users of the closed loop.
    pub(crate) connections: u32,
    /// Number of credentials in use.
    pub(crate) population: u32,
}

impl RoundSize {
    /// Number of intervals in which a round is recorded.
    const INTERVALS: f64 = 20.0;

    /// Returns the plan of a round in this block: Poisson arrivals at this rate, in requests per second, or a closed
    /// loop without one.
    pub(crate) fn plan(self, config: &RunConfig, block: u32, rate_rps: Option<f64>) -> Plan {
        let arrivals = rate_rps.map_or(Arrivals::Closed, |rate_rps| Arrivals::Poisson { rate_rps });
        Plan {
            seed: config.seed + u64::from(block),
            connections: self.connections,
            population: Population { size: self.population, ..Population::default() },
            interval_s: self.duration_s / Self::INTERVALS,
            ..Plan::new(arrivals, self.duration_s)
        }
    }
}
