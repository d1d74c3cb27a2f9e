//! `cookie-sealed`: the client stores the session itself, encrypted and authenticated. There is no store, so
//! nothing revokes a sealed session early.
//!
//! A credential is base64url of a key's id, a random nonce, and the payload under AES-256-GCM-SIV (RFC 8452), which
//! stays safe even if a nonce repeats. The key's id and a label of this use are authenticated as well.

mod key_ring;

use std::sync::Arc;

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use chassis::carrier::fits;
use chassis::directory::{Change, Directory, UserState};
use contract::body::Identity;
use contract::{Carrier, Scheme};
use serde::{Deserialize, Serialize};

use crate::Record;
use key_ring::KeyRing;
pub use key_ring::{SealingKey, SealingKeyError};

/// Bytes of the largest credential that is looked at: as much as a cookie can hold.
const MAX_CREDENTIAL_BYTES: usize = chassis::carrier::MAX_COOKIE_BYTES;

/// What is sealed, as a JSON array: the session as any store would keep it, and the user's epoch in the directory at
/// login, because what is of an earlier one is not renewed.
#[derive(Serialize, Deserialize)]
struct Content(Record, u64);

/// How long sealed sessions live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Seconds unless renewed.
    pub ttl_s: u64,
    /// Seconds after login at which no renewal helps.
    pub absolute_s: u64,
}

/// The scheme.
pub struct Sealed {
    scheme: Scheme,
    lifetime: Lifetime,
    carrier: Carrier,
    key_ring: KeyRing,
    directory: Arc<dyn Directory>,
}

impl Sealed {
    /// The scheme with this key.
    #[must_use]
    pub fn new(
        scheme: Scheme,
        lifetime: Lifetime,
        carrier: Carrier,
        key: SealingKey,
        directory: Arc<dyn Directory>,
    ) -> Self {
        Self { scheme, lifetime, carrier, key_ring: KeyRing::new(key), directory }
    }

    /// Returns the credential of a user whose login ends at `ends_at` at the latest.
    pub(crate) fn seal(
        &self,
        identity: Identity,
        epoch: u64,
        now: UnixSeconds,
        ends_at: UnixSeconds,
    ) -> Result<Issued, AuthError> {
        let expires_at = (now + self.lifetime.ttl_s).min(ends_at);
        let content = Content(Record::new(identity, now, expires_at, ends_at), epoch);
        let payload = serde_json::to_vec(&content).expect("a record is JSON");
        let credential = self.key_ring.seal(payload).map_err(AuthError::Internal)?;
        if credential.len() > MAX_CREDENTIAL_BYTES || !fits(self.carrier, &credential) {
            let bytes = credential.len();
            return Err(AuthError::TooLarge(format!(
                "a sealed session of {bytes} bytes does not fit into a cookie of {MAX_CREDENTIAL_BYTES}; set \
                 fewer roles"
            )));
        }
        Ok(Issued::new(credential, expires_at - now))
    }

    fn open(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Content, AuthError> {
        let credential = credential.ok_or(AuthError::Missing)?;
        if credential.len() > MAX_CREDENTIAL_BYTES {
            return Err(AuthError::Invalid("longer than a cookie can be"));
        }
        let payload =
            self.key_ring.open(credential, now).ok_or(AuthError::Invalid("not sealed by a key of this server"))?;
        let content: Content = serde_json::from_slice(&payload)
            .map_err(|error| AuthError::Internal(format!("a sealed session cannot be read: {error}")))?;
        if content.0.is_expired(now) { Err(AuthError::Invalid("session expired")) } else { Ok(content) }
    }

    /// Returns the directory's entry of this user, if the user is enabled and has not changed since this epoch.
    async fn require_unchanged(&self, user: u32, epoch: u64) -> Result<UserState, AuthError> {
        let state = self.directory.user_state(user).await?;
        let changed = state.disabled || state.epoch != epoch;
        if changed { Err(AuthError::Invalid("the user has changed since login")) } else { Ok(state) }
    }
}

impl Authenticator for Sealed {
    fn describe(&self) -> Description {
        Description {
            // Nothing can end it before its time: that is the class `expiry`.
            revocation_window_s: Some(self.lifetime.ttl_s),
            credential_ttl_s: Some(self.lifetime.ttl_s),
            absolute_ttl_s: Some(self.lifetime.absolute_s),
            ..Description::of(self.scheme)
        }
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        let epoch = self.directory.user_state(identity.id).await?.epoch;
        self.seal(identity.clone(), epoch, now, now + self.lifetime.absolute_s)
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.open(credential, now).map(|content| content.0.into_identity())
    }

    async fn verify_current(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        let Content(record, epoch) = self.open(credential, now)?;
        self.require_unchanged(record.id, epoch).await?;
        Ok(record.into_identity())
    }

    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        let Content(record, epoch) = self.open(credential, now)?;
        let state = self.require_unchanged(record.id, epoch).await?;
        let ends_at = record.ends_at;
        let identity = state.applied_to(record.into_identity());
        let issued = self.seal(identity.clone(), epoch, now, ends_at)?;
        Ok((identity, issued))
    }

    /// Requires a valid credential and revokes nothing: the client deletes it, and a copy stays valid until it
    /// expires.
    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        self.open(credential, now).map(|_| ())
    }

    /// Prevents renewals: issued credentials are valid until they expire.
    async fn revoke_user(&self, user: u32, _: UnixSeconds) -> Result<(), AuthError> {
        self.directory.change(user, Change::default()).await
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }

    async fn rotate(&self, now: UnixSeconds) -> Result<bool, AuthError> {
        let key = SealingKey::random().map_err(AuthError::Internal)?;
        self.key_ring.rotate(key, now, self.lifetime.ttl_s);
        Ok(true)
    }
}
