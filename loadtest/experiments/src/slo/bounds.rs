//! Between which rates a search goes, how long its rounds are, and how much it may take.

use engine::slo::Objective;

/// Requests of a round that the warm-up may cost: so many are planned for each that is needed.
const SPARE: f64 = 1.25;
/// At low rates rounds are made longer than asked for, up to so many times.
const LONGEST: f64 = 10.0;
/// Rounds of a search, at most.
const MOST_ROUNDS: u32 = 120;
/// Seconds that its rounds last, at most, together.
const MOST_S: f64 = 1_200.0;
/// No target needs a search to begin higher, in requests per second.
const HIGHEST_START_RPS: f64 = 1_000.0;
/// Beyond this no generator of ours reaches, in requests per second.
const HIGHEST_RPS: f64 = 1_000_000.0;

/// An objective needs more requests than a round can contain.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "a round needs {requests:.0} requests to estimate so extreme a percentile, but with --duration {round_s} s the longest \
     round has {:.0}; use at least --duration {needed_s:.3}s, or a percentile closer to 50",
    .highest_rps * LONGEST * .round_s
)]
pub struct OutOfReach {
    requests: f64,
    highest_rps: f64,
    round_s: f64,
    needed_s: f64,
}

/// The bounds of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) start_rps: f64,
    pub(crate) lowest_rps: f64,
    pub(crate) highest_rps: f64,
    pub(crate) most_rounds: u32,
    pub(crate) most_s: f64,
    pub(super) round_s: f64,
    pub(super) requests: f64,
}

impl Bounds {
    /// For these objectives and rounds of this length. A round that holds too few requests for a percentile would say
    /// nothing of it: at low rates it is made longer, and below the rate at which it would be longest nothing is tried.
    pub(crate) fn of(objectives: &[Objective], round_s: f64) -> Self {
        let needed = objectives.iter().map(|objective| objective.percentile.needs()).fold(0.0, f64::max);
        let requests = needed * SPARE;
        let lowest_rps = requests / (LONGEST * round_s);
        Self {
            start_rps: (requests / round_s).min(HIGHEST_START_RPS).max(lowest_rps),
            lowest_rps,
            highest_rps: HIGHEST_RPS,
            most_rounds: MOST_ROUNDS,
            most_s: MOST_S,
            round_s,
            requests,
        }
    }

    /// Refuses objectives for which no rate sends enough requests in the longest round.
    pub(crate) fn check(&self) -> Result<(), OutOfReach> {
        let Self { requests, round_s, highest_rps, .. } = *self;
        if self.lowest_rps <= highest_rps {
            return Ok(());
        }
        Err(OutOfReach { requests, highest_rps, round_s, needed_s: requests / (LONGEST * highest_rps) })
    }

    /// The length of a round at this rate.
    pub(crate) fn round_s(&self, rate_rps: f64) -> f64 {
        self.round_s.max(self.requests / rate_rps)
    }

    /// The nearest rate that may be tried, with three digits.
    pub(crate) fn within(&self, rate_rps: f64) -> f64 {
        neat(rate_rps).clamp(self.lowest_rps, self.highest_rps)
    }
}

/// The rate, rounded down to three digits: more than that no search can tell.
pub(crate) fn neat(rate_rps: f64) -> f64 {
    let unit = 10_f64.powf(rate_rps.log10().floor() - 2.0);
    // A little more, so that a rate which has three digits keeps them.
    let digits = (rate_rps / unit + 1e-6).floor();
    if unit < 1.0 { digits / (1.0 / unit).round() } else { digits * unit.round() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(objectives: &[&str], round_s: f64) -> Bounds {
        let objectives: Vec<Objective> = objectives.iter().map(|text| text.parse().unwrap()).collect();
        Bounds::of(&objectives, round_s)
    }

    #[test]
    fn rounds_are_long_enough_for_the_most_extreme_percentile() {
        let found = bounds(&["p50=1ms", "p99=10ms"], 2.0);
        let [start, low, high] =
            [found.start_rps, found.round_s(125.0), found.round_s(5_000.0)].map(|value| value as u64);
        assert_eq!((start, low, high), (625, 10, 2));
        assert!((found.round_s(found.lowest_rps) - 20.0).abs() < 1e-9);
        let far = bounds(&["p99.99=50ms"], 2.0);
        assert!(far.start_rps * 20.0 >= 125_000.0 - 1e-6, "{far:?}");
    }

    #[test]
    fn percentile_beyond_the_longest_round_is_rejected() {
        bounds(&["p99.9999=1s"], 2.0).check().unwrap();
        let error = bounds(&["p99.99999=1s"], 2.0).check().unwrap_err().to_string();
        assert!(error.contains("125000000 requests") && error.contains("--duration 12.500s"), "{error}");
        bounds(&["p99.99999=1s"], 12.5).check().unwrap();
    }

    #[test]
    fn rates_have_three_significant_digits() {
        let found = [1234.0, 999.9, 5430.0, 54.329, 1_000.0, 7.0, 123_456.0].map(|rate| neat(rate).to_string());
        assert_eq!(found, ["1230", "999", "5430", "54.3", "1000", "7", "123000"]);
    }
}
