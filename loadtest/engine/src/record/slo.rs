//! The search for the highest rate that meets a service level objective.

use serde::{Deserialize, Serialize};

use super::{Measured, Round};
use crate::slo::Objective;

/// A search: what was requested, every round of it, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SloExperiment {
    /// What a round has to meet, all of it.
    pub objectives: Vec<Objective>,
    /// In the order in which they were measured.
    pub rounds: Vec<SloRound>,
    /// How the search ended; null while it runs, or if it broke off.
    pub end: Option<SearchEnd>,
}

impl Measured for SloExperiment {
    fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }
}

/// A round of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SloRound {
    /// What it was for.
    pub step: SearchStep,
    /// Requests per second, planned.
    pub rate_rps: f64,
    /// The result of the round.
    pub verdict: SloVerdict,
    /// What was measured.
    pub round: Round,
}

/// What a round of the search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum SearchStep {
    /// To find two rates, of which the target meets one and misses the other.
    Bracket,
    /// To see how many rounds meet the objectives at rates between the two.
    Grid {
        /// Rounds of one block are neighbours in time, one a rate.
        block: u32,
    },
    /// To see whether the rate that was found holds.
    Confirmation {
        /// The first rate, or one of those below that were tried when it did not hold.
        attempt: u32,
    },
}

/// What a round shows about the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SloVerdict {
    /// It met every objective.
    Met,
    /// It did not, or could not sustain the load.
    Missed,
    /// Nothing: the instrument was not up to the load, or others disturbed it.
    Generator,
    /// Nothing: the round did not settle, or holds too few requests.
    Unsettled,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SearchEnd {
    /// The target missed the objectives at higher rates: what was found is its own limit.
    Target,
    /// The generator's limit came first: what was found is a lower bound.
    Generator,
    /// The target missed the objectives at the lowest rate that rounds of this length can judge.
    NothingMet,
    /// The rounds do not distinguish one rate from another.
    Unclear,
    /// The search took more rounds, or more time, than it may.
    OutOfTime,
}
