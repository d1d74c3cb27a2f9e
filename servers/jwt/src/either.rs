//! The schemes as one type, so that one can be chosen at start without a dynamic call in every request.

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use contract::body::Identity;

use crate::authenticator::Tokens;
use crate::refresh::Refreshing;
use crate::revocation::{Denylist, Epochs, Push, SignatureOnly};

/// The scheme of a server.
pub struct AnyTokens(Which);

enum Which {
    /// `jwt-<alg>`
    Signature(Tokens<SignatureOnly>),
    /// `jwt-<alg>-refresh`
    Refreshing(Refreshing),
    /// `jwt-<alg>-denylist`
    Denylist(Tokens<Denylist>),
    /// `jwt-<alg>-push`
    Push(Tokens<Push>),
    /// `jwt-<alg>-epoch`
    Epochs(Tokens<Epochs>),
}

macro_rules! from {
    ($($variant:ident($tokens:ty)),+) => {
        $(
            impl From<$tokens> for AnyTokens {
                fn from(tokens: $tokens) -> Self {
                    Self(Which::$variant(tokens))
                }
            }
        )+
    };
}

from!(
    Signature(Tokens<SignatureOnly>),
    Refreshing(Refreshing),
    Denylist(Tokens<Denylist>),
    Push(Tokens<Push>),
    Epochs(Tokens<Epochs>)
);

macro_rules! whichever {
    ($any:ident.$method:ident($($argument:ident),*)) => {
        whichever!($any, tokens => tokens.$method($($argument),*))
    };
    ($any:ident.$method:ident($($argument:ident),*).await) => {
        whichever!($any, tokens => tokens.$method($($argument),*).await)
    };
    ($any:ident, $tokens:ident => $does:expr) => {
        match &$any.0 {
            Which::Signature($tokens) => $does,
            Which::Refreshing($tokens) => $does,
            Which::Denylist($tokens) => $does,
            Which::Push($tokens) => $does,
            Which::Epochs($tokens) => $does,
        }
    };
}

impl Authenticator for AnyTokens {
    fn describe(&self) -> Description {
        whichever!(self.describe())
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        whichever!(self.issue(identity, now).await)
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        whichever!(self.verify(credential, now).await)
    }

    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        whichever!(self.renew(credential, now).await)
    }

    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        whichever!(self.revoke(credential, now).await)
    }

    async fn revoke_user(&self, user: u32, now: UnixSeconds) -> Result<(), AuthError> {
        whichever!(self.revoke_user(user, now).await)
    }

    async fn ready(&self) -> Result<(), AuthError> {
        whichever!(self.ready().await)
    }

    fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        whichever!(self.jwks(now))
    }

    async fn rotate(&self, now: UnixSeconds) -> Result<bool, AuthError> {
        whichever!(self.rotate(now).await)
    }
}
