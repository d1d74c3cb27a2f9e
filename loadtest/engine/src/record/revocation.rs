//! How long a credential that was ended is still accepted.

use std::collections::BTreeMap;
use std::fmt;

use contract::RevocationClass;
use serde::{Deserialize, Serialize};

use super::{Measured, Validity};

/// From the acknowledgement of an event to the denial on every node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevocationExperiment {
    /// In the order in which they were measured.
    pub series: Vec<RevocationSeries>,
    /// What the store did for an event, in a quiet pass.
    pub prices: Vec<RevocationCost>,
}

impl Measured for RevocationExperiment {}

/// Events of one scheme over one link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevocationSeries {
    /// The scheme's id.
    pub scheme: String,
    /// What lay between the last node and the store.
    pub link: PushLink,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// Nodes that were polled.
    pub nodes: u32,
    /// What the servers guarantee.
    pub class: RevocationClass,
    /// The window that these servers stated, in seconds: shorter than by default where it had to be waited for.
    pub window_s: u64,
    /// In the order in which they were made.
    pub events: Vec<RevocationEvent>,
    /// Whether the series may feed a claim.
    pub validity: Validity,
}

/// The network between the last node and the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum PushLink {
    /// Nothing: pushes are delivered at once.
    Near,
    /// Everything comes later.
    Delayed {
        /// One way, in milliseconds.
        delay_ms: u32,
    },
    /// Data no longer arrives, and no end of the connection is reported.
    Lost,
}

impl PushLink {
    /// Returns what follows a name to say how this link differs from a normal one; empty for a normal one.
    #[must_use]
    pub fn suffix(self) -> String {
        match self {
            Self::Near => String::new(),
            Self::Delayed { delay_ms } => format!(", pushes delayed by {delay_ms} ms"),
            Self::Lost => ", pushes lost".to_owned(),
        }
    }
}

/// What ends a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// Its user logs out.
    Logout,
    /// The user logs out everywhere.
    LogoutAll,
    /// The user changes the password.
    PasswordChange,
    /// An admin disables the user.
    Disable,
    /// An admin removes the user's role `admin`.
    Demote,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Logout, Self::LogoutAll, Self::PasswordChange, Self::Disable, Self::Demote];
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout-all",
            Self::PasswordChange => "password change",
            Self::Disable => "user disabled",
            Self::Demote => "role removed",
        })
    }
}

/// One event. All times but the first count from its acknowledgement, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevocationEvent {
    /// What ended the credential.
    pub kind: EventKind,
    /// Events of one block are neighbours in time.
    pub block: u32,
    /// The node that received the event, from 0.
    pub told: u32,
    /// From sending the event to its acknowledgement, in microseconds.
    pub answered_us: u64,
    /// What was left of the credential's own life, at most; null where activity prolongs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_us: Option<u64>,
    /// For each node, when its first denial was received; null for none before the timeout.
    pub denied_us: Vec<Option<u64>>,
    /// Acceptances of requests that were sent after the acknowledgement; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Acceptances>,
    /// Denials because the node could not query its store (status 503).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unavailable: u32,
    /// What speaks against it, each a sentence; left out where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a node accepted of requests that were sent after the acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Acceptances {
    /// Which node, from 0.
    pub node: u32,
    /// How many requests.
    pub count: u32,
    /// When the last of them was sent, in microseconds after the acknowledgement.
    pub last_us: u64,
}

/// What the store did for one event of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevocationCost {
    /// The scheme's id.
    pub scheme: String,
    /// The kind.
    pub event: EventKind,
    /// Commands, by name; those that a script makes count, too.
    pub commands: BTreeMap<String, u64>,
    /// Events behind this: each command's least count.
    pub events: u32,
}
