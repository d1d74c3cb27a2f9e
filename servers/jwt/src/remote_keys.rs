//! The keys of another server, whose tokens are taken here as well: its JWK set, fetched when a token names a key that
//! is not known yet.
//!
//! A flood of tokens with invented key ids must not become a flood of requests. So the set is fetched at most once in
//! [`COOLDOWN`], whoever asks; a token with an unknown key waits for the next time, so that none fails because a key is
//! new.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chassis::auth::AuthError;
use chassis::outbound::Client;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::claims::MEDIA_TYPE;
use crate::{JwsError, KeySet, verify_jws};

/// The least time from one fetch to the next.
const COOLDOWN: Duration = Duration::from_secs(1);

/// A JWK set at a URL (RFC 7517 section 5).
pub(crate) struct RemoteKeys {
    url: String,
    client: Client,
    set: ArcSwap<KeySet>,
    /// Held while a fetch is under way.
    last: Mutex<Option<Fetch>>,
}

/// When one began, and why it failed if it did.
struct Fetch {
    began: Instant,
    outcome: Result<(), String>,
}

impl RemoteKeys {
    /// Fetches nothing yet: that server may start later than this one.
    pub(crate) fn at(url: String) -> Self {
        let none = KeySet::new(vec![]).expect("no key has no double");
        Self { url, client: Client::default(), set: ArcSwap::from_pointee(none), last: Mutex::default() }
    }

    /// The claims in a compact serialisation that one of these keys has signed.
    pub(crate) async fn verify(&self, compact: &str) -> Result<Vec<u8>, AuthError> {
        let invalid = |error: JwsError| AuthError::Invalid(error.reason());
        let verdict = verify_jws(compact, &self.set.load());
        if verdict != Err(JwsError::UnknownKey) {
            return verdict.map_err(invalid);
        }
        self.fetch_after(Instant::now()).await?;
        verify_jws(compact, &self.set.load()).map_err(invalid)
    }

    /// Sees to it that the set is one that was fetched after this instant.
    async fn fetch_after(&self, instant: Instant) -> Result<(), AuthError> {
        let mut last = self.last.lock().await;
        if let Some(fetch) = last.as_ref().filter(|fetch| fetch.began > instant) {
            return fetch.outcome.clone().map_err(AuthError::StoreUnavailable);
        }
        if let Some(fetch) = &*last {
            sleep_until(fetch.began + COOLDOWN).await;
        }
        let began = Instant::now();
        let outcome = self.fetched().await.map(|set| self.set.store(Arc::new(set)));
        *last = Some(Fetch { began, outcome: outcome.clone() });
        outcome.map_err(AuthError::StoreUnavailable)
    }

    async fn fetched(&self) -> Result<KeySet, String> {
        let body = self.client.fetch(&self.url).await.map_err(|error| error.to_string())?;
        let json = String::from_utf8(body).map_err(|_| format!("the keys at {} are no text", self.url))?;
        let set = KeySet::from_json(&json).map_err(|error| format!("the keys at {}: {error}", self.url))?;
        Ok(set.of_type(MEDIA_TYPE))
    }
}
