//! The toy: an experiment for tests only, which shows what an experiment needs.

use serde::{Deserialize, Serialize};

use super::Measured;

/// Bytes of the response to a request that needs no credential.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ToyExperiment {
    /// One a scheme.
    pub points: Vec<ToyPoint>,
}

impl Measured for ToyExperiment {}

/// The response of one scheme's server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ToyPoint {
    /// The scheme's id.
    pub scheme: String,
    /// The body of its response.
    pub body_bytes: u64,
}
