//! One number a user, remembered for a while: no token can be ended alone, and so nothing has to be kept of any.

use std::time::{Duration, Instant};

use chassis::auth::{AuthError, UnixSeconds};
use quick_cache::sync::{Cache, EntryAction, EntryResult};

use super::{Ledger, REVOKED, Revocation};
use crate::claims::VerifiedToken;

/// Maximum number of cached users; beyond it the least recently seen are evicted.
const CACHE_CAPACITY: usize = 100_000;

/// The scheme whose revocations take effect when the cached epoch of the user expires, and at its own server at once.
pub(crate) struct Epochs {
    ledger: Ledger,
    cache: EpochCache,
    ttl_s: u64,
}

impl Epochs {
    /// Creates it with a cache lifetime of `ttl_s` seconds.
    pub(crate) fn new(ledger: Ledger, ttl_s: u64) -> Self {
        Self { ledger, cache: EpochCache(Cache::new(CACHE_CAPACITY)), ttl_s }
    }

    /// Returns the minimum epoch of an accepted token of this user, as of at most `ttl_s` seconds ago.
    async fn min_epoch(&self, user: u32) -> Result<u64, AuthError> {
        // Counted from before the query, because the response is as of some instant after it.
        let queried_at = Instant::now();
        if let Some(min_epoch) = self.cache.min_epoch(user, queried_at) {
            return Ok(min_epoch);
        }
        self.fetch_min_epoch(user, queried_at).await
    }

    /// Returns the same from Redis, queried now.
    async fn fetch_min_epoch(&self, user: u32, queried_at: Instant) -> Result<u64, AuthError> {
        let min_epoch = self.ledger.min_epoch(user).await?.ok_or(REVOKED)?;
        self.cache.insert_newer(user, self.entry(min_epoch, queried_at), queried_at);
        Ok(min_epoch)
    }

    fn entry(&self, min_epoch: u64, queried_at: Instant) -> Entry {
        Entry { min_epoch, expires_at: queried_at + Duration::from_secs(self.ttl_s) }
    }
}

impl Revocation for Epochs {
    async fn epoch(&self, _: u32) -> Result<u64, AuthError> {
        Ok(self.ledger.tick().await?)
    }

    async fn check(&self, token: &VerifiedToken) -> Result<(), AuthError> {
        let min_epoch = self.min_epoch(token.identity.id).await?;
        if token.epoch >= min_epoch { Ok(()) } else { Err(REVOKED) }
    }

    /// Queries Redis itself, whatever is remembered of this user.
    async fn check_current(&self, token: &VerifiedToken) -> Result<(), AuthError> {
        let min_epoch = self.fetch_min_epoch(token.identity.id, Instant::now()).await?;
        if token.epoch >= min_epoch { Ok(()) } else { Err(REVOKED) }
    }

    /// Revokes nothing: the old token and the new one have the same epoch.
    async fn consume(&self, _: &VerifiedToken, _: UnixSeconds) -> Result<bool, AuthError> {
        Ok(true)
    }

    /// Revokes every token of the user, who logs out everywhere.
    async fn deny(&self, token: &VerifiedToken, _: UnixSeconds) -> Result<bool, AuthError> {
        self.deny_user(token.identity.id).await?;
        Ok(true)
    }

    async fn deny_user(&self, user: u32) -> Result<(), AuthError> {
        let queried_at = Instant::now();
        let min_epoch = self.ledger.deny_user(user).await?;
        self.cache.insert_newer(user, self.entry(min_epoch, queried_at), queried_at);
        Ok(())
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(self.ledger.probe().await?)
    }

    fn window_s(&self) -> u64 {
        self.ttl_s
    }
}

/// The least epochs of users.
struct EpochCache(Cache<u32, Entry>);

#[derive(Clone, Copy)]
struct Entry {
    min_epoch: u64,
    expires_at: Instant,
}

impl EpochCache {
    fn min_epoch(&self, user: u32, now: Instant) -> Option<u64> {
        self.0.get(&user).filter(|entry| now < entry.expires_at).map(|entry| entry.min_epoch)
    }

    /// Caches a response, unless a higher one is known: epochs never fall, so that is the newer. A response that was
    /// in flight while the user was revoked here changes nothing.
    fn insert_newer(&self, user: u32, entry: Entry, now: Instant) {
        let inserted = self.0.entry(&user, None, |_, known| {
            if known.min_epoch <= entry.min_epoch || known.expires_at <= now {
                *known = entry;
            }
            EntryAction::Retain(())
        });
        if let EntryResult::Vacant(place) = inserted {
            // It fails where the cache was cleared meanwhile, and then there is nothing to keep.
            let _ = place.insert(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> EpochCache {
        EpochCache(Cache::new(10))
    }

    #[test]
    fn cached_epoch_expires() {
        let (cache, start) = (cache(), Instant::now());
        cache.insert_newer(1, Entry { min_epoch: 7, expires_at: start + Duration::from_secs(10) }, start);
        assert_eq!(cache.min_epoch(1, start + Duration::from_millis(9999)), Some(7));
        assert_eq!(cache.min_epoch(1, start + Duration::from_secs(10)), None);
        assert_eq!(cache.min_epoch(2, start), None);
    }

    #[test]
    fn response_older_than_a_revocation_is_discarded() {
        let (cache, start) = (cache(), Instant::now());
        let expires_at = start + Duration::from_secs(10);
        cache.insert_newer(1, Entry { min_epoch: 9, expires_at }, start);
        cache.insert_newer(1, Entry { min_epoch: 7, expires_at }, start);
        assert_eq!(cache.min_epoch(1, start), Some(9));
        // After that, Redis has the newer state.
        let later = expires_at + Duration::from_secs(10);
        cache.insert_newer(1, Entry { min_epoch: 7, expires_at: later }, expires_at);
        assert_eq!(cache.min_epoch(1, expires_at), Some(7));
    }

    #[test]
    fn epoch_cache_size_is_bounded() {
        let (cache, start) = (cache(), Instant::now());
        for user in 0..10_000 {
            cache.insert_newer(user, Entry { min_epoch: 1, expires_at: start + Duration::from_secs(10) }, start);
        }
        assert!(cache.0.len() <= 10, "{}", cache.0.len());
    }
}
