//! The stores of all schemes as one type, so that the scheme can be chosen at start without a
//! dynamic call in every request.

use chassis::auth::UnixSeconds;

use super::{MemoryStore, Multiplexed, NewSession, Pooled, RedisStore, SessionStore, StoreError};
use crate::Key;

/// The store of a scheme.
pub enum AnyStore {
    /// `session-memory`
    Memory(MemoryStore),
    /// `session-redis`
    Multiplexed(RedisStore<Multiplexed>),
    /// `session-redis-pool`
    Pooled(RedisStore<Pooled>),
}

macro_rules! whichever {
    ($any:ident.$method:ident($($argument:ident),*)) => {
        match $any {
            AnyStore::Memory(store) => store.$method($($argument),*).await,
            AnyStore::Multiplexed(store) => store.$method($($argument),*).await,
            AnyStore::Pooled(store) => store.$method($($argument),*).await,
        }
    };
}

impl SessionStore for AnyStore {
    async fn insert(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        whichever!(self.insert(session))
    }

    async fn read(&self, key: &Key, now: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        whichever!(self.read(key, now))
    }

    async fn read_extending(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<Option<Vec<u8>>, StoreError> {
        whichever!(self.read_extending(key, now, ttl_s))
    }

    async fn set_deadline(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        whichever!(self.set_deadline(key, now, ttl_s))
    }

    async fn rewrite(&self, key: &Key, payload: &[u8], now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        whichever!(self.rewrite(key, payload, now, ttl_s))
    }

    async fn replace(&self, old: &Key, new: NewSession<'_>) -> Result<bool, StoreError> {
        whichever!(self.replace(old, new))
    }

    async fn remove(&self, key: &Key, user: u32) -> Result<bool, StoreError> {
        whichever!(self.remove(key, user))
    }

    async fn remove_all(&self, user: u32) -> Result<(), StoreError> {
        whichever!(self.remove_all(user))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        whichever!(self.ping())
    }
}
