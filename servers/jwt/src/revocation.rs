//! Checks in addition to the signature, and what can revoke a token early.
//!
//! [`SignatureOnly`] uses only the directory of users, at renewals. The others store their state
//! in a [`Ledger`], which is Redis: [`Denylist`] queries it at every request, [`Push`] receives its pushes, and [`Epochs`]
//! caches its responses for a while.

mod denylist;
mod epoch;
mod ledger;
mod push;
mod signature;

use std::future::Future;

use chassis::auth::{AuthError, UnixSeconds};
use contract::body::Identity;

use crate::claims::VerifiedToken;

pub(crate) use denylist::Denylist;
pub(crate) use epoch::Epochs;
pub(crate) use ledger::Ledger;
pub(crate) use push::Push;
pub(crate) use signature::SignatureOnly;

/// A revoked token, whatever revoked it.
const REVOKED: AuthError = AuthError::Invalid("revoked");

/// The ways to revoke a token early. Every [`VerifiedToken`] here has a token with a valid signature that has not expired.
pub(crate) trait Revocation: Send + Sync + 'static {
    /// Returns the claim `epoch` of a token that is issued to this user now; 0 for none.
    fn epoch(&self, user: u32) -> impl Future<Output = Result<u64, AuthError>> + Send;

    /// Returns whether this token is still accepted.
    fn check(&self, token: &VerifiedToken) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Returns whether this token is still accepted according to the current state: without caches and without a window.
    fn check_current(&self, token: &VerifiedToken) -> impl Future<Output = Result<(), AuthError>> + Send {
        self.check(token)
    }

    /// Returns the user of a renewal of this accepted token, in the current state.
    fn current_user(&self, token: &VerifiedToken) -> impl Future<Output = Result<Identity, AuthError>> + Send {
        std::future::ready(Ok(token.identity.clone()))
    }

    /// Uses this token up for its renewal. Of several calls at once one does; false means that another has.
    fn consume(&self, token: &VerifiedToken, now: UnixSeconds) -> impl Future<Output = Result<bool, AuthError>> + Send {
        self.deny(token, now)
    }

    /// Ends this token, as its user's logout does. False means that it was ended before.
    fn deny(&self, token: &VerifiedToken, now: UnixSeconds) -> impl Future<Output = Result<bool, AuthError>> + Send;

    /// Ends every token of this user that was issued until now, and all that will be renewed from these.
    fn deny_user(&self, user: u32) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Whether what `check` needs can be reached, and a revocation can be stored.
    fn ready(&self) -> impl Future<Output = Result<(), AuthError>> + Send;

    /// Seconds for which a revoked token may still be accepted.
    fn window_s(&self) -> u64;
}
