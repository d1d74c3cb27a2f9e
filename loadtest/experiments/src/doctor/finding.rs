//! What the doctor says of one thing.

use std::fmt;

use contract::Scheme;
use engine::Experiment;
use engine::experiment::Need;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its stable name, such as `generator-ceiling`.
    pub name: &'static str,
    /// What came of it.
    pub judgement: Judgement,
}

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing stands in the way.
    Good,
    /// It is there, and makes something less exact.
    Limited,
    /// It is not there, and something cannot be measured at all.
    Missing,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Limited => "limited",
            Self::Missing => "missing",
        })
    }
}

/// What was found, what follows, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// How good it is.
    pub state: State,
    /// What was found, with figures and units.
    pub found: String,
    /// What follows for the experiments.
    pub means: String,
    /// What to do about it; none where it is good.
    pub advice: Option<String>,
    /// The experiments that are less exact for it where it is limited, and cannot be made where it is missing.
    pub experiments: Vec<Experiment>,
    /// The schemes that cannot be measured for it.
    pub left_out: Vec<Scheme>,
}

impl Judgement {
    pub(super) fn good(found: impl Into<String>, means: impl Into<String>) -> Self {
        Self {
            state: State::Good,
            found: found.into(),
            means: means.into(),
            advice: None,
            experiments: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(super) fn limited(found: impl Into<String>, means: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Limited, advice: Some(advice.into()), ..Self::good(found, means) }
    }

    pub(super) fn missing(found: impl Into<String>, means: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Missing, ..Self::limited(found, means, advice) }
    }

    /// It concerns the experiments with this need.
    pub(super) fn of(self, need: Need) -> Self {
        Self { experiments: Experiment::all().filter(|experiment| experiment.needs(need)).collect(), ..self }
    }

    /// It concerns every experiment.
    pub(super) fn of_all(self) -> Self {
        Self { experiments: Experiment::all().collect(), ..self }
    }

    /// These schemes cannot be measured.
    pub(super) fn without(self, left_out: Vec<Scheme>) -> Self {
        Self { left_out, ..self }
    }
}

/// A whole number with its thousands set apart.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([7.0, 999.6, 55_466.0, 1_000_000.0].map(grouped), ["7", "1,000", "55,466", "1,000,000"]);
    }
}
