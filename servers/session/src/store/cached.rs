//! Sessions in Redis with a cache in this process, which Redis itself invalidates.
//!
//! Sessions are read over a connection with `CLIENT TRACKING` (RESP3): when one of them changes or
//! is removed, by any client, Redis reports it over that very connection. The age of the cache is bounded by the
//! [`Feed`]: without a heartbeat for that long, the cache is not used, and every check queries Redis.
//!
//! The cache of `redis` is not used: its entries are inserted by the requesting task, which may
//! happen after their invalidation has been processed (as of 1.8), and its age is not bounded. Here a response
//! that crosses an invalidation is removed again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chassis::auth::UnixSeconds;
use quick_cache::sync::Cache;
use redis::aio::MultiplexedConnection;
use redis::{ConnectionInfo, PushInfo, PushKind, RedisError, Value};
use stores::feed::{Feed, Subscriber};
use stores::{Multiplexed, Redis};

use super::{NewSession, RedisStore, SessionStore, StoreError};
use crate::Key;

/// A [`RedisStore`] with a cache of what it has read.
pub struct CachedStore {
    store: RedisStore<Multiplexed>,
    cache: Arc<SessionCache>,
    feed: Feed,
    staleness_s: u64,
}

/// What was read, by the name of its key.
struct SessionCache {
    payloads: Cache<Vec<u8>, Arc<[u8]>>,
    /// The number of invalidations from Redis.
    invalidations: AtomicU64,
}

impl CachedStore {
    /// Over this Redis at this address, with room for `entries` sessions, and never more than `staleness_s` behind.
    pub async fn start(
        redis: Arc<Redis<Multiplexed>>,
        address: ConnectionInfo,
        entries: usize,
        staleness_s: u64,
    ) -> Result<Self, RedisError> {
        let cache = Arc::new(SessionCache { payloads: Cache::new(entries), invalidations: AtomicU64::new(0) });
        let feed = Feed::start(address, Arc::clone(&cache), Duration::from_secs(staleness_s)).await?;
        Ok(Self { store: RedisStore::new(redis), cache, feed, staleness_s })
    }
}

impl Subscriber for SessionCache {
    async fn on_connect(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        // Entries read over an earlier connection are no longer tracked.
        self.clear();
        redis::cmd("CLIENT").arg("TRACKING").arg("ON").query_async(connection).await
    }

    fn on_push(&self, push: &PushInfo) {
        if push.kind != PushKind::Invalidate {
            return;
        }
        match push.data.first() {
            Some(Value::Array(keys)) => {
                self.invalidations.fetch_add(1, Ordering::SeqCst);
                for key in keys {
                    if let Value::BulkString(name) = key {
                        self.payloads.remove(name);
                    }
                }
            }
            // Redis was emptied.
            _ => self.clear(),
        }
    }
}

impl SessionCache {
    fn clear(&self) {
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        self.payloads.clear();
    }

    /// Keeps what was read after `invalidations` words, unless there was one since, which may have meant it.
    fn insert_unless_invalidated(&self, name: &[u8], payload: &[u8], invalidations: u64) {
        self.payloads.insert(name.to_vec(), Arc::from(payload));
        if self.invalidations.load(Ordering::SeqCst) != invalidations {
            self.payloads.remove(name);
        }
    }
}

impl SessionStore for CachedStore {
    fn staleness_s(&self) -> u64 {
        self.staleness_s
    }

    async fn read(&self, key: &Key, now: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        let name = self.store.session(key);
        if self.feed.is_fresh()
            && let Some(payload) = self.cache.payloads.get(&name)
        {
            return Ok(Some(payload.to_vec()));
        }
        let invalidations = self.cache.invalidations.load(Ordering::SeqCst);
        let Some(read) = self.feed.query::<Option<Vec<u8>>>(redis::cmd("GET").arg(&name)).await? else {
            // This session would not be invalidated, so it is not cached.
            return self.store.read(key, now).await;
        };
        if let Some(payload) = &read {
            self.cache.insert_unless_invalidated(&name, payload, invalidations);
        }
        Ok(read)
    }

    async fn read_current(&self, key: &Key, now: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.read(key, now).await
    }

    async fn read_extending(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.read_extending(key, now, ttl_s).await
    }

    async fn set_deadline(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        self.store.set_deadline(key, now, ttl_s).await
    }

    async fn rewrite(&self, key: &Key, payload: &[u8], now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        self.store.rewrite(key, payload, now, ttl_s).await?;
        self.cache.payloads.remove(&self.store.session(key));
        Ok(())
    }

    async fn insert(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        self.store.insert(session).await
    }

    async fn replace(&self, old: &Key, new: NewSession<'_>) -> Result<bool, StoreError> {
        let found = self.store.replace(old, new).await?;
        self.cache.payloads.remove(&self.store.session(old));
        Ok(found)
    }

    async fn remove(&self, key: &Key, user: u32) -> Result<bool, StoreError> {
        let found = self.store.remove(key, user).await?;
        // It is invalidated here at once; Redis notifies the others.
        self.cache.payloads.remove(&self.store.session(key));
        Ok(found)
    }

    async fn remove_all(&self, user: u32) -> Result<(), StoreError> {
        self.store.remove_all(user).await?;
        // Only Redis knows which sessions these were. They are invalidated here at once, too.
        if !self.feed.catch_up().await.unwrap_or(false) {
            self.cache.clear();
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }
}
