//! What a scheme has to be able to do: the seam between the chassis and the auth modules.

use std::future::Future;

use contract::body::Identity;
use contract::{Scheme, Touch};

/// The instant of a request in whole seconds since the Unix epoch.
pub type UnixSeconds = u64;

/// One scheme at work. Every server has exactly one implementation; what differs between two
/// servers differs here and nowhere else.
///
/// All methods take the credential as text, without its carrier: the chassis has taken it out of
/// the cookie or the header, refused a request with two, and asks for one where `verify` must
/// have one.
pub trait Authenticator: Send + Sync + 'static {
    /// The facts for `/bench/scheme` that only the scheme knows.
    fn describe(&self) -> Description;

    /// A new credential for somebody who has proved who he is, at `now`.
    fn issue(&self, identity: &Identity, now: UnixSeconds) -> impl Future<Output = Result<Issued, AuthError>> + Send;

    /// Who presents this credential at `now`. `None` means that the request had no credential,
    /// which every scheme but the control answers with [`AuthError::Missing`].
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

    /// A new credential for a good old one, or for a good refresh token where the scheme has these, which the
    /// scheme ends where it can. The absolute limit that began at login is kept.
    fn renew(
        &self,
        credential: Option<&str>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<(Identity, Issued), AuthError>> + Send;

    /// Ends this credential, as far as the scheme's revocation class goes.
    fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Ends the login of the credential or of the refresh token, as [`revoke`](Self::revoke) does.
    ///
    /// A refresh token is presented only where the scheme has these, and its form is enough: that its login has ended,
    /// or never was, is no error, and the response does not reveal which (RFC 7009 section 2.2).
    fn log_out(
        &self,
        presented: Presented<'_>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<(), AuthError>> + Send {
        self.revoke(presented.credential, now)
    }

    /// Returns the user who presents the credential, or the refresh token where the credential is not good.
    ///
    /// A refresh token that was used before identifies no user, and ends its login as it does at a renewal.
    fn user_of(
        &self,
        presented: Presented<'_>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<u32, AuthError>> + Send {
        async move { self.verify(presented.credential, now).await.map(|identity| identity.id) }
    }

    /// Ends every credential of this user, as far as the class goes: he logs out everywhere, has a new password,
    /// was disabled or has other roles.
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

    /// The token for the server behind this one, to be sent as `bearer`, once `verify` has taken this credential
    /// for this user's; none where the credential itself goes on.
    fn inward(
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
    /// Whether `renew` takes a refresh token instead of the credential.
    pub refresh_token: bool,
    /// Seconds that what `inward` gives is good for; none where it gives nothing.
    pub inner_window_s: Option<u64>,
}

impl Description {
    /// Of a scheme that has nothing to say of itself.
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
    /// The credential, good or not.
    pub credential: Option<&'a str>,
    /// The refresh token, good or not; none where the scheme has none.
    pub refresh_token: Option<&'a str>,
}

/// A credential just made.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The credential; none for the control.
    pub credential: Option<String>,
    /// What `renew` takes in its place, where the scheme has refresh tokens.
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

/// Why a credential was not taken. The reasons inside are for the log at debug level and for
/// tests; the answer on the wire does not give them away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is none.
    #[error("no credential")]
    Missing,
    /// It is not, or no longer, good.
    #[error("invalid credential: {0}")]
    Invalid(&'static str),
    /// The store could not say.
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
