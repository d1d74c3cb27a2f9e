//! A scheme behind a dynamic call.

use contract::body::Identity;
use futures_util::future::BoxFuture;

use super::{AuthError, Authenticator, Issued, Presented, UnixSeconds};

/// What [`Authenticator`] does, as a trait object.
///
/// Only `GET /me` is measured request by request, and calls its scheme directly. All other routes go through this trait, so
/// that they are compiled once and not once per server.
pub(crate) trait DynAuthenticator: Send + Sync {
    fn issue<'a>(&'a self, identity: &'a Identity, now: UnixSeconds) -> BoxFuture<'a, Result<Issued, AuthError>>;
    fn verify<'a>(
        &'a self,
        credential: Option<&'a str>,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<Identity, AuthError>>;
    fn verify_current<'a>(
        &'a self,
        credential: Option<&'a str>,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<Identity, AuthError>>;
    fn renew<'a>(
        &'a self,
        credential: Option<&'a str>,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<(Identity, Issued), AuthError>>;
    fn revoke<'a>(&'a self, credential: Option<&'a str>, now: UnixSeconds) -> BoxFuture<'a, Result<(), AuthError>>;
    fn log_out<'a>(&'a self, presented: Presented<'a>, now: UnixSeconds) -> BoxFuture<'a, Result<(), AuthError>>;
    fn user_of<'a>(&'a self, presented: Presented<'a>, now: UnixSeconds) -> BoxFuture<'a, Result<u32, AuthError>>;
    fn revoke_user(&self, user: u32, now: UnixSeconds) -> BoxFuture<'_, Result<(), AuthError>>;
    fn ready(&self) -> BoxFuture<'_, Result<(), AuthError>>;
    fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value>;
    fn rotate(&self, now: UnixSeconds) -> BoxFuture<'_, Result<bool, AuthError>>;
    fn downstream_token<'a>(
        &'a self,
        credential: &'a str,
        identity: &'a Identity,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<Option<String>, AuthError>>;
}

impl<A: Authenticator> DynAuthenticator for A {
    fn issue<'a>(&'a self, identity: &'a Identity, now: UnixSeconds) -> BoxFuture<'a, Result<Issued, AuthError>> {
        Box::pin(Authenticator::issue(self, identity, now))
    }

    fn verify<'a>(
        &'a self,
        credential: Option<&'a str>,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(Authenticator::verify(self, credential, now))
    }

    fn verify_current<'a>(
        &'a self,
        credential: Option<&'a str>,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(Authenticator::verify_current(self, credential, now))
    }

    fn renew<'a>(
        &'a self,
        credential: Option<&'a str>,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<(Identity, Issued), AuthError>> {
        Box::pin(Authenticator::renew(self, credential, now))
    }

    fn revoke<'a>(&'a self, credential: Option<&'a str>, now: UnixSeconds) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(Authenticator::revoke(self, credential, now))
    }

    fn log_out<'a>(&'a self, presented: Presented<'a>, now: UnixSeconds) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(Authenticator::log_out(self, presented, now))
    }

    fn user_of<'a>(&'a self, presented: Presented<'a>, now: UnixSeconds) -> BoxFuture<'a, Result<u32, AuthError>> {
        Box::pin(Authenticator::user_of(self, presented, now))
    }

    fn revoke_user(&self, user: u32, now: UnixSeconds) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(Authenticator::revoke_user(self, user, now))
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(Authenticator::ready(self))
    }

    fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        Authenticator::jwks(self, now)
    }

    fn rotate(&self, now: UnixSeconds) -> BoxFuture<'_, Result<bool, AuthError>> {
        Box::pin(Authenticator::rotate(self, now))
    }

    fn downstream_token<'a>(
        &'a self,
        credential: &'a str,
        identity: &'a Identity,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<Option<String>, AuthError>> {
        Box::pin(Authenticator::downstream_token(self, credential, identity, now))
    }
}
