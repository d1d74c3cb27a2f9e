//! What sessions are kept in.

mod cached;
mod either;
mod memory;
mod postgres;
mod redis;

use std::future::Future;

use chassis::auth::UnixSeconds;
pub use stores::StoreError;

use crate::Key;
use crate::id::Shard;

pub use cached::CachedStore;
pub use either::AnyStore;
pub use memory::MemoryStore;
pub use postgres::PostgresStore;
pub use redis::RedisStore;

/// A map from keys to payloads, each with a deadline after which it is gone, and a list of the keys
/// of every user.
///
/// Two guarantees hold under any concurrent call on the same store, from any process. A
/// session never exists without being listed under its user. And only [`insert`] and a
/// [`replace`] that found the old session create one, so a removed session stays removed.
///
/// Deadlines are given as seconds from `now`. A store with its own clock counts from that
/// clock's now; one without uses ours.
///
/// [`insert`]: SessionStore::insert
/// [`replace`]: SessionStore::replace
pub trait SessionStore: Send + Sync + 'static {
    /// Where the sessions of this user have to lie together; none where it makes no difference.
    fn shard(&self, _user: u32) -> Option<Shard> {
        None
    }

    /// Seconds for which a read may still find what another server has removed or changed.
    fn staleness_s(&self) -> u64 {
        0
    }

    /// Adds a session.
    fn insert(&self, session: NewSession<'_>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The payload under this key.
    fn read(&self, key: &Key, now: UnixSeconds) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// The payload under this key, read from the store itself and not from anything remembered of it.
    fn read_current(
        &self,
        key: &Key,
        now: UnixSeconds,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send {
        self.read(key, now)
    }

    /// Returns the payload under this key, whose deadline becomes `ttl_s` from now.
    fn read_extending(
        &self,
        key: &Key,
        now: UnixSeconds,
        ttl_s: u64,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Sets the deadline of what is there under this key, if anything is.
    fn set_deadline(
        &self,
        key: &Key,
        now: UnixSeconds,
        ttl_s: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Sets payload and deadline of what is there under this key, if anything is.
    fn rewrite(
        &self,
        key: &Key,
        payload: &[u8],
        now: UnixSeconds,
        ttl_s: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts a session in the place of an old one of the same user. Of several calls at once one finds the
    /// old session; false means that it was gone, and nothing was added.
    fn replace(&self, old: &Key, new: NewSession<'_>) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes a session of this user; false means that it was gone.
    fn remove(&self, key: &Key, user: u32) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes every session of this user that was there when the call began.
    fn remove_all(&self, user: u32) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Whether the store accepts writes.
    fn probe(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A session about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// Under which key.
    pub key: Key,
    /// The user.
    pub user: u32,
    /// What is kept of it.
    pub payload: &'a [u8],
    /// The instant.
    pub now: UnixSeconds,
    /// Seconds until it is gone, unless extended.
    pub ttl_s: u64,
    /// Seconds until it is gone in any case: how long its user's list has to know of it.
    pub listed_s: u64,
}
