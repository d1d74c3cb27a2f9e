//! More and more live credentials.

use serde::{Deserialize, Serialize};

use super::{Measured, MemoryPoint, Round, RoundAt};

/// One server and its store, filled further and further, and what that does to memory and to requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PopulationExperiment {
    /// Memory after every fill, in the order in which it was read.
    pub fills: Vec<Fill>,
    /// Rounds of load, in the order in which they were measured. Those of one block are neighbours in time: the server with so
    /// many credentials, and one with the fewest.
    pub rounds: Vec<RoundAt<LiveCredentials>>,
}

impl Measured for PopulationExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().map(|each| &each.round).collect()
    }
}

/// How many credentials are alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LiveCredentials {
    /// How many.
    pub live: u64,
}

/// Memory at one number of credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// What the server and its store hold.
    pub state: FillState,
    /// Seconds it took to get there from the fill before.
    pub took_s: f64,
    /// What memory was used.
    pub memory: MemoryPoint,
}

/// What was filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FillState {
    /// Live credentials, with whatever a scheme keeps of each: a session, or a family of refresh tokens.
    Live,
    /// Credentials that were issued and at once revoked, with whatever has to be remembered of that: a denylist.
    Revoked,
    /// Nothing any more: every key of the store was removed. The population is that which it held before.
    Freed,
}
