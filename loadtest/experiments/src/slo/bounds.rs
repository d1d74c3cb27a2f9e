//! The bounds of a search: rates, duration of rounds, and total duration.

use engine::slo::Objective;

/// Factor of planned requests to needed ones, because the warm-up is excluded.
const REQUEST_MARGIN: f64 = 1.25;
/// At low rates rounds are longer than requested, by up to this factor.
const MAX_ROUND_FACTOR: f64 = 10.0;
/// The most rounds of a search.
pub const MAX_ROUNDS: u32 = 120;
/// The most seconds of load of a search.
pub const MAX_TOTAL_S: f64 = 1_200.0;
/// The highest initial rate, in requests per second.
const MAX_START_RPS: f64 = 1_000.0;
/// The highest rate, in requests per second; the generator does not reach it.
const MAX_RPS: f64 = 1_000_000.0;

/// An objective needs more requests than a round can contain.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "a round needs {requests:.0} requests to estimate so extreme a percentile, but with --duration {round_s} s the longest \
     round has {:.0}; use at least --duration {needed_s:.3}s, or a percentile closer to 50",
    .highest_rps * MAX_ROUND_FACTOR * .round_s
)]
pub struct TooFewRequests {
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
    pub(crate) max_rounds: u32,
    pub(crate) max_total_s: f64,
    pub(super) round_s: f64,
    pub(super) requests: f64,
}

impl Bounds {
    /// Returns the bounds for these objectives and rounds of this length. A round with too few requests cannot estimate
    /// a percentile: at low rates it is longer, and rates below the one with the longest round are not tried.
    pub(crate) fn of(objectives: &[Objective], round_s: f64) -> Self {
        let needed = objectives.iter().map(|objective| objective.percentile.required_requests()).fold(0.0, f64::max);
        let requests = needed * REQUEST_MARGIN;
        let lowest_rps = requests / (MAX_ROUND_FACTOR * round_s);
        Self {
            start_rps: (requests / round_s).min(MAX_START_RPS).max(lowest_rps),
            lowest_rps,
            highest_rps: MAX_RPS,
            max_rounds: MAX_ROUNDS,
            max_total_s: MAX_TOTAL_S,
            round_s,
            requests,
        }
    }

    /// Rejects objectives for which no rate sends enough requests in the longest round.
    pub(crate) fn check(&self) -> Result<(), TooFewRequests> {
        let Self { requests, round_s, highest_rps, .. } = *self;
        if self.lowest_rps <= highest_rps {
            return Ok(());
        }
        Err(TooFewRequests { requests, highest_rps, round_s, needed_s: requests / (MAX_ROUND_FACTOR * highest_rps) })
    }

    /// Returns the duration of a round at this rate, in seconds.
    pub(crate) fn round_s(&self, rate_rps: f64) -> f64 {
        self.round_s.max(self.requests / rate_rps)
    }

    /// Returns the nearest allowed rate, with three significant digits.
    pub(crate) fn within(&self, rate_rps: f64) -> f64 {
        round_down(rate_rps).clamp(self.lowest_rps, self.highest_rps)
    }
}

/// Rounds the rate down to three significant digits, the precision of a search.
pub(crate) fn round_down(rate_rps: f64) -> f64 {
    let unit = 10_f64.powf(rate_rps.log10().floor() - 2.0);
    // A small margin, so that a rate with three digits keeps them.
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
        let found = [1234.0, 999.9, 5430.0, 54.329, 1_000.0, 7.0, 123_456.0].map(|rate| round_down(rate).to_string());
        assert_eq!(found, ["1230", "999", "5430", "54.3", "1000", "7", "123000"]);
    }
}
