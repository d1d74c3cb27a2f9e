//! A service level objective: a percentile of the response times and its limit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::record::{MAX_US, Quantiles, Round};
use crate::validity::MIN_REQUESTS;

/// Requests that must be above a percentile for a single round to support it. A tenth of what a figure in a report
/// needs, because the statistics of a search cover many rounds.
const MIN_REQUESTS_ABOVE: f64 = 10.0;

/// One objective, such as `p99=10ms`: the percentile of the response times is at most this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Which percentile.
    pub percentile: Percentile,
    /// The limit, in microseconds.
    pub most_us: u64,
}

/// A percentile between 0 and 100, both excluded, such as `p99.9`; in millionths of a per cent, so that it is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct Percentile(u32);

/// One per cent.
const PERCENT: u32 = 1_000_000;
/// Digits of a percentile behind the point.
const DECIMALS: usize = 6;

impl Percentile {
    /// Its value among the response times inside a round's window, in microseconds; none if there are none.
    #[must_use]
    pub fn of(self, round: &Round) -> Option<u64> {
        match recorded_percentiles(&round.response_us).into_iter().find(|(percentile, _)| *percentile == self.0) {
            Some((_, value)) => value,
            None => round.response_us_at(self.quantile()),
        }
    }

    /// An upper bound of its value, in microseconds: the next percentile that these quantiles state.
    #[must_use]
    pub fn bound(self, quantiles: &Quantiles) -> Option<u64> {
        let recorded_percentiles = recorded_percentiles(quantiles);
        recorded_percentiles
            .into_iter()
            .find(|(percentile, _)| *percentile >= self.0)
            .map_or(quantiles.max, |(_, value)| value)
    }

    /// As a share of the requests, above 0 and below 1.
    fn quantile(self) -> f64 {
        f64::from(self.0) / f64::from(100 * PERCENT)
    }

    /// How many requests a round needs to speak of it.
    #[must_use]
    pub fn required_requests(self) -> f64 {
        let beyond = self.0.min(100 * PERCENT - self.0);
        (MIN_REQUESTS_ABOVE * f64::from(100 * PERCENT) / f64::from(beyond)).max(MIN_REQUESTS as f64)
    }
}

/// The percentiles that quantiles state, from low to high.
const fn recorded_percentiles(quantiles: &Quantiles) -> [(u32, Option<u64>); 5] {
    let Quantiles { p50, p90, p99, p99_9, p99_99, .. } = *quantiles;
    [(50 * PERCENT, p50), (90 * PERCENT, p90), (99 * PERCENT, p99), (99_900_000, p99_9), (99_990_000, p99_99)]
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / PERCENT, self.0 % PERCENT);
        if part == 0 {
            return write!(f, "p{whole}");
        }
        write!(f, "p{whole}.{}", format!("{part:0DECIMALS$}").trim_end_matches('0'))
    }
}

impl From<Percentile> for String {
    fn from(percentile: Percentile) -> Self {
        percentile.to_string()
    }
}

impl TryFrom<String> for Percentile {
    type Error = ObjectiveError;

    fn try_from(text: String) -> Result<Self, ObjectiveError> {
        text.parse()
    }
}

impl FromStr for Percentile {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let parse = || {
            let (whole, part) = match text.strip_prefix('p')?.split_once('.') {
                Some((whole, part)) => (whole, part),
                None => (text.strip_prefix('p')?, "0"),
            };
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|each| each.is_ascii_digit());
            if !digits(whole) || !digits(part) || part.len() > DECIMALS {
                return None;
            }
            let whole = whole.parse::<u32>().ok()?.checked_mul(PERCENT)?;
            let millionths = whole.checked_add(format!("{part:0<DECIMALS$}").parse().ok()?)?;
            (1..100 * PERCENT).contains(&millionths).then_some(Self(millionths))
        };
        parse().ok_or_else(|| ObjectiveError::Percentile(text.to_owned()))
    }
}

impl Objective {
    /// Returns whether a round's response times meet it; false if there are no times.
    #[must_use]
    pub fn is_met(self, round: &Round) -> bool {
        self.percentile.of(round).is_some_and(|us| us <= self.most_us)
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percentile, us) = (self.percentile, self.most_us);
        match us {
            _ if us % 1_000_000 == 0 => write!(f, "{percentile}={}s", us / 1_000_000),
            _ if us % 1_000 == 0 => write!(f, "{percentile}={}ms", us / 1_000),
            _ => write!(f, "{percentile}={us}us"),
        }
    }
}

/// The text is not an objective.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectiveError {
    /// It has no equals sign.
    #[error("{0:?} does not have the form QUANTILE=TIME, such as p99=10ms")]
    Form(String),
    /// The percentile is none.
    #[error(
        "{0:?} is not a percentile such as p50, p95 or p99.9: above 0, below 100, with at most {DECIMALS} decimals"
    )]
    Percentile(String),
    /// The time is none.
    #[error("{0:?} is not a time such as 500us, 10ms or 1s")]
    Time(String),
    /// The time cannot be recorded.
    #[error("{0:?} is out of range: times from 1us to 600s are recorded")]
    Reach(String),
}

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let (percentile, time) = text.split_once('=').ok_or_else(|| ObjectiveError::Form(text.to_owned()))?;
        Ok(Self { percentile: percentile.trim().parse()?, most_us: microseconds(time.trim())? })
    }
}

