//! The table of schemes.

use super::{Algorithm, EarlyRevocation, Kind, LogoutScope, RevocationClass, SessionBackend, StoreDown, StoreKind};

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) kind: Kind,
    pub(super) binary: &'static str,
    pub(super) store: StoreKind,
    pub(super) store_down: StoreDown,
    pub(super) revocation_class: Option<RevocationClass>,
    pub(super) logout: Option<LogoutScope>,
    pub(super) summary: &'static str,
}

/// Sessions in Redis, which most rows vary.
const SESSION: Row = Row {
    id: "session-redis",
    kind: Kind::Session(SessionBackend::Redis),
    binary: "session-server",
    store: StoreKind::Redis,
    store_down: StoreDown::FailClosed,
    revocation_class: Some(RevocationClass::Immediate),
    logout: Some(LogoutScope::Credential),
    summary: "random id; Redis over one multiplexed connection",
};

/// A signature and nothing else.
const SIGNED: Row = Row {
    id: "jwt-hs256",
    kind: Kind::Token { algorithm: Algorithm::Hs256, early_revocation: EarlyRevocation::Nothing },
    binary: "jwt-server",
    store: StoreKind::None,
    store_down: StoreDown::NotNeeded,
    revocation_class: Some(RevocationClass::Expiry),
    logout: Some(LogoutScope::Nothing),
    summary: "HMAC with SHA-256",
};

/// The rows of one signature algorithm: the signature alone, and what can be done to end a token early.
macro_rules! signed {
    ($alg:literal, $algorithm:expr, $summary:literal) => {
        [
            Row {
                id: concat!("jwt-", $alg),
                kind: Kind::Token { algorithm: $algorithm, early_revocation: EarlyRevocation::Nothing },
                summary: $summary,
                ..SIGNED
            },
            Row {
                id: concat!("jwt-", $alg, "-refresh"),
                kind: Kind::Token { algorithm: $algorithm, early_revocation: EarlyRevocation::Refresh },
                store: StoreKind::Redis,
                store_down: StoreDown::VerifyOnly,
                revocation_class: Some(RevocationClass::Ttl),
                logout: Some(LogoutScope::Credential),
                summary: concat!($summary, "; short-lived, with a rotating refresh token"),
                ..SIGNED
            },
            Row {
                id: concat!("jwt-", $alg, "-denylist"),
                kind: Kind::Token { algorithm: $algorithm, early_revocation: EarlyRevocation::Denylist },
                store: StoreKind::Redis,
                store_down: StoreDown::FailClosed,
                revocation_class: Some(RevocationClass::Immediate),
                logout: Some(LogoutScope::Credential),
                summary: concat!($summary, "; and a Redis look-up for its revocation"),
                ..SIGNED
            },
            Row {
                id: concat!("jwt-", $alg, "-push"),
                kind: Kind::Token { algorithm: $algorithm, early_revocation: EarlyRevocation::Push },
                store: StoreKind::Redis,
                store_down: StoreDown::ServeCached,
                revocation_class: Some(RevocationClass::Propagation),
                logout: Some(LogoutScope::Credential),
                summary: concat!($summary, "; and a denylist pushed by Redis"),
                ..SIGNED
            },
            Row {
                id: concat!("jwt-", $alg, "-epoch"),
                kind: Kind::Token { algorithm: $algorithm, early_revocation: EarlyRevocation::Epoch },
                store: StoreKind::Redis,
                store_down: StoreDown::ServeCached,
                revocation_class: Some(RevocationClass::Ttl),
                logout: Some(LogoutScope::User),
                summary: concat!($summary, "; and the user's epoch, looked up in Redis and cached"),
                ..SIGNED
            },
        ]
    };
}

static CONTROL: [Row; 1] = [Row {
    id: "anonymous",
    kind: Kind::Anonymous,
    binary: "anonymous-server",
    revocation_class: None,
    logout: None,
    summary: "no authentication: the control",
    ..SIGNED
}];

static SESSIONS: [Row; 7] = [
    Row {
        id: "session-memory",
        kind: Kind::Session(SessionBackend::Memory),
        store: StoreKind::Memory,
        store_down: StoreDown::NotNeeded,
        summary: "random id; in-process map",
        ..SESSION
    },
    SESSION,
    Row {
        id: "session-redis-pool",
        kind: Kind::Session(SessionBackend::RedisPool),
        summary: "random id; Redis over a deadpool-redis pool",
        ..SESSION
    },
    Row {
        id: "session-redis-cached",
        kind: Kind::Session(SessionBackend::RedisCached),
        revocation_class: Some(RevocationClass::Propagation),
        store_down: StoreDown::ServeCached,
        summary: "random id; Redis with a local cache that Redis invalidates",
        ..SESSION
    },
    Row {
        id: "session-redis-cluster",
        kind: Kind::Session(SessionBackend::RedisCluster),
        store: StoreKind::RedisCluster,
        summary: "random id; a Redis Cluster",
        ..SESSION
    },
    Row {
        id: "session-postgres",
        kind: Kind::Session(SessionBackend::Postgres),
        store: StoreKind::Postgres,
        summary: "random id; one primary-key select in PostgreSQL",
        ..SESSION
    },
    Row {
        id: "cookie-sealed",
        kind: Kind::Sealed,
        store: StoreKind::None,
        store_down: StoreDown::NotNeeded,
        revocation_class: Some(RevocationClass::Expiry),
        logout: Some(LogoutScope::Nothing),
        summary: "the encrypted session itself in the credential; no store",
        ..SESSION
    },
];

static HS256: [Row; 5] = signed!("hs256", Algorithm::Hs256, "HMAC with SHA-256");
static EDDSA: [Row; 5] = signed!("eddsa", Algorithm::EdDsa, "Ed25519 signature");
static ES256: [Row; 5] = signed!("es256", Algorithm::Es256, "ECDSA signature over P-256");
static RS256: [Row; 5] = signed!("rs256", Algorithm::Rs256, "RSA PKCS #1 v1.5 signature, 2048 bits");

static HYBRID: [Row; 1] = [Row {
    id: "hybrid",
    kind: Kind::Hybrid,
    binary: "edge-server",
    summary: "a session in Redis at the edge, a short-lived JWT for the servers behind it",
    ..SESSION
}];

/// Every scheme, the control first. This is the one registration that a new scheme needs here.
pub(super) static TABLE: [&[Row]; 7] = [&CONTROL, &SESSIONS, &HS256, &EDDSA, &ES256, &RS256, &HYBRID];

/// The control's row.
pub(super) const fn control() -> &'static Row {
    &CONTROL[0]
}
