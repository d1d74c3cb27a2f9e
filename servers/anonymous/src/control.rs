//! The control: every request comes from the same user, and nothing is looked at.

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use chassis::module::{AuthModule, NoOptions, Start, StartError};
use contract::body::Identity;
use contract::{Scheme, StoreDown};

/// An ordinary user, so that the answers are as long as those of other schemes.
const USER: u32 = 1;

/// The auth module of `anonymous-server`.
pub(crate) struct Module;

impl AuthModule for Module {
    const BINARY: &'static str = "anonymous-server";
    type Options = NoOptions;
    type Authenticator = Control;

    async fn build(start: &Start, _: NoOptions) -> Result<Control, StartError> {
        Ok(Control { identity: Identity::seeded(USER, start.roles) })
    }
}

/// Takes everybody for the same user.
pub(crate) struct Control {
    identity: Identity,
}

impl Authenticator for Control {
    fn describe(&self) -> Description {
        Description {
            scheme: Scheme::CONTROL,
            revocation_window_s: None,
            store_down: StoreDown::NotNeeded,
            credential_ttl_s: None,
            absolute_ttl_s: None,
            touch: None,
            leeway_s: None,
        }
    }

    async fn issue(&self, _: &Identity, _: UnixSeconds) -> Result<Issued, AuthError> {
        Ok(Issued { credential: None, expires_in: 0 })
    }

    async fn verify(&self, _: Option<&str>, _: UnixSeconds) -> Result<Identity, AuthError> {
        Ok(self.identity.clone())
    }

    async fn renew(&self, _: Option<&str>, _: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        Ok((self.identity.clone(), Issued { credential: None, expires_in: 0 }))
    }

    async fn revoke(&self, _: Option<&str>, _: UnixSeconds) -> Result<(), AuthError> {
        Ok(())
    }

    async fn revoke_all(&self, _: Option<&str>, _: UnixSeconds) -> Result<(), AuthError> {
        Ok(())
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }
}
