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
    /// The assessment.
    pub assessment: Assessment,
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
pub struct Assessment {
    /// The state.
    pub state: State,
    /// What was found, with figures and units.
    pub observation: String,
    /// What it means for the experiments.
    pub effect: String,
    /// What to do about it; none if the state is good.
    pub advice: Option<String>,
    /// The affected experiments: less accurate if the state is limited, impossible if it is missing.
    pub experiments: Vec<Experiment>,
    /// The schemes that cannot be measured because of it.
    pub excluded_schemes: Vec<Scheme>,
}

impl Assessment {
    pub(super) fn good(observation: impl Into<String>, effect: impl Into<String>) -> Self {
        Self {
            state: State::Good,
            observation: observation.into(),
            effect: effect.into(),
            advice: None,
            experiments: Vec::new(),
            excluded_schemes: Vec::new(),
        }
    }

    pub(super) fn limited(
        observation: impl Into<String>,
        effect: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { state: State::Limited, advice: Some(advice.into()), ..Self::good(observation, effect) }
    }

    pub(super) fn missing(
        observation: impl Into<String>,
        effect: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { state: State::Missing, ..Self::limited(observation, effect, advice) }
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
    pub(super) fn without(self, excluded_schemes: Vec<Scheme>) -> Self {
        Self { excluded_schemes, ..self }
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
