//! `authbench load`: one load on one target.

use serde::{Deserialize, Serialize};

use super::{Measured, Round};

/// `authbench load`: one load on one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoadExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<Round>,
}

impl Measured for LoadExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().collect()
    }
}