/// Parses a number with its mandatory unit: a bare ten would be ambiguous.
fn microseconds(time: &str) -> Result<u64, ObjectiveError> {
    let malformed = || ObjectiveError::Time(time.to_owned());
    let (number, unit) = time.split_at(time.find(|each: char| each.is_alphabetic()).ok_or_else(malformed)?);
    let scale = match unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return Err(malformed()),
    };
    let us = (number.trim().parse::<f64>().map_err(|_| malformed())? * scale).round();
    if (1.0..=MAX_US as f64).contains(&us) { Ok(us as u64) } else { Err(ObjectiveError::Reach(time.to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::plan::{Arrivals, Plan, Warmup};
    use crate::recorder::{Recorder, Sample};
    use crate::round::{DrivenLoad, Place};

    #[test]
    fn objectives_are_read_and_written_alike() {
        let texts = [
            "p50=500us",
            "p90=1ms",
            "p95=1ms",
            "p99=10ms",
            "p99.9=250ms",
            "p99.99=2s",
            "p0.000001=1s",
            "p99.999999=1s",
        ];
        for text in texts {
            assert_eq!(text.parse::<Objective>().unwrap().to_string(), text);
        }
        let most_us = |text: &str| text.parse::<Objective>().unwrap().most_us;
        assert_eq!(["p99=1.5ms", "p99 = 20 µs", "p99=600s"].map(most_us), [1_500, 20, 600_000_000]);
    }

    #[test]
    fn invalid_objectives_are_rejected_with_the_reason() {
        let error = |text: &str| text.parse::<Objective>().unwrap_err();
        assert!(matches!(error("10ms"), ObjectiveError::Form(_)));
        for percentile in
            ["", "95", "p", "p0", "p100", "p101", "p-5", "p+5", "p9e1", "p99.", "p.5", "p99.1234567", "p5000"]
        {
            let found = error(&format!("{percentile}=10ms"));
            assert!(matches!(found, ObjectiveError::Percentile(_)), "{percentile}: {found}");
        }
        for time in ["", "10", "ms", "10 minutes", "-", "1e3", "nanms", "1ms2"] {
            let found = error(&format!("p99={time}"));
            assert!(matches!(found, ObjectiveError::Time(_) | ObjectiveError::Reach(_)), "{time}: {found}");
        }
        for time in ["0ms", "-5ms", "0.4us", "601s", "infs"] {
            assert!(
                matches!(error(&format!("p99={time}")), ObjectiveError::Reach(_) | ObjectiveError::Time(_)),
                "{time}"
            );
        }
        assert!(error("p100=10ms").to_string().contains("p99.9"), "the error lists what is possible");
    }

    /// A round of 1,000 response times of 10 to 10,000 µs, one of them in each of 1,000 steps.
    fn round() -> Round {
        let plan = Plan { warmup: Warmup::Fixed { seconds: 0.0 }, ..Plan::new(Arrivals::Closed, 10.0) };
        let start = Instant::now();
        let recorder = Recorder::new(&plan, start, 1);
        for n in 0..1000 {
            let sent = start + Duration::from_millis(n * 10);
            let done = sent + Duration::from_micros((n + 1) * 10);
            recorder.record(0, Sample { intended: sent, sent, done, found_idle: true, failure: None });
        }
        DrivenLoad::new(plan, recorder.finish(), None, 0).into_round(Place::of_control(), None, 1)
    }

    #[test]
    fn any_percentile_is_that_of_the_response_times_in_the_window() {
        let mut round = round();
        let value = |round: &Round, text: &str| text.parse::<Percentile>().unwrap().of(round).unwrap() as f64;
        for (text, expected) in
            [("p1", 100.0), ("p50", 5_000.0), ("p75", 7_500.0), ("p99", 9_900.0), ("p99.5", 9_950.0)]
        {
            let found = value(&round, text);
            assert!((found / expected - 1.0).abs() < 0.005, "{text}: {found}");
        }
        round.window.end_s = 5.0;
        let found = value(&round, "p75");
        assert!((found / 3_750.0 - 1.0).abs() < 0.005, "the first half: {found}");
    }

    #[test]
    fn percentile_at_the_bound_is_good_and_one_above_is_not() {
        let mut round = round();
        let objective: Objective = "p99=10ms".parse().unwrap();
        let mut met = |p99| {
            round.response_us.p99 = p99;
            objective.is_met(&round)
        };
        assert_eq!([Some(10_000), Some(10_001), None].map(&mut met), [true, false, false]);
        round.intervals.clear();
        assert!(!"p95=10s".parse::<Objective>().unwrap().is_met(&round), "there are no times");
    }

    #[test]
    fn unrecorded_percentile_is_bounded_by_the_next_recorded_one() {
        let quantiles = Quantiles { p90: Some(90), p99: Some(99), max: Some(1_000), ..Quantiles::default() };
        let bound = |text: &str| text.parse::<Percentile>().unwrap().bound(&quantiles);
        assert_eq!(["p75", "p90", "p95", "p99.999"].map(bound), [Some(90), Some(90), Some(99), Some(1_000)]);
    }

    #[test]
    fn extreme_percentiles_need_many_requests() {
        let texts = ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "p1"];
        let required_requests =
            texts.map(|text| text.parse::<Percentile>().unwrap().required_requests().round() as u64);
        assert_eq!(required_requests, [100, 100, 200, 1_000, 10_000, 100_000, 1_000]);
    }
}
