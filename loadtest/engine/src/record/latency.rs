//! Response and service time, in open loops at set rates.

use serde::{Deserialize, Serialize};

use super::{Measured, Round};

/// Response and service time, in open loops at set rates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LatencyExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<Round>,
}

impl Measured for LatencyExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().collect()
    }
}
