//! Sessions in Redis, 6.2 or later, which must not evict (`maxmemory-policy noeviction`): a list that is
//! evicted before its sessions would hide them from a logout-all.
//!
//! A session is a string under `<prefix>s:<key>` with a time to live. A user's list is a sorted set
//! under `<prefix>u:<number>` of keys, scored by when each expires at the latest, pruned at every
//! login. What changes both is one script, so that it is atomic: no login or renewal
//! can slip through a logout-all, and no session exists without being listed. In a cluster, where a
//! script reaches only one node, the shard in an id keeps a user's keys together: the same scripts work.

use std::sync::Arc;

use chassis::auth::UnixSeconds;
use redis::{Cmd, Script};
use stores::{Link, Redis};

use super::{NewSession, SessionStore, StoreError};
use crate::Key;
use crate::id::Shard;

/// Sessions in a [`Redis`].
pub struct RedisStore<L> {
    redis: Arc<Redis<L>>,
    /// Whether there are shards: what belongs to a user then has to lie on one node of a cluster.
    sharded: bool,
    put: Script,
    remove_all: Script,
}

impl<L: Link> RedisStore<L> {
    /// In a single Redis.
    pub fn new(redis: Arc<Redis<L>>) -> Self {
        Self {
            redis,
            sharded: false,
            put: Script::new(include_str!("put.lua")),
            remove_all: Script::new(include_str!("remove_all.lua")),
        }
    }

    /// In a cluster.
    pub fn sharded(redis: Arc<Redis<L>>) -> Self {
        Self { sharded: true, ..Self::new(redis) }
    }
}

impl<L: Link> SessionStore for RedisStore<L> {
    fn shard(&self, user: u32) -> Option<Shard> {
        self.sharded.then(|| Shard::of(user))
    }

    async fn insert(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        self.put(session, None).await.map(|_| ())
    }

    async fn read(&self, key: &Key, _: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        self.redis.query(&self.command("GET", key)).await
    }

    async fn read_extending(&self, key: &Key, _: UnixSeconds, ttl_s: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut command = self.command("GETEX", key);
        command.arg("EX").arg(ttl_s);
        self.redis.query(&command).await
    }

    async fn set_deadline(&self, key: &Key, _: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        let mut command = self.command("EXPIRE", key);
        command.arg(ttl_s);
        self.redis.query(&command).await
    }

    async fn rewrite(&self, key: &Key, payload: &[u8], _: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        let mut command = self.command("SET", key);
        // XX: a session that was removed since it was read stays removed.
        command.arg(payload).arg("XX").arg("EX").arg(ttl_s);
        self.redis.query(&command).await
    }

    async fn replace(&self, old: &Key, new: NewSession<'_>) -> Result<bool, StoreError> {
        self.put(new, Some(old)).await
    }

    async fn remove(&self, key: &Key, user: u32) -> Result<bool, StoreError> {
        self.redis.remove_listed(self.session(key), self.list(user), member(key)).await
    }

    async fn remove_all(&self, user: u32) -> Result<(), StoreError> {
        let mut call = self.remove_all.key(self.list(user));
        call.arg(self.sessions(self.shard(user)));
        self.redis.invoke(&call).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.redis.probe().await
    }
}

impl<L: Link> RedisStore<L> {
    async fn put(&self, new: NewSession<'_>, old: Option<&Key>) -> Result<bool, StoreError> {
        let mut call = self.put.key(self.session(&new.key));
        call.key(self.list(new.user));
        call.arg(new.payload).arg(new.ttl_s).arg(new.listed_s).arg(member(&new.key));
        if let Some(old) = old {
            call.key(self.session(old)).arg(member(old));
        }
        self.redis.invoke(&call).await
    }

    fn command(&self, name: &str, key: &Key) -> Cmd {
        let mut command = Cmd::with_capacity(5, 128);
        command.arg(name).arg(self.session(key));
        command
    }

    /// Returns the name of a session's key.
    pub(super) fn session(&self, key: &Key) -> Vec<u8> {
        let mut name = self.sessions(key.shard());
        key.write_text(&mut name);
        name
    }

    /// Returns the prefix of session keys. A cluster places a key by the text in its braces.
    fn sessions(&self, shard: Option<Shard>) -> Vec<u8> {
        let prefix = self.redis.prefix();
        let mut name = Vec::with_capacity(prefix.len() + "s:{xx}".len() + 43);
        name.extend_from_slice(prefix.as_bytes());
        name.extend_from_slice(b"s:");
        if let Some(shard) = shard {
            name.extend([b"{", shard.text().as_bytes(), b"}"].concat());
        }
        name
    }

    fn list(&self, user: u32) -> String {
        let prefix = self.redis.prefix();
        match self.shard(user) {
            Some(shard) => format!("{prefix}u:{{{}}}{user}", shard.text()),
            None => format!("{prefix}u:{user}"),
        }
    }
}

fn member(key: &Key) -> Vec<u8> {
    let mut text = Vec::new();
    key.write_text(&mut text);
    text
}
