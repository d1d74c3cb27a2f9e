//! Redis behind a link, with a timeout.

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation, ToRedisArgs};

use crate::patience::{Failure, Repetition, patiently};
use crate::{Link, StoreError};

/// How long the key of a [`Redis::probe`] stays if its deletion is lost, in milliseconds.
const PROBE_TTL_MS: u64 = 1000;
/// Error codes with which Redis rejects only writes: it is at its memory limit, a replica, cannot save its
/// data, or lacks replicas.
const REFUSES_WRITES: [&str; 4] = ["OOM", "READONLY", "MISCONF", "NOREPLICAS"];

/// A Redis in which all keys of authbench have a common prefix.
///
/// An operation whose connection was lost is repeated once over another one, because load balancers and Redis itself
/// (`timeout`) close idle connections. So each has to be idempotent: performed twice, it leaves and reports the same.
pub struct Redis<L> {
    link: L,
    prefix: String,
}

impl<L: Link> Redis<L> {
    /// Over this link; keys begin with `prefix`, and nothing else in the database is touched.
    pub fn new(link: L, prefix: impl Into<String>) -> Self {
        Self { link, prefix: prefix.into() }
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the response to one command.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        patiently("Redis", self.asked(command)).await
    }

    /// Returns the result of a script.
    pub async fn call<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        patiently("Redis", async {
            let mut repetition = Repetition::default();
            loop {
                let result = match self.link.connection().await {
                    Ok(mut connection) => call.invoke_async(&mut connection).await,
                    Err(error) => Err(error),
                };
                if !repetition.is_due(&result) {
                    return result;
                }
            }
        })
        .await
    }

    /// Deletes a key and removes its member from a sorted set. Returns whether the key existed, or may have existed.
    ///
    /// These are plain commands: at its memory limit, Redis rejects every transaction. The key goes first, so that
    /// there is none that is not listed.
    pub async fn remove_listed(
        &self,
        key: impl ToRedisArgs,
        list: impl ToRedisArgs,
        member: impl ToRedisArgs,
    ) -> Result<bool, StoreError> {
        let mut both = Pipeline::with_capacity(2);
        both.cmd("DEL").arg(key).cmd("ZREM").arg(list).arg(member).ignore();
        let ((found,), repeated): ((bool,), bool) = patiently("Redis", self.asked_all(&both)).await?;
        // The first attempt may have deleted it.
        Ok(found || repeated)
    }

    /// Whether it accepts writes, on every node.
    pub async fn probe(&self) -> Result<(), StoreError> {
        patiently("Redis", self.probed()).await
    }

    /// The same, with the error as Redis gives it.
    pub(crate) async fn probed(&self) -> Result<(), RedisError> {
        for tag in L::PROBED {
            let key = format!("{}probe{tag}", self.prefix);
            let () = self.asked(redis::cmd("SET").arg(&key).arg(1).arg("PX").arg(PROBE_TTL_MS)).await?;
            let () = self.asked(redis::cmd("DEL").arg(&key)).await?;
        }
        Ok(())
    }

    /// Returns the response to one command, with the error as Redis returns it, and without a timeout.
    pub(crate) async fn asked<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut repetition = Repetition::default();
        loop {
            let result = match self.link.connection().await {
                Ok(mut connection) => command.query_async(&mut connection).await,
                Err(error) => Err(error),
            };
            if !repetition.is_due(&result) {
                return result;
            }
        }
    }

    /// Returns the responses to several commands, and whether they were sent twice.
    async fn asked_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<(T, bool), RedisError> {
        let mut repetition = Repetition::default();
        loop {
            let result = match self.link.connection().await {
                Ok(mut connection) => commands.query_async(&mut connection).await,
                Err(error) => Err(error),
            };
            if !repetition.is_due(&result) {
                return result.map(|answers| (answers, repetition.used));
            }
        }
    }
}

impl Failure for RedisError {
    fn lost_connection(&self) -> bool {
        self.is_connection_dropped() && !self.is_connection_refusal()
    }

    fn refused_write(&self) -> bool {
        // Before version 7, the error of a command in a script is part of the text of another error.
        let quoted = |text: &str| REFUSES_WRITES.iter().any(|code| text.contains(&format!("-{code} ")));
        let errors = self.clone().into_server_errors();
        errors.iter().flat_map(|errors| errors.iter()).any(|(_, error)| match error.code() {
            "ERR" => error.details().is_some_and(quoted),
            code => REFUSES_WRITES.contains(&code),
        })
    }
}
