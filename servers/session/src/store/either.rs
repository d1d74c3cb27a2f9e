//! The stores of all schemes as one type, so that the scheme can be chosen at start without a
//! dynamic call in every request.

use chassis::auth::UnixSeconds;

use stores::{Clustered, Multiplexed, Pooled};

use super::{CachedStore, MemoryStore, NewSession, PostgresStore, RedisStore, SessionStore, StoreError};
use crate::Key;
use crate::id::Shard;

/// The store of a scheme.
pub enum AnyStore {
    /// `session-memory`
    Memory(MemoryStore),
    /// `session-redis`
    Multiplexed(RedisStore<Multiplexed>),
    /// `session-redis-pool`
    Pooled(RedisStore<Pooled>),
    /// `session-redis-cached`
    Cached(CachedStore),
    /// `session-redis-cluster`
    Clustered(RedisStore<Clustered>),
    /// `session-postgres`
    Postgres(PostgresStore),
}

macro_rules! dispatch {
    ($any:ident.$method:ident($($argument:ident),*)) => {
        match $any {
            AnyStore::Memory(store) => store.$method($($argument),*).await,
            AnyStore::Multiplexed(store) => store.$method($($argument),*).await,
            AnyStore::Pooled(store) => store.$method($($argument),*).await,
            AnyStore::Cached(store) => store.$method($($argument),*).await,
            // Boxed, because these futures are large, and every scheme's handler would have to hold them.
            AnyStore::Clustered(store) => Box::pin(store.$method($($argument),*)).await,
            AnyStore::Postgres(store) => Box::pin(store.$method($($argument),*)).await,
        }
    };
}

impl SessionStore for AnyStore {
    fn shard(&self, user: u32) -> Option<Shard> {
        if let Self::Clustered(store) = self { store.shard(user) } else { None }
    }

    fn staleness_s(&self) -> u64 {
        if let Self::Cached(store) = self { store.staleness_s() } else { 0 }
    }

    async fn insert(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        dispatch!(self.insert(session))
    }

    async fn read(&self, key: &Key, now: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        dispatch!(self.read(key, now))
    }

    async fn read_current(&self, key: &Key, now: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        dispatch!(self.read_current(key, now))
    }

    async fn read_extending(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<Option<Vec<u8>>, StoreError> {
        dispatch!(self.read_extending(key, now, ttl_s))
    }

    async fn set_deadline(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        dispatch!(self.set_deadline(key, now, ttl_s))
    }

    async fn rewrite(&self, key: &Key, payload: &[u8], now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        dispatch!(self.rewrite(key, payload, now, ttl_s))
    }

    async fn replace(&self, old: &Key, new: NewSession<'_>) -> Result<bool, StoreError> {
        dispatch!(self.replace(old, new))
    }

    async fn remove(&self, key: &Key, user: u32) -> Result<bool, StoreError> {
        dispatch!(self.remove(key, user))
    }

    async fn remove_all(&self, user: u32) -> Result<(), StoreError> {
        dispatch!(self.remove_all(user))
    }

    async fn probe(&self) -> Result<(), StoreError> {
        dispatch!(self.probe())
    }
}
