//! Downstream tokens, for the servers behind this one: an edge has looked up a session, and signs its user.

use std::path::Path;

use chassis::auth::{AuthError, Issued, UnixSeconds};
use chassis::module::{ModuleSettings, StartError};
use contract::body::Identity;

use crate::claims::Grant;
use crate::issuer::Issuer;
use crate::options::read_key;
use crate::{Algorithm, JwtOptions};

/// Signs such tokens. `jwt-server` checks them like its own when it is given `--trusted-jwks`.
pub struct DownstreamIssuer(Issuer);

impl DownstreamIssuer {
    /// With the key in this file, or a fresh one, for tokens that live for `ttl_s` seconds.
    pub fn new(
        start: &ModuleSettings,
        algorithm: Algorithm,
        key: Option<&Path>,
        ttl_s: u64,
    ) -> Result<Self, StartError> {
        let options = JwtOptions::default();
        let key = match key {
            Some(file) => read_key("--inner-key-file", file, algorithm)?,
            None => options.signing_key(algorithm)?,
        };
        let start = ModuleSettings { credential_ttl_s: Some(ttl_s), ..start.clone() };
        let issuer = Self(Issuer::new(key, options.policy(&start, ttl_s)?));
        let grant = Grant { auth_time: 0, ends_at: 0, epoch: 0, sid: None };
        let largest_token = issuer.0.largest_token(&Identity::seeded(0, start.roles), &grant);
        largest_token.map_err(|error| StartError::Usage(format!("--roles {}: {error}", start.roles)))?;
        Ok(issuer)
    }

    /// Returns a token for this user.
    pub fn token(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        let ends_at = now + self.0.policy().ttl_s;
        self.0.sign(identity, &Grant { auth_time: now, ends_at, epoch: 0, sid: None }, now)
    }

    /// The public keys that are trusted at `now`; none where the key is a secret.
    #[must_use]
    pub fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        self.0.jwks(now)
    }

    /// Signs with a fresh key from now on.
    pub async fn rotate(&self, now: UnixSeconds) -> Result<(), AuthError> {
        self.0.rotate(now).await
    }
}
