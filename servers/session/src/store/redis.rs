//! Sessions in Redis, 6.2 or later, which must not evict (`maxmemory-policy noeviction`): a list that is
//! gone before its sessions would hide them from a logout of all.
//!
//! A session is a string under `<prefix>s:<key>` with a time to live. A user's list is a sorted set
//! under `<prefix>u:<number>` of keys, scored by when each is over at the latest, pruned at every
//! login. What touches both is one script, so that it happens at one instant: no login or renewal
//! can slip through a logout of all sessions, and no session is there without being listed.

use std::time::Duration;

use chassis::auth::UnixSeconds;
use redis::{Cmd, FromRedisValue, RedisError, Script};
use tokio::time::timeout;

use super::{Link, NewSession, SessionStore, StoreError};
use crate::Key;

/// The longest that any operation takes: then the store counts as down. It is under a second, and
/// above what a connection and one lost packet take.
pub(super) const PATIENCE: Duration = Duration::from_millis(800);

/// Sessions behind a [`Link`].
pub struct RedisStore<L> {
    link: L,
    prefix: String,
    put: Script,
    remove_all: Script,
}

impl<L: Link> RedisStore<L> {
    /// Keys begin with `prefix`; nothing else in the database is touched.
    pub fn new(link: L, prefix: impl Into<String>) -> Self {
        Self {
            link,
            prefix: prefix.into(),
            put: Script::new(include_str!("put.lua")),
            remove_all: Script::new(include_str!("remove_all.lua")),
        }
    }
}

impl<L: Link> SessionStore for RedisStore<L> {
    async fn insert(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        self.put(session, None).await.map(|_| ())
    }

    async fn read(&self, key: &Key, _: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask(&self.command("GET", key)).await
    }

    async fn read_extending(&self, key: &Key, _: UnixSeconds, ttl_s: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut command = self.command("GETEX", key);
        command.arg("EX").arg(ttl_s);
        self.ask(&command).await
    }

    async fn set_deadline(&self, key: &Key, _: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        let mut command = self.command("EXPIRE", key);
        command.arg(ttl_s);
        self.ask(&command).await
    }

    async fn rewrite(&self, key: &Key, payload: &[u8], _: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        let mut command = self.command("SET", key);
        // XX: a session that was removed since it was read stays removed.
        command.arg(payload).arg("XX").arg("EX").arg(ttl_s);
        self.ask(&command).await
    }

    async fn replace(&self, old: &Key, new: NewSession<'_>) -> Result<bool, StoreError> {
        self.put(new, Some(old)).await
    }

    async fn remove(&self, key: &Key, user: u32) -> Result<bool, StoreError> {
        let mut both = redis::pipe();
        both.atomic().del(self.session(key)).zrem(self.list(user), member(key)).ignore();
        let (found,): (bool,) = patiently(async {
            let mut connection = self.link.connection().await?;
            both.query_async(&mut connection).await
        })
        .await?;
        Ok(found)
    }

    async fn remove_all(&self, user: u32) -> Result<(), StoreError> {
        let mut call = self.remove_all.key(self.list(user));
        call.arg(format!("{}s:", self.prefix));
        self.call(&call).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ask(&redis::cmd("PING")).await
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
        self.call(&call).await
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        patiently(async {
            let mut connection = self.link.connection().await?;
            command.query_async(&mut connection).await
        })
        .await
    }

    async fn call<T: FromRedisValue>(&self, call: &redis::ScriptInvocation<'_>) -> Result<T, StoreError> {
        patiently(async {
            let mut connection = self.link.connection().await?;
            call.invoke_async(&mut connection).await
        })
        .await
    }

    fn command(&self, name: &str, key: &Key) -> Cmd {
        let mut command = Cmd::with_capacity(5, 128);
        command.arg(name).arg(self.session(key));
        command
    }

    fn session(&self, key: &Key) -> Vec<u8> {
        let mut name = Vec::with_capacity(self.prefix.len() + 2 + 43);
        name.extend_from_slice(self.prefix.as_bytes());
        name.extend_from_slice(b"s:");
        key.write_text(&mut name);
        name
    }

    fn list(&self, user: u32) -> String {
        format!("{}u:{user}", self.prefix)
    }
}

fn member(key: &Key) -> Vec<u8> {
    let mut text = Vec::new();
    key.write_text(&mut text);
    text
}

async fn patiently<T>(asking: impl Future<Output = Result<T, RedisError>>) -> Result<T, StoreError> {
    match timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(|error| StoreError(format!("Redis: {error}"))),
        Err(_) => Err(StoreError(format!("Redis: no answer within {} ms", PATIENCE.as_millis()))),
    }
}
