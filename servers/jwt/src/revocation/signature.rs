//! Only the signature is checked: an issued token is valid until it expires. A disabled or changed user cannot
//! renew, which is the minimum that every application can do without a look-up per request.

use std::sync::Arc;

use chassis::auth::{AuthError, UnixSeconds};
use chassis::directory::{Change, Directory, UserState};
use contract::body::Identity;

use super::{REVOKED, Revocation};
use crate::claims::VerifiedToken;

/// The scheme without a store. The claim `epoch` counts the changes of the user.
pub(crate) struct SignatureOnly {
    directory: Arc<dyn Directory>,
    window_s: u64,
}

impl SignatureOnly {
    /// Creates it, with tokens that are accepted for `window_s` seconds in any case.
    pub(crate) const fn new(directory: Arc<dyn Directory>, window_s: u64) -> Self {
        Self { directory, window_s }
    }

    /// Returns the directory's entry of this user, if the user is enabled and has not changed since the token's epoch.
    async fn require_unchanged(&self, token: &VerifiedToken) -> Result<UserState, AuthError> {
        let state = self.directory.user_state(token.identity.id).await?;
        let changed = state.disabled || state.epoch != token.epoch;
        if changed { Err(REVOKED) } else { Ok(state) }
    }
}

impl Revocation for SignatureOnly {
    async fn epoch(&self, user: u32) -> Result<u64, AuthError> {
        Ok(self.directory.user_state(user).await?.epoch)
    }

    async fn check(&self, _: &VerifiedToken) -> Result<(), AuthError> {
        Ok(())
    }

    async fn check_current(&self, token: &VerifiedToken) -> Result<(), AuthError> {
        self.require_unchanged(token).await.map(|_| ())
    }

    async fn current_user(&self, token: &VerifiedToken) -> Result<Identity, AuthError> {
        Ok(self.require_unchanged(token).await?.applied_to(token.identity.clone()))
    }

    /// Revokes nothing: the client deletes its token, and a copy stays valid until it expires.
    async fn deny(&self, _: &VerifiedToken, _: UnixSeconds) -> Result<bool, AuthError> {
        Ok(true)
    }

    /// Ends renewals.
    async fn deny_user(&self, user: u32) -> Result<(), AuthError> {
        self.directory.change(user, Change::default()).await
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }

    fn window_s(&self) -> u64 {
        self.window_s
    }
}
