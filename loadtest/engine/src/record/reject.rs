//! What rejecting invalid requests costs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Measured, Round, RoundAt};

/// Saturated closed loops of valid requests, and of requests that must be rejected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RejectExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<RoundAt<SentCredential>>,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SentCredential {
    /// What is wrong with all requests; null for valid ones.
    pub invalid: Option<InvalidCredential>,
}

/// What is wrong with a request that must be rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum InvalidCredential {
    /// It has no credential.
    NoCredential,
    /// Its credential is malformed.
    Malformed,
    /// Its credential is well-formed but was never issued: an unknown session id, a token with a wrong signature.
    Forged,
    /// Its credential was issued and has expired.
    Expired,
    /// Its credential is malformed, and as long as the server reads one.
    LongHeader,
    /// Its header is longer than the server accepts; the server responds with 431 and closes the connection.
    TooLongHeader,
}

impl fmt::Display for InvalidCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoCredential => "no credential",
            Self::Malformed => "a malformed credential",
            Self::Forged => "a forged credential",
            Self::Expired => "an expired credential",
            Self::LongHeader => "a header of 30 KiB",
            Self::TooLongHeader => "too long a header",
        })
    }
}

impl Measured for RejectExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().map(|each| &each.round).collect()
    }
}
