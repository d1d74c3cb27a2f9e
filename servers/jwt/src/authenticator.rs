//! Tokens that are renewed themselves: valid as long as their signature and a revocation check accept them.

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use contract::Scheme;
use contract::body::Identity;

use crate::claims::{Grant, VerifiedToken};
use crate::issuer::Issuer;
use crate::revocation::Revocation;

/// Tokens of an issuer, each accepted until it expires or a [`Revocation`] revokes it.
pub(crate) struct Tokens<R> {
    scheme: Scheme,
    issuer: Issuer,
    revocation: R,
}

impl<R: Revocation> Tokens<R> {
    pub(crate) const fn new(scheme: Scheme, issuer: Issuer, revocation: R) -> Self {
        Self { scheme, issuer, revocation }
    }

    /// Returns the user of an accepted token.
    async fn verify_unrevoked(&self, token: Option<&str>, now: UnixSeconds) -> Result<VerifiedToken, AuthError> {
        let token = self.issuer.verify(token, now).await?;
        self.revocation.check(&token).await?;
        Ok(token)
    }

    fn sign(
        &self,
        identity: &Identity,
        auth_time: UnixSeconds,
        epoch: u64,
        now: UnixSeconds,
    ) -> Result<Issued, AuthError> {
        let ends_at = self.issuer.policy().absolute_expiry(auth_time);
        self.issuer.sign(identity, &Grant { auth_time, ends_at, epoch, sid: None }, now)
    }
}

/// The result for the loser of two concurrent renewals.
const ALREADY_REVOKED: AuthError = AuthError::Invalid("revoked meanwhile");

impl<R: Revocation> Authenticator for Tokens<R> {
    fn describe(&self) -> Description {
        let policy = self.issuer.policy();
        Description {
            revocation_window_s: Some(self.revocation.window_s()),
            credential_ttl_s: Some(policy.ttl_s),
            absolute_ttl_s: Some(policy.absolute_ttl_s),
            leeway_s: Some(policy.leeway_s),
            ..Description::of(self.scheme)
        }
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        let epoch = self.revocation.epoch(identity.id).await?;
        self.sign(identity, now, epoch, now)
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.verify_unrevoked(credential, now).await.map(|token| token.identity)
    }

    async fn verify_current(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        let token = self.issuer.verify(credential, now).await?;
        self.revocation.check_current(&token).await?;
        Ok(token.identity)
    }

    /// The new token has the epoch of the old one, so that a revocation of the user between the check of
    /// the old token and the signature revokes the new one, too.
    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        let token = self.verify_unrevoked(credential, now).await?;
        let identity = self.revocation.current_user(&token).await?;
        if !self.revocation.consume(&token, now).await? {
            return Err(ALREADY_REVOKED);
        }
        let issued = self.sign(&identity, token.auth_time, token.epoch, now)?;
        Ok((identity, issued))
    }

    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        let token = self.verify_unrevoked(credential, now).await?;
        if self.revocation.deny(&token, now).await? { Ok(()) } else { Err(ALREADY_REVOKED) }
    }

    async fn revoke_user(&self, user: u32, _: UnixSeconds) -> Result<(), AuthError> {
        self.revocation.deny_user(user).await
    }

    async fn ready(&self) -> Result<(), AuthError> {
        self.revocation.ready().await
    }

    fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        self.issuer.jwks(now)
    }

    async fn rotate(&self, now: UnixSeconds) -> Result<bool, AuthError> {
        self.issuer.rotate(now).await.map(|()| true)
    }
}
