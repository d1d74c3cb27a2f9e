//! Requests that cross several servers.

use serde::{Deserialize, Serialize};

use super::{Measured, Round, RoundAt};

/// The same load over more and more servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FanoutExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<RoundAt<Hops>>,
}

/// The way of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hops {
    /// Servers behind the first one.
    pub hops: u32,
    /// Configured round-trip time between each server and the next, and between each and the store, in microseconds; 0
    /// where they are on the same host without a delay.
    pub link_rtt_us: u32,
}

impl Measured for FanoutExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().map(|each| &each.round).collect()
    }
}
