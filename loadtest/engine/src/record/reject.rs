//! What refusing garbage costs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Measured, Round, RoundAt};

/// Saturated closed loops of good requests, and of such as have to be refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<RoundAt<GarbageSent>>,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GarbageSent {
    /// What is wrong with all requests; null for good ones.
    pub garbage: Option<Garbage>,
}

/// What is wrong with a request that has to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Garbage {
    /// It carries no credential.
    NoCredential,
    /// Its credential is no credential by its form.
    Malformed,
    /// Its credential has the form, and nobody handed it out: a session id that is not known, a token whose signature is wrong.
    Forged,
    /// Its credential was handed out and is over.
    Expired,
    /// Its credential is no credential, and as long as the server reads one.
    LongHeader,
    /// Its header is longer than the server reads one, which then answers 431 and closes the connection.
    TooLongHeader,
}

impl fmt::Display for Garbage {
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
