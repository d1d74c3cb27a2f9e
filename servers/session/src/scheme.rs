//! The schemes of this server as one type, so that one can be chosen at start without a dynamic call in every
//! request.

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use contract::body::Identity;

use crate::Sessions;
use crate::sealed::Sealed;
use crate::store::AnyStore;

/// A scheme at work.
pub enum Scheme {
    /// Ids over a store.
    Stored(Sessions<AnyStore>),
    /// `cookie-sealed`
    Sealed(Sealed),
}

macro_rules! whichever {
    ($scheme:ident.$method:ident($($argument:ident),*) $($wait:tt)*) => {
        match $scheme {
            Scheme::Stored(sessions) => sessions.$method($($argument),*) $($wait)*,
            Scheme::Sealed(sealed) => sealed.$method($($argument),*) $($wait)*,
        }
    };
}

impl Authenticator for Scheme {
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

    async fn rotate(&self, now: UnixSeconds) -> Result<bool, AuthError> {
        whichever!(self.rotate(now).await)
    }
}
