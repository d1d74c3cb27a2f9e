//! The scheme: what a token is worth at a given instant follows from the token alone.

use aws_lc_rs::rand;
use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use contract::body::Identity;
use contract::{Scheme, StoreDown};
use jsonwebtoken::jwk::JwkSet;

use crate::claims::{Bearer, Claims, MEDIA_TYPE, Terms};
use crate::jws::{self, verify_jws};
use crate::{KeySet, MAX_COMPACT_BYTES, SigningKey, base64url, header, unique};

/// Bytes of a token id (`jti`).
const TOKEN_ID_BYTES: usize = 16;

/// Tokens signed and checked with one key, and no state besides.
pub struct Tokens {
    scheme: Scheme,
    terms: Terms,
    signing_key: SigningKey,
    header: String,
    trusted: KeySet,
}

impl Tokens {
    pub(crate) fn new(scheme: Scheme, signing_key: SigningKey, terms: Terms) -> Self {
        let trusted =
            KeySet::new(vec![signing_key.verifying_key()]).expect("one key has no double").of_type(MEDIA_TYPE);
        let header = header::segment(signing_key.algorithm(), signing_key.kid(), MEDIA_TYPE);
        Self { scheme, terms, signing_key, header, trusted }
    }

    pub(crate) fn sign(
        &self,
        identity: &Identity,
        auth_time: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<Issued, AuthError> {
        let mut id = [0; TOKEN_ID_BYTES];
        rand::fill(&mut id).map_err(|_| AuthError::Internal("no random bytes for a token id".to_owned()))?;
        let claims = self.terms.claims(identity, base64url::encode(id), auth_time, now);
        let payload = serde_json::to_vec(&claims).map_err(|error| AuthError::Internal(error.to_string()))?;
        let token = jws::sign_jws(&self.header, &payload, &self.signing_key)
            .map_err(|_| AuthError::Internal(format!("{} did not sign", self.signing_key.algorithm())))?;
        if token.len() > MAX_COMPACT_BYTES {
            return Err(AuthError::Internal(format!("a token of {} bytes: too many roles to carry", token.len())));
        }
        Ok(Issued { credential: Some(token), expires_in: self.terms.expiry(auth_time, now) - now })
    }

    fn bearer(&self, token: Option<&str>, now: UnixSeconds) -> Result<Bearer, AuthError> {
        let payload = verify_jws(token.ok_or(AuthError::Missing)?, &self.trusted)
            .map_err(|error| AuthError::Invalid(error.reason()))?;
        let json = str::from_utf8(&payload).map_err(|_| AuthError::Invalid("the claims are not UTF-8"))?;
        let claims: Claims<'_> =
            unique::object(json).map_err(|_| AuthError::Invalid("the claims are malformed or incomplete"))?;
        self.terms.accept(claims, now).map_err(AuthError::Invalid)
    }
}

impl Authenticator for Tokens {
    fn describe(&self) -> Description {
        Description {
            scheme: self.scheme,
            // Nothing can end a token before its time: that is the class `expiry`.
            revocation_window_s: Some(self.terms.ttl_s + self.terms.leeway_s),
            store_down: StoreDown::NotNeeded,
            credential_ttl_s: Some(self.terms.ttl_s),
            absolute_ttl_s: Some(self.terms.absolute_ttl_s),
            touch: None,
            leeway_s: Some(self.terms.leeway_s),
        }
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        self.sign(identity, now, now)
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.bearer(credential, now).map(|bearer| bearer.identity)
    }

    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        let Bearer { identity, auth_time } = self.bearer(credential, now)?;
        let issued = self.sign(&identity, auth_time, now)?;
        Ok((identity, issued))
    }

    /// Asks for a good token and ends nothing: the client forgets it, and whoever has a copy may use it to its end.
    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        self.bearer(credential, now).map(|_| ())
    }

    /// As [`revoke`](Self::revoke).
    async fn revoke_all(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        self.bearer(credential, now).map(|_| ())
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }

    fn jwks(&self) -> Option<serde_json::Value> {
        let keys = vec![self.signing_key.public_jwk()?];
        Some(serde_json::to_value(JwkSet { keys }).expect("a JWK set is JSON"))
    }
}
