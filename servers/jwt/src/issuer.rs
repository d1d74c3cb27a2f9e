//! Signs tokens and checks them: all that a token is worth by itself.

use chassis::auth::{AuthError, Issued, UnixSeconds};
use contract::body::Identity;
use tokio::task::spawn_blocking;

use crate::claims::{Claims, Grant, TokenPolicy, VerifiedToken};
use crate::jws::may_match_another_key;
use crate::key_ring::KeyRing;
use crate::remote_keys::RemoteKeys;
use crate::token_id::TokenId;
use crate::{KeyError, MAX_COMPACT_BYTES, SigningKey, unique};

/// An instant with as many digits as any token's will have until the year 2286.
const LONGEST_INSTANT: UnixSeconds = 9_999_999_999;
/// Claims that end at no instant keep no key alive.
const NO_EXPIRY: UnixSeconds = 0;

/// The signing keys and the terms of the tokens.
pub(crate) struct Issuer {
    policy: TokenPolicy,
    ring: KeyRing,
    /// The keys of a server in front of this one, whose tokens are accepted like our own.
    trusted: Option<RemoteKeys>,
}

impl Issuer {
    pub(crate) fn new(signing_key: SigningKey, policy: TokenPolicy) -> Self {
        let ring = KeyRing::new(signing_key, policy.ttl_s, policy.leeway_s);
        Self { policy, ring, trusted: None }
    }

    /// Returns the same issuer, which also accepts tokens signed by the keys at this URL.
    pub(crate) fn with_remote_keys(self, jwks_url: Option<String>) -> Self {
        Self { trusted: jwks_url.map(RemoteKeys::at), ..self }
    }

    pub(crate) const fn policy(&self) -> &TokenPolicy {
        &self.policy
    }

    /// A token for this user.
    pub(crate) fn sign(&self, identity: &Identity, grant: &Grant<'_>, now: UnixSeconds) -> Result<Issued, AuthError> {
        let exp = self.policy.expiry(grant, now);
        let token = self.sign_claims(&self.claims(identity, grant, now)?, exp)?;
        Ok(Issued::new(token, exp - now))
    }

    /// Returns a token as long as any that this user will get. It is not valid.
    pub(crate) fn largest_token(&self, identity: &Identity, grant: &Grant<'_>) -> Result<String, AuthError> {
        let grant = Grant { auth_time: LONGEST_INSTANT, ends_at: LONGEST_INSTANT, ..*grant };
        self.sign_claims(&self.claims(identity, &grant, LONGEST_INSTANT)?, NO_EXPIRY)
    }

    /// Returns the user of this token at `now`. Only the signature and the claims are checked here.
    pub(crate) async fn verify(&self, token: Option<&str>, now: UnixSeconds) -> Result<VerifiedToken, AuthError> {
        let token = token.ok_or(AuthError::Missing)?;
        let payload = match (self.ring.verify(token, now), &self.trusted) {
            // Boxed, because few servers have such keys, and every request's future would have to hold it.
            (Err(error), Some(trusted)) if may_match_another_key(token, error) => {
                Box::pin(trusted.verify(token)).await?
            }
            (verdict, _) => verdict.map_err(|error| AuthError::Invalid(error.reason()))?,
        };
        let json = str::from_utf8(&payload).map_err(|_| AuthError::Invalid("the claims are not UTF-8"))?;
        let claims: Claims<'_> =
            unique::object(json).map_err(|_| AuthError::Invalid("the claims are malformed or incomplete"))?;
        self.policy.accept(claims, now).map_err(AuthError::Invalid)
    }

    /// Signs with a fresh key from now on.
    pub(crate) async fn rotate(&self, now: UnixSeconds) -> Result<(), AuthError> {
        let algorithm = self.ring.algorithm();
        // Generating an RSA key takes a large part of a second, in which no request should have to wait.
        let generated = spawn_blocking(move || SigningKey::generate(algorithm)).await;
        let key = generated.unwrap_or(Err(KeyError::Generation(algorithm)));
        self.ring.rotate(key.map_err(|error| AuthError::Internal(error.to_string()))?, now);
        Ok(())
    }

    /// The public keys that are trusted at `now`.
    pub(crate) fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        self.ring.jwks(now).map(|set| serde_json::to_value(set).expect("a JWK set is JSON"))
    }

    fn claims(&self, identity: &Identity, grant: &Grant<'_>, now: UnixSeconds) -> Result<Vec<u8>, AuthError> {
        let id = TokenId::random().map_err(|_| AuthError::Internal("no random bytes for a token id".to_owned()))?;
        let claims = self.policy.claims(identity, id, grant, now);
        serde_json::to_vec(&claims).map_err(|error| AuthError::Internal(error.to_string()))
    }

    fn sign_claims(&self, claims: &[u8], exp: UnixSeconds) -> Result<String, AuthError> {
        let signed = self.ring.sign(claims, exp);
        let token =
            signed.map_err(|_| AuthError::Internal(format!("signing with {} failed", self.ring.algorithm())))?;
        if token.len() > MAX_COMPACT_BYTES {
            return Err(AuthError::TooLarge(format!(
                "a token of {} bytes is too large: the user has too many roles",
                token.len()
            )));
        }
        Ok(token)
    }
}
