//! What a scheme has to be able to do: the seam between the chassis and the auth modules.

use std::future::Future;

use contract::body::Identity;
use contract::{Scheme, StoreDown, Touch};

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

    /// A new credential for a good old one, which the scheme ends where it can. The absolute
    /// limit that began at login is kept.
    fn renew(
        &self,
        credential: Option<&str>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<(Identity, Issued), AuthError>> + Send;

    /// Ends this credential, as far as the scheme's revocation class goes.
    fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Ends every credential of the user who presents this one, as far as the class goes.
    fn revoke_all(
        &self,
        credential: Option<&str>,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Whether everything that `verify` needs can be reached.
    fn ready(&self) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// The public keys as a JWK set (RFC 7517); none where the scheme has none.
    fn jwks(&self) -> Option<serde_json::Value> {
        None
    }
}

/// The part of the scheme descriptor that the scheme itself knows.
#[derive(Clone, Debug)]
pub struct Description {
    /// Which scheme.
    pub scheme: Scheme,
    /// The bound in seconds within which a revoked credential may still be accepted; none for the control.
    pub revocation_window_s: Option<u64>,
    /// What happens when the store cannot be reached.
    pub store_down: StoreDown,
    /// Seconds a credential lives unless renewed; none for the control.
    pub credential_ttl_s: Option<u64>,
    /// Seconds after login at which no renewal helps; none for the control.
    pub absolute_ttl_s: Option<u64>,
    /// When the idle limit is pushed back; none where there is none.
    pub touch: Option<Touch>,
    /// Tolerated clock difference in seconds; none where no time claim is checked.
    pub leeway_s: Option<u64>,
}

/// A credential just made.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The credential; none for the control.
    pub credential: Option<String>,
    /// Seconds until it ends unless renewed.
    pub expires_in: u64,
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
    /// A fault of the server's own.
    #[error("internal fault: {0}")]
    Internal(String),
}
