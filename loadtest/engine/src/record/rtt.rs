//! What a store further away changes.

use serde::{Deserialize, Serialize};

use super::{Measured, Round, RoundAt};

/// The same load over a store nearer and further away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RttExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<RoundAt<StoreDistance>>,
}

/// How far away the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StoreDistance {
    /// Configured round-trip time between server and store, in microseconds; 0 is a local store.
    pub rtt_us: u32,
}

impl Measured for RttExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().map(|each| &each.round).collect()
    }
}
