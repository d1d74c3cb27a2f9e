//! One look-up a request: `MGET` of the token's mark, the user's epoch and the floor.

use chassis::auth::{AuthError, UnixSeconds};

use super::{Ledger, REVOKED, Revocation};
use crate::claims::VerifiedToken;

/// The scheme whose revocations take effect at once, everywhere.
pub(crate) struct Denylist(Ledger);

impl Denylist {
    pub(crate) const fn new(ledger: Ledger) -> Self {
        Self(ledger)
    }
}

impl Revocation for Denylist {
    async fn epoch(&self, _: u32) -> Result<u64, AuthError> {
        Ok(self.0.tick().await?)
    }

    async fn check(&self, token: &VerifiedToken) -> Result<(), AuthError> {
        let accepted = self.0.accepts(token.id, token.identity.id, token.epoch).await?;
        if accepted { Ok(()) } else { Err(REVOKED) }
    }

    async fn deny(&self, token: &VerifiedToken, now: UnixSeconds) -> Result<bool, AuthError> {
        Ok(self.0.deny(token.id, self.0.denial_ttl_s(token.exp, now)).await?)
    }

    async fn deny_user(&self, user: u32) -> Result<(), AuthError> {
        self.0.deny_user(user).await?;
        Ok(())
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(self.0.probe().await?)
    }

    fn window_s(&self) -> u64 {
        0
    }
}
