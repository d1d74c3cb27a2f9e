//! The control: every request comes from the same user, and nothing is looked at.

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use chassis::module::{AuthModule, Built, ModuleSettings, NoOptions, StartError};
use contract::Scheme;
use contract::body::Identity;

/// An ordinary user, so that the responses are as long as those of other schemes.
const USER: u32 = 1;

/// The credential of a user of the control.
const NOTHING: Issued = Issued { credential: None, refresh_token: None, expires_in: 0 };

/// The auth module of `anonymous-server`.
#[derive(Clone, Copy, Debug)]
pub struct Anonymous;

impl AuthModule for Anonymous {
    const BINARY: &'static str = "anonymous-server";
    type Options = NoOptions;
    type Authenticator = Control;

    async fn build(start: &ModuleSettings, _: NoOptions) -> Result<Built<Control>, StartError> {
        Ok(Built::with_memory_directory(Control { identity: Identity::seeded(USER, start.roles) }))
    }
}

/// Returns the same user for every request.
#[derive(Debug)]
pub struct Control {
    identity: Identity,
}

impl Authenticator for Control {
    fn describe(&self) -> Description {
        Description::of(Scheme::CONTROL)
    }

    async fn issue(&self, _: &Identity, _: UnixSeconds) -> Result<Issued, AuthError> {
        Ok(NOTHING)
    }

    async fn verify(&self, _: Option<&str>, _: UnixSeconds) -> Result<Identity, AuthError> {
        Ok(self.identity.clone())
    }

    async fn renew(&self, _: Option<&str>, _: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        Ok((self.identity.clone(), NOTHING))
    }

    async fn revoke(&self, _: Option<&str>, _: UnixSeconds) -> Result<(), AuthError> {
        Ok(())
    }

    async fn revoke_user(&self, _: u32, _: UnixSeconds) -> Result<(), AuthError> {
        Ok(())
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }
}
