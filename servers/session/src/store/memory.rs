//! Sessions in the memory of this process.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chassis::auth::UnixSeconds;

use super::{NewSession, SessionStore, StoreError};
use crate::Key;

/// Locks of each kind: enough that two workers seldom meet.
const SHARDS: usize = 64;
/// Sessions that a shard holds before it first looks for expired ones.
const FIRST_PURGE: usize = 64;

/// A map in shards. There are two kinds of locks: over sessions, and over users, under which the
/// sessions of a user are inserted and all removed. Code that needs both takes the user's first.
#[derive(Debug)]
pub struct MemoryStore {
    sessions: Box<[Mutex<Shard>]>,
    users: Box<[Mutex<Lists>]>,
}

#[derive(Debug)]
struct Shard {
    sessions: HashMap<Key, Stored, BuildHasherDefault<FirstBytes>>,
    /// How many sessions call for the next purge: twice what the last one left, so that a purge
    /// costs an insert a bounded number of steps on average, and the expired ones take at most
    /// as much room as the living.
    purge_at: usize,
}

#[derive(Debug)]
struct Stored {
    payload: Box<[u8]>,
    user: u32,
    deadline: UnixSeconds,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let shard = || Mutex::new(Shard { sessions: HashMap::default(), purge_at: FIRST_PURGE });
        Self {
            sessions: std::iter::repeat_with(shard).take(SHARDS).collect(),
            users: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
        }
    }
}

impl SessionStore for MemoryStore {
    async fn insert(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        let mut lists = self.lists(session.user);
        self.add(&mut lists, session);
        drop(lists);
        self.purge_if_due(&session.key, session.now);
        Ok(())
    }

    async fn read(&self, key: &Key, now: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shard(key).unexpired(key, now).map(|stored| stored.payload.to_vec()))
    }

    async fn read_extending(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shard(key).unexpired(key, now).map(|stored| {
            stored.deadline = now + ttl_s;
            stored.payload.to_vec()
        }))
    }

    async fn set_deadline(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        if let Some(stored) = self.shard(key).unexpired(key, now) {
            stored.deadline = now + ttl_s;
        }
        Ok(())
    }

    async fn rewrite(&self, key: &Key, payload: &[u8], now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        if let Some(stored) = self.shard(key).unexpired(key, now) {
            stored.payload = payload.into();
            stored.deadline = now + ttl_s;
        }
        Ok(())
    }

    async fn replace(&self, old: &Key, new: NewSession<'_>) -> Result<bool, StoreError> {
        let mut lists = self.lists(new.user);
        lists.unlist(new.user, old);
        let found = self.shard(old).sessions.remove(old).is_some_and(|stored| stored.deadline > new.now);
        if found {
            self.add(&mut lists, new);
        }
        Ok(found)
    }

    async fn remove(&self, key: &Key, user: u32) -> Result<bool, StoreError> {
        let mut lists = self.lists(user);
        lists.unlist(user, key);
        Ok(self.shard(key).sessions.remove(key).is_some())
    }

    async fn remove_all(&self, user: u32) -> Result<(), StoreError> {
        let mut lists = self.lists(user);
        for key in lists.0.remove(&user).unwrap_or_default() {
            self.shard(&key).sessions.remove(&key);
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl MemoryStore {
    /// How many sessions it holds, the expired that are not yet dropped among them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.iter().map(|shard| lock(shard).sessions.len()).sum()
    }

    /// How many sessions the list of this user names.
    #[must_use]
    pub fn listed(&self, user: u32) -> usize {
        self.lists(user).0.get(&user).map_or(0, Vec::len)
    }

    fn add(&self, lists: &mut Lists, session: NewSession<'_>) {
        let NewSession { key, user, payload, now, ttl_s, .. } = session;
        lists.list(user, key);
        self.shard(&key).sessions.insert(key, Stored { payload: payload.into(), user, deadline: now + ttl_s });
    }

    /// Drops the expired sessions of this key's shard, once it has grown enough to make that worth while.
    fn purge_if_due(&self, key: &Key, now: UnixSeconds) {
        let mut shard = self.shard(key);
        if shard.sessions.len() < shard.purge_at {
            return;
        }
        let expired: Vec<_> = shard.sessions.extract_if(|_, stored| stored.deadline <= now).collect();
        shard.purge_at = FIRST_PURGE.max(2 * shard.sessions.len());
        drop(shard);
        for (key, Stored { user, .. }) in expired {
            self.lists(user).unlist(user, &key);
        }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let [.., last] = key.bytes();
        lock(&self.sessions[usize::from(*last) % SHARDS])
    }

    fn lists(&self, user: u32) -> MutexGuard<'_, Lists> {
        lock(&self.users[user as usize % SHARDS])
    }
}

/// A poisoned lock guards maps that are whole: what may panic here is memory running out, which aborts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn unexpired(&mut self, key: &Key, now: UnixSeconds) -> Option<&mut Stored> {
        self.sessions.get_mut(key).filter(|stored| stored.deadline > now)
    }
}

/// The keys of every user with sessions.
#[derive(Debug, Default)]
struct Lists(HashMap<u32, Vec<Key>>);

impl Lists {
    fn list(&mut self, user: u32, key: Key) {
        // Most users have one session, so the usual room for four would be three too many.
        self.0.entry(user).or_insert_with(|| Vec::with_capacity(1)).push(key);
    }

    fn unlist(&mut self, user: u32, key: &Key) {
        let Some(keys) = self.0.get_mut(&user) else { return };
        keys.retain(|listed| listed != key);
        if keys.is_empty() {
            self.0.remove(&user);
        }
    }
}

/// Uses the first eight bytes of a key as its hash: a SHA-256 needs no second hashing, and clients cannot
/// choose keys, because their ids are random.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length, which all keys share.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
