//! The scheme: a session at the edge, a token inside.

use std::sync::Arc;

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use contract::body::Identity;
use jwt::DownstreamIssuer;
use quick_cache::sync::Cache;
use session::store::RedisStore;
use session::{Key, Sessions};
use stores::Multiplexed;

/// Tokens that are kept for their next use.
const CACHED_TOKENS: usize = 100_000;
/// A token is reused while at least this part of its lifetime is left, and a second, so that it is still valid when it
/// arrives.
const MIN_REMAINING_FRACTION: u64 = 4;

/// Sessions outside, tokens inside.
pub struct Edge {
    sessions: Sessions<RedisStore<Multiplexed>>,
    downstream: DownstreamIssuer,
    inner_ttl_s: u64,
    tokens: Cache<Key, Arc<CachedToken>>,
}

struct CachedToken {
    token: String,
    /// When another has to be made.
    renew_at: UnixSeconds,
}

impl Edge {
    pub(crate) fn new(
        sessions: Sessions<RedisStore<Multiplexed>>,
        downstream: DownstreamIssuer,
        inner_ttl_s: u64,
    ) -> Self {
        Self { sessions, downstream, inner_ttl_s, tokens: Cache::new(CACHED_TOKENS) }
    }

    /// Returns the token of this session. It is requested only after the session was looked up, so an expired session
    /// gets none, however long its last token may still be valid.
    fn cached_token(&self, key: Key, identity: &Identity, now: UnixSeconds) -> Result<String, AuthError> {
        if let Some(cached) = self.tokens.get(&key).filter(|cached| now < cached.renew_at) {
            return Ok(cached.token.clone());
        }
        let Issued { credential, expires_in, .. } = self.downstream.token(identity, now)?;
        let token = credential.expect("an issuer returns a token");
        let renew_at = now + expires_in - (expires_in / MIN_REMAINING_FRACTION).max(1);
        self.tokens.insert(key, Arc::new(CachedToken { token: token.clone(), renew_at }));
        Ok(token)
    }
}

impl Authenticator for Edge {
    fn describe(&self) -> Description {
        Description { inner_window_s: Some(self.inner_ttl_s), ..self.sessions.describe() }
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        self.sessions.issue(identity, now).await
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.sessions.verify(credential, now).await
    }

    async fn verify_current(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.sessions.verify_current(credential, now).await
    }

    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        self.sessions.renew(credential, now).await
    }

    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        self.sessions.revoke(credential, now).await
    }

    async fn revoke_user(&self, user: u32, now: UnixSeconds) -> Result<(), AuthError> {
        self.sessions.revoke_user(user, now).await
    }

    async fn ready(&self) -> Result<(), AuthError> {
        self.sessions.ready().await
    }

    fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        self.downstream.jwks(now)
    }

    async fn rotate(&self, now: UnixSeconds) -> Result<bool, AuthError> {
        self.downstream.rotate(now).await.map(|()| true)
    }

    async fn downstream_token(
        &self,
        credential: &str,
        identity: &Identity,
        now: UnixSeconds,
    ) -> Result<Option<String>, AuthError> {
        let key = Key::of(credential).ok_or(AuthError::Invalid("not a session id"))?;
        self.cached_token(key, identity, now).map(Some)
    }
}
