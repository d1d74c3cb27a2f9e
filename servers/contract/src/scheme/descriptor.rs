//! The description that a server gives of its scheme.

use serde::{Deserialize, Serialize};

use super::{Carrier, LogoutScope, RevocationClass, StoreDown, StoreKind, Touch};

/// The description of a server at `/bench/scheme`. A foreign server may have a scheme that the
/// table does not have, so the id is free text here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SchemeDescriptor {
    /// The scheme's id.
    pub scheme: String,
    /// Where the credential travels.
    pub carrier: Carrier,
    /// How long a revoked credential may still be accepted; null for the control.
    pub revocation_class: Option<RevocationClass>,
    /// The bound of that time in seconds: 0 for `immediate`, the credential's life for `expiry`.
    pub revocation_window_s: Option<u64>,
    /// What keeps the state.
    pub store: StoreKind,
    /// What happens when the store cannot be reached.
    pub store_down: StoreDown,
    /// What `POST /logout` ends at the server; null for the control.
    #[serde(default)]
    pub logout: Option<LogoutScope>,
    /// Whether `POST /refresh` expects a separate refresh token instead of the credential.
    #[serde(default)]
    pub refresh_token: bool,
    /// Lifetime in seconds of the downstream credential that the server issues for servers behind it; null where it
    /// forwards the one that it received.
    #[serde(default)]
    pub inner_window_s: Option<u64>,
    /// Seconds a credential lives if it is not renewed; null for the control.
    pub credential_ttl_s: Option<u64>,
    /// Seconds after login at which no renewal helps any more; null for the control.
    pub absolute_ttl_s: Option<u64>,
    /// When the idle limit is pushed back; null where there is none.
    pub touch: Option<Touch>,
    /// Tolerated clock difference in seconds when a time claim is checked; null where none is.
    pub leeway_s: Option<u64>,
    /// Which of several like servers this is.
    pub node: String,
    /// How many users are seeded.
    pub users: u32,
    /// How many roles an ordinary user has.
    pub roles: u16,
    /// The server's version.
    pub version: String,
}
