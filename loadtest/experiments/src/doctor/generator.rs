//! Performance of the generator on this machine, measured by loading the control.

use contract::Scheme;
use engine::experiment::Need;
use engine::plan::{Arrivals, Plan, Population};
use engine::record::{Load, Round};
use engine::validity::{OWN_LATE_SHARE, OWN_LATE_US, SATURATED_CPU_SHARE};
use lab::server::Server;

use super::finding::{Assessment, grouped};
use crate::ceiling;
use crate::latency::LatencyParameters;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunConfig};
use crate::servers::ServerUnderTest;
use crate::visit::{ObservedProcesses, drive_round, outside_blocks, workers};

/// Duration of a round, in seconds.
const ROUND_S: f64 = 2.0;
/// Credentials in use.
const POPULATION: u32 = 2_000;
/// The rate at which lag is measured, in requests per second, if the generator sustains twice as much.
const LAG_RPS: f64 = 5_000.0;

/// The control's server, and the results of the generator so far.
pub(super) struct Generator<'a> {
    config: &'a RunConfig,
    under_test: Option<ServerUnderTest<'a>>,
    capacity_rps: Option<f64>,
    ceiling_rps: Option<f64>,
}

impl<'a> Generator<'a> {
    pub(super) const fn new(config: &'a RunConfig) -> Self {
        Self { config, under_test: None, capacity_rps: None, ceiling_rps: None }
    }

    /// Saturates the control's server.
    pub(super) fn saturator(&mut self) -> Assessment {
        let measured = self.start().and_then(|()| self.round(Arrivals::Closed, Load::Saturated));
        match measured {
            Ok(round) => {
                self.capacity_rps = Some(round.achieved_rps).filter(|rate| *rate > 0.0);
                assess_saturation(round.achieved_rps, self.server_share(&round))
            }
            Err(error) => not_tested(&error.to_string()).of(Need::Saturated),
        }
    }

    /// Finds the highest rate that the generator sustains.
    pub(super) fn ceiling(&mut self) -> Assessment {
        let (Some(under_test), Some(capacity_rps)) = (&self.under_test, self.capacity_rps) else {
            return not_saturated();
        };
        match ceiling::find(self.config, under_test, parameters().connections, capacity_rps) {
            Ok(ceiling_rps) => {
                self.ceiling_rps = Some(ceiling_rps).filter(|rate| *rate > 0.0);
                assess_ceiling(ceiling_rps, capacity_rps, &parameters())
            }
            Err(error) => not_tested(&error.to_string()).of(Need::RateOfCapacity),
        }
    }

    /// Measures how late the generator sends at a rate that it sustains easily.
    pub(super) fn lag(&mut self) -> Assessment {
        let Some(ceiling_rps) = self.ceiling_rps else { return not_saturated() };
        let rate_rps = LAG_RPS.min(ceiling_rps / 2.0);
        match self.round(Arrivals::Poisson { rate_rps }, Load::AsPlanned) {
            Ok(round) => assess_lag(rate_rps, &round),
            Err(error) => not_tested(&error.to_string()).of(Need::Paced),
        }
    }

    /// Starts the control's server as `compare` does.
    fn start(&mut self) -> Result<(), ExperimentError> {
        let (config, control) = (self.config, Scheme::CONTROL);
        let log = config.scratch.path().join("control.log");
        let server = Server::start(&config.spec(control, None, log)?)?;
        self.under_test = Some(ServerUnderTest::of(config, server, control, None, None, POPULATION)?);
        Ok(())
    }

    fn round(&self, arrivals: Arrivals, load: Load) -> Result<Round, ExperimentError> {
        let config = self.config;
        let under_test = self.under_test.as_ref().ok_or(ExperimentError::NoCapacity(Scheme::CONTROL))?;
        let plan = Plan {
            connections: parameters().connections,
            population: Population { size: POPULATION, ..Population::default() },
            interval_s: ROUND_S / 20.0,
            ..Plan::new(arrivals, ROUND_S)
        };
        let processes =
            ObservedProcesses { servers: &[under_test.server.process().pid()], ..ObservedProcesses::default() };
        let place = outside_blocks(under_test.scheme.id(), load);
        let workers = workers(&config.placement);
        Ok(drive_round(&plan, &under_test.target, place, processes, workers, &config.stop)?.0)
    }

    /// Returns the share of its processors that the server used.
    fn server_share(&self, round: &Round) -> Option<f64> {
        let processors = self.config.placement.server_cpus.len().max(1) as f64;
        let window_ns = (round.window.end_s - round.window.start_s) * 1e9;
        round.usage.as_ref().map(|usage| usage.server_cpu_ns as f64 / window_ns / processors)
    }
}

/// Returns the parameters of `latency` with the most connections and levels.
fn parameters() -> LatencyParameters {
    Profile::Full.parameters().latency
}

fn not_tested(why: &str) -> Assessment {
    let effect = "the generator's performance is unknown, and so is whether the experiments that depend on it can run";
    Assessment::missing(format!("not tested: {why}"), effect, "fix the reported error")
}

