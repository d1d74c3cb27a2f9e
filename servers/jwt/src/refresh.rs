//! Short-lived tokens, and a refresh token that fetches the next one: what is checked a request is the signature alone,
//! and what can be revoked is the way to the next token (RFC 6749 section 1.5).

mod families;
mod token;

use chassis::auth::{AuthError, Authenticator, Description, Issued, Presented, UnixSeconds};
use contract::Scheme;
use contract::body::Identity;

use crate::claims::Grant;
use crate::issuer::Issuer;
use token::RefreshToken;

pub(crate) use families::Families;

/// Tokens of an issuer, each from a family of refresh tokens.
pub(crate) struct Refreshing {
    scheme: Scheme,
    issuer: Issuer,
    families: Families,
}

impl Refreshing {
    pub(crate) const fn new(scheme: Scheme, issuer: Issuer, families: Families) -> Self {
        Self { scheme, issuer, families }
    }

    fn sign(
        &self,
        identity: &Identity,
        (auth_time, ends_at): (UnixSeconds, UnixSeconds),
        refresh_token: RefreshToken,
        now: UnixSeconds,
    ) -> Result<Issued, AuthError> {
        let sid = refresh_token.sid();
        let grant = Grant { auth_time, ends_at, epoch: 0, sid: Some(&sid) };
        let issued = self.issuer.sign(identity, &grant, now)?;
        Ok(Issued { refresh_token: Some(refresh_token.into_text()), ..issued })
    }
}

const NOT_A_REFRESH_TOKEN: AuthError = AuthError::Invalid("not a refresh token");
const WITHOUT_FAMILY: AuthError = AuthError::Invalid("a refresh token of no family");

impl Authenticator for Refreshing {
    fn describe(&self) -> Description {
        let policy = self.issuer.policy();
        Description {
            // The family ends at once, and the token that it gave last lives to its end.
            revocation_window_s: Some(policy.max_lifetime_s()),
            credential_ttl_s: Some(policy.ttl_s),
            absolute_ttl_s: Some(policy.absolute_ttl_s),
            leeway_s: Some(policy.leeway_s),
            refresh_token: true,
            ..Description::of(self.scheme)
        }
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        let token = RefreshToken::new_family()?;
        let ends_at = self.issuer.policy().absolute_expiry(now);
        self.families.begin(&token, identity, now, ends_at).await?;
        self.sign(identity, (now, ends_at), token, now)
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.issuer.verify(credential, now).await.map(|token| token.identity)
    }

    /// Queries whether the family of this token still exists: every change of the user revokes it.
    async fn verify_current(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        let token = self.issuer.verify(credential, now).await?;
        let sid = token.sid.as_deref().ok_or(WITHOUT_FAMILY)?;
        let exists = self.families.exists(sid).await?;
        if exists {
            Ok(token.identity)
        } else {
            Err(AuthError::Invalid("its refresh token family is revoked or has expired"))
        }
    }

    /// Takes the refresh token.
    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        let presented = RefreshToken::parse(credential.ok_or(AuthError::Missing)?).ok_or(NOT_A_REFRESH_TOKEN)?;
        let successor = presented.successor()?;
        let family = self.families.rotate(&presented, &successor, now).await?;
        let issued = self.sign(&family.identity, (family.auth_time, family.ends_at), successor, now)?;
        Ok((family.identity, issued))
    }

    /// Accepts the other token, and revokes its family. If that has ended already, nothing is left to
    /// be done.
    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        let token = self.issuer.verify(credential, now).await?;
        let sid = token.sid.ok_or(WITHOUT_FAMILY)?;
        self.families.revoke_family(&sid, token.identity.id).await
    }

    /// Ends the family of the refresh token, be this one used or not, and that of the other token.
    async fn log_out(&self, presented: Presented<'_>, now: UnixSeconds) -> Result<(), AuthError> {
        let revoked = self.revoke(presented.credential, now).await;
        let Some(text) = presented.refresh_token else { return revoked };
        match (RefreshToken::parse(text), revoked) {
            (Some(token), _) => self.families.revoke_by_sid(&token.sid()).await,
            (None, Err(AuthError::Missing)) => Err(NOT_A_REFRESH_TOKEN),
            (None, revoked) => revoked,
        }
    }

    async fn user_of(&self, presented: Presented<'_>, now: UnixSeconds) -> Result<u32, AuthError> {
        match (self.verify(presented.credential, now).await, presented.refresh_token) {
            (Ok(identity), _) => Ok(identity.id),
            (Err(error), None) => Err(error),
            (Err(_), Some(text)) => {
                let token = RefreshToken::parse(text).ok_or(NOT_A_REFRESH_TOKEN)?;
                self.families.user_of(&token, now).await
            }
        }
    }

    async fn revoke_user(&self, user: u32, _: UnixSeconds) -> Result<(), AuthError> {
        self.families.revoke_all(user).await
    }

    /// A token is checked without Redis, but logins fail.
    async fn ready(&self) -> Result<(), AuthError> {
        self.families.probe().await
    }

    fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        self.issuer.jwks(now)
    }

    async fn rotate(&self, now: UnixSeconds) -> Result<bool, AuthError> {
        self.issuer.rotate(now).await.map(|()| true)
    }
}
