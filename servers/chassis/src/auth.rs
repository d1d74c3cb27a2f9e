//! What a scheme has to be able to do: the seam between the chassis and the auth modules.

mod dynamic;

use std::future::Future;

use contract::body::Identity;
use contract::{Scheme, Touch};

pub(crate) use dynamic::DynAuthenticator;

/// The instant of a request in whole seconds since the Unix epoch.
pub type UnixSeconds = u64;

/// An active scheme. Every server has exactly one implementation; the difference between two
/// servers is here and nowhere else.
///
/// All methods receive the credential as text, without its carrier: the chassis has extracted it from
/// the cookie or the header, rejected a request with two, and requires one where `verify` must
/// have one.
pub trait Authenticator: Send + Sync + 'static {
    /// The facts for `/bench/scheme` that only the scheme knows.
    fn describe(&self) -> Description;

    /// Returns a new credential for a user who is authenticated, at `now`.
    fn issue(&self, identity: &Identity, now: UnixSeconds) -> impl Future<Output = Result<Issued, AuthError>> + Send;

    /// Returns the user of this credential at `now`. `None` means that the request had no credential,
    /// which every scheme but the control rejects with [`AuthError::Missing`].
    fn verify(
        &self,
        credential: Option<&str>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<Identity, AuthError>> + Send;

    /// Verifies the credential as [`verify`](Self::verify) does, but without the scheme's revocation window.
    ///
    /// A revocation that `verify` may overlook for a while, because this node caches, has not received it yet, or
    /// because nothing ends a credential early, is respected here at once on every node. Privileged writes use it.
    fn verify_current(
        &self,
        credential: Option<&str>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<Identity, AuthError>> + Send {
        self.verify(credential, now)
    }

    /// Returns a new credential for a valid old one, or for a valid refresh token where the scheme has these, and revokes the
    /// old one where the scheme can. The absolute timeout that began at login is kept.
    fn renew(
        &self,
        credential: Option<&str>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<(Identity, Issued), AuthError>> + Send;

    /// Revokes this credential, as far as the scheme's revocation class allows.
    fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Revokes the login of the credential or of the refresh token, as [`revoke`](Self::revoke) does.
    ///
    /// A refresh token is accepted only where the scheme has these, and it only has to be well-formed: an ended or unknown
    /// login is not an error, and the response does not reveal which (RFC 7009 section 2.2).
    fn log_out(
        &self,
        presented: Presented<'_>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<(), AuthError>> + Send {
        self.revoke(presented.credential, now)
    }

    /// Returns the user of the credential, or of the refresh token where the credential is not valid.
    ///
    /// A refresh token that was used before identifies no user, and revokes its login as at a renewal.
    fn user_of(
        &self,
        presented: Presented<'_>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<u32, AuthError>> + Send {
        async move { self.verify(presented.credential, now).await.map(|identity| identity.id) }
    }

    /// Revokes every credential of this user, as far as the class allows: after a logout-all, a password change,
    /// a lock-out or a role change.
    fn revoke_user(&self, user: u32, now: UnixSeconds) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Whether everything that `verify` needs can be reached, and the store accepts what `issue` writes.
    fn ready(&self) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// The public keys that are trusted at `now`, as a JWK set (RFC 7517); none where the scheme has none.
    fn jwks(&self, _now: UnixSeconds) -> Option<serde_json::Value> {
        None
    }

    /// Makes a new key and signs or seals with it from now on; the old one is trusted for as long as what it has
    /// signed may live. False where the scheme has no key.
    fn rotate(&self, _now: UnixSeconds) -> impl Future<Output = Result<bool, AuthError>> + Send {
        std::future::ready(Ok(false))
    }

    /// Returns the downstream token, to be sent as `bearer`, after `verify` has accepted this credential
    /// for this user; none where the credential itself is forwarded.
    fn downstream_token(
        &self,
        _credential: &str,
        _identity: &Identity,
        _now: UnixSeconds,
    ) -> impl Future<Output = Result<Option<String>, AuthError>> + Send {
        std::future::ready(Ok(None))
    }
}

/// The part of the scheme descriptor that the scheme itself knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Which scheme.
    pub scheme: Scheme,
    /// The bound in seconds within which a revoked credential may still be accepted; none for the control.
    pub revocation_window_s: Option<u64>,
    /// Seconds a credential lives unless renewed; none for the control.
    pub credential_ttl_s: Option<u64>,
    /// Seconds after login at which no renewal helps; none for the control.
    pub absolute_ttl_s: Option<u64>,
    /// When the idle limit is pushed back; none where there is none.
    pub touch: Option<Touch>,
    /// Tolerated clock difference in seconds; none where no time claim is checked.
    pub leeway_s: Option<u64>,
    /// Whether `renew` expects a refresh token instead of the credential.
    pub refresh_token: bool,
    /// Lifetime of the downstream token in seconds; none where there is none.
    pub inner_window_s: Option<u64>,
}

impl Description {
    /// Properties of a scheme without any of its own.
    #[must_use]
    pub const fn of(scheme: Scheme) -> Self {
        Self {
            scheme,
            revocation_window_s: None,
            credential_ttl_s: None,
            absolute_ttl_s: None,
            touch: None,
            leeway_s: None,
            refresh_token: false,
            inner_window_s: None,
        }
    }
}

/// What a request to log out presents.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The credential, valid or not.
    pub credential: Option<&'a str>,
    /// The refresh token, valid or not; none where the scheme has none.
    pub refresh_token: Option<&'a str>,
}

/// A credential just made.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The credential; none for the control.
    pub credential: Option<String>,
    /// What `renew` expects in its place, where the scheme has refresh tokens.
    pub refresh_token: Option<String>,
    /// Seconds until the credential ends unless renewed.
    pub expires_in: u64,
}

impl Issued {
    /// A credential that is renewed by itself.
    #[must_use]
    pub const fn new(credential: String, expires_in: u64) -> Self {
        Self { credential: Some(credential), refresh_token: None, expires_in }
    }
}

/// Why a credential was rejected. The reasons inside are for the log at debug level and for
/// tests; the response does not reveal them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is none.
    #[error("no credential")]
    Missing,
    /// It is not, or no longer, valid.
    #[error("invalid credential: {0}")]
    Invalid(&'static str),
    /// The store could not be queried.
    #[error("store unavailable: {0}")]
    StoreUnavailable(String),
    /// The store accepts no writes: it is full or read-only. Nothing was changed.
    #[error("store not writable: {0}")]
    StoreNotWritable(String),
    /// It would be larger than it may be.
    #[error("{0}")]
    TooLarge(String),
    /// A fault of the server's own.
    #[error("internal error: {0}")]
    Internal(String),
}
