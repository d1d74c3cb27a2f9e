//! One finding of the doctor.

use std::fmt;

use contract::Scheme;
use engine::Experiment;
use engine::experiment::Need;

/// The result of one probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its stable name, such as `generator-ceiling`.
    pub name: &'static str,
    /// The judgement.
    pub judgement: Judgement,
}

/// The state of what a probe examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No restriction.
    Good,
    /// Present, but some measurements are less accurate.
    Limited,
    /// Absent: some experiments or schemes cannot be measured.
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

/// What was found, what it means, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The state.
    pub state: State,
    /// What was found, with figures and units.
    pub found: String,
    /// What it means for the experiments.
    pub means: String,
    /// What to do about it; none if the state is good.
    pub advice: Option<String>,
    /// The affected experiments: less accurate if the state is limited, impossible if it is missing.
    pub experiments: Vec<Experiment>,
    /// The schemes that cannot be measured because of it.
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

    /// Sets the affected experiments to those with this need.
    pub(super) fn of(self, need: Need) -> Self {
        Self { experiments: Experiment::all().filter(|experiment| experiment.needs(need)).collect(), ..self }
    }

    /// Sets the affected experiments to all.
    pub(super) fn of_all(self) -> Self {
        Self { experiments: Experiment::all().collect(), ..self }
    }

    /// Sets the schemes that cannot be measured.
    pub(super) fn without(self, left_out: Vec<Scheme>) -> Self {
        Self { left_out, ..self }
    }
}

/// Formats a number without decimals, with thousands separators.
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
    fn thousands_are_separated_by_commas() {
        assert_eq!([7.0, 999.6, 55_466.0, 1_000_000.0].map(grouped), ["7", "1,000", "55,466", "1,000,000"]);
    }
}
