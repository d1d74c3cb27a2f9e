//! One look-up a request: `MGET` of the token's mark, the user's epoch and the floor.

use chassis::auth::{AuthError, UnixSeconds};

use super::{Ledger, REVOKED, Revocation};
use crate::claims::Bearer;

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

    async fn admit(&self, bearer: &Bearer) -> Result<(), AuthError> {
        let admitted = self.0.admits(bearer.id, bearer.identity.id, bearer.epoch).await?;
        if admitted { Ok(()) } else { Err(REVOKED) }
    }

    async fn deny(&self, bearer: &Bearer, now: UnixSeconds) -> Result<bool, AuthError> {
        Ok(self.0.deny(bearer.id, self.0.life_s(bearer.exp, now)).await?)
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
