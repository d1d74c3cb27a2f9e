//! One number a user, remembered for a while: no token can be ended alone, and so nothing has to be kept of any.

use std::time::{Duration, Instant};

use chassis::auth::{AuthError, UnixSeconds};
use quick_cache::sync::{Cache, EntryAction, EntryResult};

use super::{Ledger, REVOKED, Revocation};
use crate::claims::Bearer;

/// Maximum number of cached users; beyond it the least recently seen are evicted.
const REMEMBERED: usize = 100_000;

/// The scheme whose revocations take effect when the cached epoch of the user expires, and at its own server at once.
pub(crate) struct Epochs {
    ledger: Ledger,
    remembered: Remembered,
    ttl_s: u64,
}

impl Epochs {
    /// Creates it with a cache lifetime of `ttl_s` seconds.
    pub(crate) fn new(ledger: Ledger, ttl_s: u64) -> Self {
        Self { ledger, remembered: Remembered(Cache::new(REMEMBERED)), ttl_s }
    }

    /// Returns the minimum epoch of an accepted token of this user, as of at most `ttl_s` seconds ago.
    async fn least(&self, user: u32) -> Result<u64, AuthError> {
        // Counted from before the query, because the response is as of some instant after it.
        let asked = Instant::now();
        if let Some(least) = self.remembered.least(user, asked) {
            return Ok(least);
        }
        self.least_now(user, asked).await
    }

    /// Returns the same from Redis, queried now.
    async fn least_now(&self, user: u32, asked: Instant) -> Result<u64, AuthError> {
        let least = self.ledger.least_epoch(user).await?.ok_or(REVOKED)?;
        self.remembered.keep(user, self.entry(least, asked), asked);
        Ok(least)
    }

    fn entry(&self, least: u64, asked: Instant) -> Entry {
        Entry { least, until: asked + Duration::from_secs(self.ttl_s) }
    }
}

impl Revocation for Epochs {
    async fn epoch(&self, _: u32) -> Result<u64, AuthError> {
        Ok(self.ledger.tick().await?)
    }

    async fn admit(&self, bearer: &Bearer) -> Result<(), AuthError> {
        let least = self.least(bearer.identity.id).await?;
        if bearer.epoch >= least { Ok(()) } else { Err(REVOKED) }
    }

    /// Queries Redis itself, whatever is remembered of this user.
    async fn admit_current(&self, bearer: &Bearer) -> Result<(), AuthError> {
        let least = self.least_now(bearer.identity.id, Instant::now()).await?;
        if bearer.epoch >= least { Ok(()) } else { Err(REVOKED) }
    }

    /// Revokes nothing: the old token and the new one have the same epoch.
    async fn spend(&self, _: &Bearer, _: UnixSeconds) -> Result<bool, AuthError> {
        Ok(true)
    }

    /// Revokes every token of the user, who logs out everywhere.
    async fn deny(&self, bearer: &Bearer, _: UnixSeconds) -> Result<bool, AuthError> {
        self.deny_user(bearer.identity.id).await?;
        Ok(true)
    }

    async fn deny_user(&self, user: u32) -> Result<(), AuthError> {
        let asked = Instant::now();
        let least = self.ledger.deny_user(user).await?;
        self.remembered.keep(user, self.entry(least, asked), asked);
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
struct Remembered(Cache<u32, Entry>);

#[derive(Clone, Copy)]
struct Entry {
    least: u64,
    until: Instant,
}

impl Remembered {
    fn least(&self, user: u32, now: Instant) -> Option<u64> {
        self.0.get(&user).filter(|entry| now < entry.until).map(|entry| entry.least)
    }

    /// Caches a response, unless a higher one is known: epochs never fall, so that is the newer. A response that was
    /// in flight while the user was revoked here changes nothing.
    fn keep(&self, user: u32, entry: Entry, now: Instant) {
        let kept = self.0.entry(&user, None, |_, known| {
            if known.least <= entry.least || known.until <= now {
                *known = entry;
            }
            EntryAction::Retain(())
        });
        if let EntryResult::Vacant(place) = kept {
            // It fails where the cache was cleared meanwhile, and then there is nothing to keep.
            let _ = place.insert(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> Remembered {
        Remembered(Cache::new(10))
    }

    #[test]
    fn cached_epoch_expires() {
        let (cache, start) = (remembered(), Instant::now());
        cache.keep(1, Entry { least: 7, until: start + Duration::from_secs(10) }, start);
        assert_eq!(cache.least(1, start + Duration::from_millis(9999)), Some(7));
        assert_eq!(cache.least(1, start + Duration::from_secs(10)), None);
        assert_eq!(cache.least(2, start), None);
    }

    #[test]
    fn response_older_than_a_revocation_is_discarded() {
        let (cache, start) = (remembered(), Instant::now());
        let until = start + Duration::from_secs(10);
        cache.keep(1, Entry { least: 9, until }, start);
        cache.keep(1, Entry { least: 7, until }, start);
        assert_eq!(cache.least(1, start), Some(9));
        // After that, Redis has the newer state.
        let later = until + Duration::from_secs(10);
        cache.keep(1, Entry { least: 7, until: later }, until);
        assert_eq!(cache.least(1, until), Some(7));
    }

    #[test]
    fn epoch_cache_size_is_bounded() {
        let (cache, start) = (remembered(), Instant::now());
        for user in 0..10_000 {
            cache.keep(user, Entry { least: 1, until: start + Duration::from_secs(10) }, start);
        }
        assert!(cache.0.len() <= 10, "{}", cache.0.len());
    }
}
