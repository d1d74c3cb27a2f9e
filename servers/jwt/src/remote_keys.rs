//! The keys of another server, whose tokens are accepted here as well: its JWK set, fetched when a token names a key that
//! is not known yet, or names none and no known key has signed it. Unusable keys are ignored and logged.
//!
//! A flood of tokens with invented key ids must not become a flood of requests. So the set is fetched at most once per
//! [`COOLDOWN`]; a token with an unknown key waits for the next fetch, so that none fails because a key is
//! new.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use chassis::auth::AuthError;
use chassis::outbound::Client;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::claims::MEDIA_TYPE;
use crate::jwk_set::{self, IgnoredKey};
use crate::jws::may_match_another_key;
use crate::{JwsError, KeySet, verify_jws};

/// The least time from one fetch to the next.
const COOLDOWN: Duration = Duration::from_secs(1);

/// Ignored keys that are reported one by one.
const MAX_REPORTED: usize = 32;

/// A JWK set at a URL (RFC 7517 section 5).
pub(crate) struct RemoteKeys {
    url: String,
    client: Client,
    set: ArcSwap<KeySet>,
    /// Held while a fetch is under way.
    last: Mutex<Option<Fetch>>,
    /// What has been logged about the last fetched set.
    reported: std::sync::Mutex<BTreeSet<String>>,
}

/// When one began, and why it failed if it did.
struct Fetch {
    began: Instant,
    outcome: Result<(), String>,
}

impl RemoteKeys {
    /// Fetches nothing yet: that server may start later than this one.
    pub(crate) fn at(url: String) -> Self {
        let set = ArcSwap::from_pointee(KeySet::of(vec![]));
        Self { url, client: Client::default(), set, last: Mutex::default(), reported: std::sync::Mutex::default() }
    }

    /// The claims in a compact serialisation that one of these keys has signed.
    pub(crate) async fn verify(&self, compact: &str) -> Result<Vec<u8>, AuthError> {
        let invalid = |error: JwsError| AuthError::Invalid(error.reason());
        let verdict = verify_jws(compact, &self.set.load());
        if verdict.as_ref().err().is_none_or(|error| !may_match_another_key(compact, *error)) {
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
        let outcome = self.fetch_set().await.map(|set| self.set.store(Arc::new(set)));
        *last = Some(Fetch { began, outcome: outcome.clone() });
        outcome.map_err(AuthError::StoreUnavailable)
    }

    async fn fetch_set(&self) -> Result<KeySet, String> {
        let body = self.client.fetch(&self.url).await.map_err(|error| error.to_string())?;
        let json = String::from_utf8(body).map_err(|_| format!("the keys at {} are not text", self.url))?;
        let read = jwk_set::parse(&json).map_err(|error| format!("the keys at {}: {error}", self.url))?;
        self.report(&read.ignored);
        match (KeySet::of(read.keys), read.ignored.first()) {
            (set, Some(first)) if set.is_empty() => Err(format!("no key at {} can be used: {first}", self.url)),
            (set, _) => Ok(set.of_type(MEDIA_TYPE)),
        }
    }

    /// Logs each key that is not used, once for as long as it stays in the set.
    fn report(&self, ignored: &[IgnoredKey]) {
        let lines: BTreeSet<_> = ignored.iter().take(MAX_REPORTED).map(IgnoredKey::to_string).collect();
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.difference(&reported) {
            tracing::warn!(url = self.url, "ignoring a trusted key: {line}");
        }
        *reported = lines;
    }
}
