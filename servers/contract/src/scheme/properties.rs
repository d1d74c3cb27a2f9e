//! The properties of schemes, and their names, the same in code, flags, files and prose.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How long a revoked credential may still be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RevocationClass {
    /// Not at all.
    Immediate,
    /// Until a push has arrived, within a stated bound.
    Propagation,
    /// Until a cached response or a short-lived token expires.
    Ttl,
    /// Until the credential ends by itself.
    Expiry,
}

/// Where a credential travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// In a `Cookie` header, as browsers do by themselves.
    Cookie,
    /// In an `Authorization: Bearer` header (RFC 6750).
    #[default]
    Bearer,
}

impl Carrier {
    /// The cookie's name. The prefix makes a browser reject it unless it is `Secure`, has `Path=/` and
    /// no `Domain` (RFC 6265bis section 4.1.3.2), so that no sibling host can plant one.
    pub const COOKIE_NAME: &str = "__Host-authbench";
    /// The name of the cookie with a refresh token.
    pub const REFRESH_COOKIE_NAME: &str = "__Host-authbench-refresh";
}

/// What keeps the state of a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Nothing: the scheme has no state.
    None,
    /// The server's own memory.
    Memory,
    /// A Redis server.
    Redis,
    /// A Redis Cluster.
    RedisCluster,
    /// A `PostgreSQL` server.
    Postgres,
}

impl StoreKind {
    /// Returns whether it is a process separate from the server's.
    #[must_use]
    pub const fn is_external(self) -> bool {
        matches!(self, Self::Redis | Self::RedisCluster | Self::Postgres)
    }
}

/// What a server does when its store cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StoreDown {
    /// It needs none, and serves on.
    NotNeeded,
    /// It responds with 503 and accepts no credential.
    FailClosed,
    /// It serves checks and renewals from its own state until the declared time limit has passed; then it returns 503.
    ServeCached,
    /// A credential is checked without the store; login, renewal and logout get 503.
    VerifyOnly,
}

/// What `POST /logout` ends at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LogoutScope {
    /// Nothing: the client deletes its credential, and a copy stays valid until it expires.
    Nothing,
    /// The credential that was presented, and what was renewed from the same login.
    Credential,
    /// Every credential of the user.
    User,
}

/// When a session's idle limit is pushed back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Touch {
    /// Never: the session ends a fixed time after login.
    Never,
    /// At most once in a stated interval.
    #[default]
    Throttled,
    /// On every request.
    Always,
}

macro_rules! impl_names {
    ($type:ty: $($variant:ident = $name:literal),+) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $name),+ })
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    other => Err(UnknownName { name: other.to_owned(), known: [$($name),+].join(", ") }),
                }
            }
        }
    };
}

impl_names!(RevocationClass: Immediate = "immediate", Propagation = "propagation", Ttl = "ttl", Expiry = "expiry");
impl_names!(Carrier: Cookie = "cookie", Bearer = "bearer");
impl_names!(StoreKind: None = "none", Memory = "memory", Redis = "redis",
       RedisCluster = "redis-cluster", Postgres = "postgres");
impl_names!(StoreDown: NotNeeded = "not-needed", FailClosed = "fail-closed", ServeCached = "serve-cached",
       VerifyOnly = "verify-only");
impl_names!(LogoutScope: Nothing = "nothing", Credential = "credential", User = "user");
impl_names!(Touch: Never = "never", Throttled = "throttled", Always = "always");

/// A name that is not one of the supported ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is unknown; supported: {known}")]
pub struct UnknownName {
    pub(super) name: String,
    pub(super) known: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_the_names_of_the_command_line() {
        for touch in [Touch::Never, Touch::Throttled, Touch::Always] {
            assert_eq!(serde_json::to_string(&touch).unwrap(), format!("\"{touch}\""));
            assert_eq!(touch.to_string().parse(), Ok(touch));
        }
        for down in [StoreDown::NotNeeded, StoreDown::FailClosed, StoreDown::ServeCached, StoreDown::VerifyOnly] {
            assert_eq!(serde_json::to_string(&down).unwrap(), format!("\"{down}\""));
        }
        let stores =
            [StoreKind::None, StoreKind::Memory, StoreKind::Redis, StoreKind::RedisCluster, StoreKind::Postgres];
        for store in stores {
            assert_eq!(serde_json::to_string(&store).unwrap(), format!("\"{store}\""));
        }
    }
}
