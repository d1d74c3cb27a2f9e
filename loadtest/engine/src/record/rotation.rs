//! Keys that roll, refresh tokens that race, and refreshes that come all at once.

use serde::{Deserialize, Serialize};

use super::{Measured, Quantiles, Validity};

/// What becomes of clients while keys and tokens are replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotationExperiment {
    /// Keys that rolled under load.
    pub rolls: Vec<KeyRotation>,
    /// The same refresh token, sent several times at once.
    pub races: Vec<Race>,
    /// Used refresh tokens sent again by another client.
    pub replays: Vec<Replay>,
    /// Credentials issued all at once, and when they were refreshed.
    pub storms: Vec<RefreshBurst>,
}

impl Measured for RotationExperiment {}

/// Two nodes under load, one of which rolls its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    /// The scheme's id.
    pub scheme: String,
    /// Rolls of one block are neighbours in time.
    pub block: u32,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// How the other node comes to the new key.
    pub learning: KeyDistribution,
    /// Requests planned per second, to both nodes together.
    pub rate_rps: f64,
    /// When the roll was acknowledged, in seconds since the load began.
    pub rolled_s: f64,
    /// What became of the requests: one entry for each node and each age of the credential.
    pub presented: Vec<Presented>,
    /// Whether the roll may feed a claim.
    pub validity: Validity,
}

/// How the other node comes to a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum KeyDistribution {
    /// Not at all: both began with one key file, and the new key is not distributed.
    Never,
    /// It fetches the public keys of the first when a token names one that it does not know.
    Published,
}

/// Requests to one node with credentials of one age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Presented {
    /// Whether they went to the node that did not roll.
    pub other_node: bool,
    /// Whether the credential was issued after the rotation.
    pub new_key: bool,
    /// Whether they were due after the roll.
    pub after_roll: bool,
    /// Requests sent.
    pub sent: u64,
    /// Responses with 401.
    pub refused: u64,
    /// Responses other than 200 or 401, or none.
    pub failed: u64,
    /// When the last rejected one was due, in seconds since the rotation; null if none was.
    pub last_refused_s: Option<f64>,
    /// When the last accepted one was due, in seconds since the roll; null if none was.
    pub last_accepted_s: Option<f64>,
    /// From when it was due to the last body byte.
    pub response_us: Quantiles,
}

/// Families whose refresh token several clients sent at the same instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Race {
    /// The scheme's id.
    pub scheme: String,
    /// How long a used refresh token was still accepted, in seconds.
    pub grace_s: u64,
    /// Clients that sent it.
    pub clients: u32,
    /// Families tried.
    pub families: u64,
    /// Requests that got a token.
    pub granted: u64,
    /// Requests with the response 401.
    pub refused: u64,
    /// Families in which no issued token could be refreshed afterwards.
    pub killed: u64,
    /// From the first client's send to the last one's: the median of the families, in microseconds.
    pub spread_us: f64,
    /// Whether it may feed a claim.
    pub validity: Validity,
}

/// Families whose refresh token another client sends again after its owner has used it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The scheme's id.
    pub scheme: String,
    /// How long a used refresh token was still accepted, in seconds.
    pub grace_s: u64,
    /// How long after its use it was sent again, in seconds of the server's clock.
    pub age_s: u64,
    /// Families tried.
    pub families: u64,
    /// Replays that got a token.
    pub passed: u64,
    /// Families in which the owner's token could not be refreshed afterwards.
    pub killed: u64,
    /// Whether it may feed a claim.
    pub validity: Validity,
}

/// Credentials that were issued within a short time, and refreshed at a share of their life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RefreshBurst {
    /// The scheme's id.
    pub scheme: String,
    /// Storms of one block are neighbours in time.
    pub block: u32,
    /// How far a client strays from the share, either way, as a part of the time from one refresh to the next, 0 to 1.
    pub jitter: f64,
    /// Credentials issued.
    pub credentials: u64,
    /// How long issuing them took, in seconds.
    pub issued_s: f64,
    /// How long a credential lives, in seconds.
    pub ttl_s: u64,
    /// The part of its life after which it is refreshed, 0 to 1.
    pub share: f64,
    /// The length of a bin, in seconds.
    pub bin_s: f64,
    /// Refreshes sent in each bin, from the moment at which the first credential was due to be refreshed without jitter;
    /// as many bins as make up whole periods.
    pub arrivals: Vec<u64>,
    /// Refreshes in all, before the first bin as well.
    pub sent: u64,
    /// Refreshes that got no token.
    pub failed: u64,
    /// From when a refresh was due to the last body byte.
    pub response_us: Quantiles,
    /// From when a refresh was due to its send.
    pub lag_us: Quantiles,
    /// Whether it may feed a claim.
    pub validity: Validity,
}

impl RefreshBurst {
    /// From one refresh of a client to the next without jitter, in seconds.
    #[must_use]
    pub fn period_s(&self) -> f64 {
        self.ttl_s as f64 * self.share
    }
}