fn not_saturated() -> Assessment {
    let effect = "the generator's performance is unknown";
    Assessment::missing("not tested, because the control could not be loaded", effect, "see `saturator`")
        .of(Need::RateOfCapacity)
}

fn assess_saturation(rps: f64, server_share: Option<f64>) -> Assessment {
    let share = server_share.unwrap_or(0.0);
    let observation =
        format!("{} requests/s from the control, whose server is {:.0} % busy", grouped(rps), share * 100.0);
    if share >= SATURATED_CPU_SHARE {
        return Assessment::good(
            observation,
            "the generator saturates even the cheapest server, so that costs and capacities are those of the server",
        );
    }
    Assessment::limited(
        observation,
        "the cheapest servers are not saturated: their capacity is higher than measured, and their cost includes wake-ups",
        "see `other-load`, or give the generator more processors",
    )
    .of(Need::Saturated)
}

fn assess_ceiling(ceiling_rps: f64, capacity_rps: f64, parameters: &LatencyParameters) -> Assessment {
    let observation = format!("the generator sustains up to {} requests/s in an open loop", grouped(ceiling_rps));
    let share = |fraction: &f64| (fraction * capacity_rps, format!("{:.0} % of capacity", fraction * 100.0));
    let rate = |rate_rps: &f64| (*rate_rps, format!("{} requests/s", grouped(*rate_rps)));
    let levels = parameters.fractions.iter().map(share).chain(parameters.rates_rps.iter().map(rate));
    let beyond: Vec<String> = levels.filter(|(rps, _)| *rps > ceiling_rps).map(|(_, level)| level).collect();
    if beyond.is_empty() {
        return Assessment::good(observation, "every level of `latency` can be measured, even for the cheapest scheme");
    }
    Assessment::limited(
        observation,
        format!("`latency` leaves out levels of the cheapest scheme: {}", beyond.join(", ")),
        "give the generator more processors; for more expensive schemes fewer levels are left out",
    )
    .of(Need::RateOfCapacity)
}

fn assess_lag(rate_rps: f64, round: &Round) -> Assessment {
    let observation = format!(
        "requests are sent {} µs late at the median, {} µs at the 99th percentile, at {} requests/s",
        format_us(round.own_lag_us.p50),
        format_us(round.own_lag_us.p99),
        grouped(rate_rps)
    );
    assess_lateness(observation, round.own_late_share)
}

fn format_us(us: Option<u64>) -> String {
    us.map_or_else(|| "an unknown number of".to_owned(), |us| us.to_string())
}

fn assess_lateness(observation: String, late_share: f64) -> Assessment {
    let late = format!("{:.2} % were more than {OWN_LATE_US} µs late", late_share * 100.0);
    let bound = OWN_LATE_SHARE * 100.0;
    if late_share <= OWN_LATE_SHARE {
        return Assessment::good(observation, format!("{late}; a round is invalid above {bound:.1} %"));
    }
    Assessment::limited(
        observation,
        format!("{late}; a round is invalid above {bound:.1} %, and many will be"),
        "see `other-load`, `priority` and `timer`",
    )
    .of(Need::Paced)
}

#[cfg(test)]
mod tests {
    use engine::record::LatencyExperiment;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn low_ceiling_lists_the_levels_above_it() {
        let parameters = LatencyParameters {
            fractions: vec![0.2, 0.8],
            rates_rps: vec![1_000.0, 10_000.0],
            ..Profile::Quick.parameters().latency
        };
        assert_eq!(assess_ceiling(40_000.0, 50_000.0, &parameters).state, State::Good);
        let low = assess_ceiling(9_999.0, 50_000.0, &parameters);
        assert_eq!(low.state, State::Limited);
        let all = "cheapest scheme: 20 % of capacity, 80 % of capacity, 10,000 requests/s";
        assert!(low.effect.contains(all), "{}", low.effect);
        assert!(assess_ceiling(20_000.0, 50_000.0, &parameters).effect.ends_with("scheme: 80 % of capacity"));
    }

    #[test]
    fn unsaturated_server_limits_the_finding() {
        assert_eq!(assess_saturation(50_000.0, Some(SATURATED_CPU_SHARE)).state, State::Good);
        assert_eq!(assess_saturation(50_000.0, Some(0.5)).state, State::Limited);
        assert_eq!(assess_saturation(50_000.0, None).state, State::Limited);
    }

    #[test]
    fn lag_has_the_same_limit_as_in_a_round() {
        assert_eq!(assess_lateness(String::new(), OWN_LATE_SHARE).state, State::Good);
        assert_eq!(assess_lateness(String::new(), 0.006).state, State::Limited);
    }

    #[test]
    fn generator_is_not_assessed_without_the_control() {
        assert_eq!(
            (not_saturated().state, not_saturated().experiments),
            (State::Missing, vec![LatencyExperiment::EXPERIMENT])
        );
        assert!(not_tested("no server").observation.contains("no server"));
    }
}
