//! Memory against the number of live credentials.

use serde::{Deserialize, Serialize};

use super::{Measured, Validity};

/// Memory against the number of live credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MemoryExperiment {
    /// In the order in which they were measured.
    pub points: Vec<MemoryPoint>,
}

impl Measured for MemoryExperiment {}

/// Memory at one number of live credentials. The process and the store are new for every `series`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MemoryPoint {
    /// The scheme's id.
    pub scheme: String,
    /// Points of one series belong to one process that was filled step by step.
    pub series: u32,
    /// Credentials alive.
    pub population: u64,
    /// The server's proportional set size.
    pub server_pss_bytes: u64,
    /// The server's resident set size.
    pub server_rss_bytes: u64,
    /// What the store reports as used (`used_memory` of Redis); null without one.
    pub store_used_bytes: Option<u64>,
    /// The store's resident set size; null without one or where it is not on this machine.
    pub store_rss_bytes: Option<u64>,
    /// Whether the point may feed a claim.
    pub validity: Validity,
}
