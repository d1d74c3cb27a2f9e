//! The schemes, and what a server says of the one it runs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a revoked credential may still be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationClass {
    /// Not at all.
    Immediate,
    /// Until a push has arrived, within a stated bound.
    Propagation,
    /// Until a cached answer or a short-lived token ends.
    Ttl,
    /// Until the credential ends by itself.
    Expiry,
}

/// Where a credential travels.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// In a `Cookie` header, as browsers do by themselves.
    Cookie,
    /// In an `Authorization: Bearer` header (RFC 6750).
    #[default]
    Bearer,
}

impl Carrier {
    /// The cookie's name. The prefix makes a browser refuse it unless it is `Secure`, has `Path=/` and
    /// no `Domain` (RFC 6265bis section 4.1.3.2), so that no sibling host can plant one.
    pub const COOKIE_NAME: &str = "__Host-authbench";
}

/// What keeps the state of a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Nothing: the scheme has no state.
    None,
    /// The server's own memory.
    Memory,
    /// A Redis server.
    Redis,
}

/// What a server does when its store cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreDown {
    /// It needs none, and serves on.
    NotNeeded,
    /// It answers 503 and allows nobody.
    FailClosed,
}

/// When a session's idle limit is pushed back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema, JsonSchema,
)]
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

macro_rules! words {
    ($type:ty: $($variant:ident = $word:literal),+) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(UnknownWord { word: other.to_owned(), known: [$($word),+].join(", ") }),
                }
            }
        }
    };
}

words!(RevocationClass: Immediate = "immediate", Propagation = "propagation", Ttl = "ttl", Expiry = "expiry");
words!(Carrier: Cookie = "cookie", Bearer = "bearer");
words!(StoreKind: None = "none", Memory = "memory", Redis = "redis");
words!(StoreDown: NotNeeded = "not-needed", FailClosed = "fail-closed");
words!(Touch: Never = "never", Throttled = "throttled", Always = "always");

/// A word that is none of those asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is unknown; there are: {known}")]
pub struct UnknownWord {
    word: String,
    known: String,
}

/// A row of the table of schemes.
#[derive(Debug)]
struct Row {
    id: &'static str,
    binary: &'static str,
    store: StoreKind,
    revocation_class: Option<RevocationClass>,
    summary: &'static str,
}

const IMMEDIATE: Option<RevocationClass> = Some(RevocationClass::Immediate);
const EXPIRY: Option<RevocationClass> = Some(RevocationClass::Expiry);

/// Every scheme, the control first. This is the one registration a new scheme needs here.
static TABLE: &[Row] = &[
    row("anonymous", "anonymous-server", StoreKind::None, None, "no authentication: the control"),
    row("session-memory", "session-server", StoreKind::Memory, IMMEDIATE, "random id; in-process map"),
    row(
        "session-redis",
        "session-server",
        StoreKind::Redis,
        IMMEDIATE,
        "random id; Redis over one multiplexed connection",
    ),
    row(
        "session-redis-pool",
        "session-server",
        StoreKind::Redis,
        IMMEDIATE,
        "random id; Redis over a deadpool-redis pool",
    ),
    row("jwt-hs256", "jwt-server", StoreKind::None, EXPIRY, "HMAC with SHA-256"),
    row("jwt-eddsa", "jwt-server", StoreKind::None, EXPIRY, "Ed25519 signature"),
    row("jwt-es256", "jwt-server", StoreKind::None, EXPIRY, "ECDSA signature over P-256"),
    row("jwt-rs256", "jwt-server", StoreKind::None, EXPIRY, "RSA PKCS #1 v1.5 signature, 2048 bits"),
];

const fn row(
    id: &'static str,
    binary: &'static str,
    store: StoreKind,
    revocation_class: Option<RevocationClass>,
    summary: &'static str,
) -> Row {
    Row { id, binary, store, revocation_class, summary }
}

/// One way to authenticate that the reference servers know: a row of the table of schemes.
#[derive(Clone, Copy)]
pub struct Scheme(&'static Row);

impl Scheme {
    /// The control: the same server with authentication that does nothing.
    pub const CONTROL: Self = Self(&TABLE[0]);

    /// Every scheme in the table's order, the control first.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// The schemes that this server binary offers; the first is its plainest.
    pub fn of_binary(binary: &str) -> impl Iterator<Item = Self> {
        Self::all().filter(move |scheme| scheme.binary() == binary)
    }

    /// The stable id, such as `session-redis`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.0.id
    }

    /// The server that offers the scheme, such as `session-server`.
    #[must_use]
    pub const fn binary(self) -> &'static str {
        self.0.binary
    }

    /// What keeps its state.
    #[must_use]
    pub const fn store(self) -> StoreKind {
        self.0.store
    }

    /// How long a revoked credential may still be accepted; none for the control.
    #[must_use]
    pub const fn revocation_class(self) -> Option<RevocationClass> {
        self.0.revocation_class
    }

    /// The scheme in a few words.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        self.0.summary
    }

    /// Whether this is the control.
    #[must_use]
    pub fn is_control(self) -> bool {
        self == Self::CONTROL
    }
}

impl PartialEq for Scheme {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Scheme {}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for Scheme {
    type Err = UnknownWord;

    fn from_str(id: &str) -> Result<Self, UnknownWord> {
        Self::all().find(|scheme| scheme.id() == id).ok_or_else(|| UnknownWord {
            word: id.to_owned(),
            known: Self::all().map(Self::id).collect::<Vec<_>>().join(", "),
        })
    }
}

/// What a server says of itself at `/bench/scheme`. A foreign server may name a scheme that the
/// table does not have, so the id is free text here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, JsonSchema)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_back_and_are_unique() {
        let ids: Vec<_> = Scheme::all().map(Scheme::id).collect();
        for id in &ids {
            assert_eq!(id.parse::<Scheme>().unwrap().id(), *id);
        }
        assert_eq!(ids.len(), ids.iter().collect::<std::collections::BTreeSet<_>>().len());
        assert!(Scheme::CONTROL.is_control());
    }

    #[test]
    fn an_unknown_scheme_lists_the_known_ones() {
        let message = "jwt-none".parse::<Scheme>().unwrap_err().to_string();
        assert!(message.contains("\"jwt-none\" is unknown"), "{message}");
        assert!(message.contains("session-redis-pool"), "{message}");
    }

    #[test]
    fn words_on_the_wire_are_the_words_of_the_command_line() {
        for touch in [Touch::Never, Touch::Throttled, Touch::Always] {
            assert_eq!(serde_json::to_string(&touch).unwrap(), format!("\"{touch}\""));
            assert_eq!(touch.to_string().parse(), Ok(touch));
        }
        assert_eq!(serde_json::to_string(&StoreDown::FailClosed).unwrap(), "\"fail-closed\"");
    }
}
