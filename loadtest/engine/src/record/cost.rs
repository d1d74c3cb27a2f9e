//! CPU time of a request, in saturated closed loops.

use serde::{Deserialize, Serialize};

use super::{Measured, Round};

/// CPU time of a request, in saturated closed loops.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CostExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<Round>,
}

impl Measured for CostExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().collect()
    }
}
