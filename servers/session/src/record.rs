//! What a store keeps of a session.

use chassis::auth::UnixSeconds;
use contract::body::Identity;
use serde::{Deserialize, Serialize};

/// The payload, written as compact JSON: the user and the expiry, the same facts as in a
/// token's claims, so that the twins differ only in where they store them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The user's number.
    pub id: u32,
    /// The name to log in with.
    pub username: String,
    /// The address.
    pub email: String,
    /// What the user may do.
    pub roles: Vec<String>,
    /// When this id was issued.
    pub issued_at: UnixSeconds,
    /// When it ends unless it is used or renewed.
    pub expires_at: UnixSeconds,
    /// When it ends in any case.
    pub ends_at: UnixSeconds,
}

impl Record {
    /// The payload for this user.
    #[must_use]
    pub fn new(identity: Identity, issued_at: UnixSeconds, expires_at: UnixSeconds, ends_at: UnixSeconds) -> Self {
        let Identity { id, username, email, roles } = identity;
        Self { id, username, email, roles, issued_at, expires_at, ends_at }
    }

    /// As compact JSON.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record is JSON")
    }

    /// From compact JSON.
    pub fn from_payload(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }

    /// Returns whether it has expired at `now`.
    #[must_use]
    pub const fn is_expired(&self, now: UnixSeconds) -> bool {
        self.expires_at <= now
    }

    /// Returns the user of the session.
    #[must_use]
    pub fn into_identity(self) -> Identity {
        let Self { id, username, email, roles, .. } = self;
        Identity { id, username, email, roles }
    }
}
