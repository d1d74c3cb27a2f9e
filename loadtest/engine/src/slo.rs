//! A service level objective: by when how many of the requests have to be answered.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{HIGHEST_US, Quantiles};
use crate::validity::FEWEST_REQUESTS;

/// So many requests have to lie above a percentile for a single round to speak of it. A tenth of what a figure in a report
/// needs, because the statistics of a search go over many rounds.
const ABOVE: f64 = 10.0;

/// One objective, such as `p99=10ms`: the percentile of the response times is at most this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Which percentile.
    pub percentile: Percentile,
    /// Its highest value that is good, in microseconds.
    pub most_us: u64,
}

/// A percentile that the record states of every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Percentile {
    #[serde(rename = "p50")]
    P50,
    #[serde(rename = "p90")]
    P90,
    #[serde(rename = "p99")]
    P99,
    #[serde(rename = "p99.9")]
    P99_9,
    #[serde(rename = "p99.99")]
    P99_99,
}

impl Percentile {
    /// From low to high.
    pub const ALL: [Self; 5] = [Self::P50, Self::P90, Self::P99, Self::P99_9, Self::P99_99];

    /// As it is written on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P99_9 => "p99.9",
            Self::P99_99 => "p99.99",
        }
    }

    /// Its value, in microseconds.
    #[must_use]
    pub const fn of(self, quantiles: &Quantiles) -> Option<u64> {
        match self {
            Self::P50 => quantiles.p50,
            Self::P90 => quantiles.p90,
            Self::P99 => quantiles.p99,
            Self::P99_9 => quantiles.p99_9,
            Self::P99_99 => quantiles.p99_99,
        }
    }

    /// The share of the requests that lies above it.
    const fn above(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.1,
            Self::P99 => 0.01,
            Self::P99_9 => 0.001,
            Self::P99_99 => 0.0001,
        }
    }

    /// How many requests a round needs to speak of it.
    #[must_use]
    pub fn needs(self) -> f64 {
        (ABOVE / self.above()).max(FEWEST_REQUESTS as f64)
    }
}

impl Objective {
    /// Whether these response times meet it; none do if there are no times.
    #[must_use]
    pub fn is_met(self, response_us: &Quantiles) -> bool {
        self.percentile.of(response_us).is_some_and(|us| us <= self.most_us)
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percentile, us) = (self.percentile.name(), self.most_us);
        match us {
            _ if us % 1_000_000 == 0 => write!(f, "{percentile}={}s", us / 1_000_000),
            _ if us % 1_000 == 0 => write!(f, "{percentile}={}ms", us / 1_000),
            _ => write!(f, "{percentile}={us}us"),
        }
    }
}

/// The text is no objective.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectiveError {
    /// It has no equals sign.
    #[error("{0:?} is not of the form QUANTILE=TIME, such as p99=10ms")]
    Form(String),
    /// The percentile is not one of those that are recorded.
    #[error("{0:?} is no percentile that is recorded; there are p50, p90, p99, p99.9 and p99.99")]
    Percentile(String),
    /// The time is none.
    #[error("{0:?} is no time such as 500us, 10ms or 1s")]
    Time(String),
    /// The time cannot be recorded.
    #[error("{0:?} is out of reach: times from 1us to 600s are recorded")]
    Reach(String),
}

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let (percentile, time) = text.split_once('=').ok_or_else(|| ObjectiveError::Form(text.to_owned()))?;
        let known = Percentile::ALL.into_iter().find(|known| known.name() == percentile.trim());
        let percentile = known.ok_or_else(|| ObjectiveError::Percentile(percentile.to_owned()))?;
        Ok(Self { percentile, most_us: microseconds(time.trim())? })
    }
}

/// A number with its unit, which has to be there: ten of what would be anybody's guess.
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
    if (1.0..=HIGHEST_US as f64).contains(&us) { Ok(us as u64) } else { Err(ObjectiveError::Reach(time.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read_and_written_alike() {
        for text in ["p50=500us", "p90=1ms", "p99=10ms", "p99.9=250ms", "p99.99=2s"] {
            assert_eq!(text.parse::<Objective>().unwrap().to_string(), text);
        }
        let most_us = |text: &str| text.parse::<Objective>().unwrap().most_us;
        assert_eq!(["p99=1.5ms", "p99 = 20 µs", "p99=600s"].map(most_us), [1_500, 20, 600_000_000]);
    }

    #[test]
    fn nonsense_is_refused_for_what_it_is() {
        let error = |text: &str| text.parse::<Objective>().unwrap_err();
        assert!(matches!(error("10ms"), ObjectiveError::Form(_)));
        assert!(matches!(error("p95=10ms"), ObjectiveError::Percentile(_)));
        assert!(matches!(error("=10ms"), ObjectiveError::Percentile(_)));
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
        assert!(error("p95=10ms").to_string().contains("p99.9"), "it says what there is");
    }

    #[test]
    fn a_percentile_at_the_bound_is_good_and_one_above_is_not() {
        let objective: Objective = "p99=10ms".parse().unwrap();
        let times = |p99| Quantiles { p50: Some(1), p99, count: 1000, ..Quantiles::default() };
        assert!(objective.is_met(&times(Some(10_000))));
        assert!(!objective.is_met(&times(Some(10_001))));
        assert!(!objective.is_met(&times(None)));
    }

    #[test]
    fn far_percentiles_need_many_requests() {
        let needs = Percentile::ALL.map(|percentile| percentile.needs().round() as u64);
        assert_eq!(needs, [100, 100, 1_000, 10_000, 100_000]);
    }
}
