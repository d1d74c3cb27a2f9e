//! Redis behind a link, with a timeout.

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation, ToRedisArgs};

use crate::timeout::{Failure, RetryOnce, query_with_timeout};
use crate::{Link, StoreError};

/// How long the key of a [`Redis::probe`] stays if its deletion is lost, in milliseconds.
const PROBE_TTL_MS: u64 = 1000;
/// Error codes with which Redis rejects only writes: it is at its memory limit, a replica, cannot save its
/// data, or lacks replicas.
const WRITE_REJECTION_CODES: [&str; 4] = ["OOM", "READONLY", "MISCONF", "NOREPLICAS"];

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
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        query_with_timeout("Redis", self.query_without_timeout(command)).await
    }

    /// Returns the result of a script.
    pub async fn invoke<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        query_with_timeout("Redis", async {
            let mut retry = RetryOnce::default();
            loop {
                let result = match self.link.connection().await {
                    Ok(mut connection) => call.invoke_async(&mut connection).await,
                    Err(error) => Err(error),
                };
                if !retry.should_retry(&result) {
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
        let ((found,), repeated): ((bool,), bool) = query_with_timeout("Redis", self.query_pipeline(&both)).await?;
        // The first attempt may have deleted it.
        Ok(found || repeated)
    }

    /// Whether it accepts writes, on every node.
    pub async fn probe(&self) -> Result<(), StoreError> {
        query_with_timeout("Redis", self.probe_without_timeout()).await
    }

    /// The same, with the error as Redis gives it.
    pub(crate) async fn probe_without_timeout(&self) -> Result<(), RedisError> {
        for tag in L::PROBE_HASH_TAGS {
            let key = format!("{}probe{tag}", self.prefix);
            let () = self.query_without_timeout(redis::cmd("SET").arg(&key).arg(1).arg("PX").arg(PROBE_TTL_MS)).await?;
            let () = self.query_without_timeout(redis::cmd("DEL").arg(&key)).await?;
        }
        Ok(())
    }

    /// Returns the response to one command, with the error as Redis returns it, and without a timeout.
    pub(crate) async fn query_without_timeout<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut retry = RetryOnce::default();
        loop {
            let result = match self.link.connection().await {
                Ok(mut connection) => command.query_async(&mut connection).await,
                Err(error) => Err(error),
            };
            if !retry.should_retry(&result) {
                return result;
            }
        }
    }

    /// Returns the responses to several commands, and whether they were sent twice.
    async fn query_pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<(T, bool), RedisError> {
        let mut retry = RetryOnce::default();
        loop {
            let result = match self.link.connection().await {
                Ok(mut connection) => commands.query_async(&mut connection).await,
                Err(error) => Err(error),
            };
            if !retry.should_retry(&result) {
                return result.map(|responses| (responses, retry.repeated));
            }
        }
    }
}

impl Failure for RedisError {
    fn lost_connection(&self) -> bool {
        self.is_connection_dropped() && !self.is_connection_refusal()
    }

    fn rejected_write(&self) -> bool {
        // Before version 7, the error of a command in a script is part of the text of another error.
        let quoted = |text: &str| WRITE_REJECTION_CODES.iter().any(|code| text.contains(&format!("-{code} ")));
        let errors = self.clone().into_server_errors();
        errors.iter().flat_map(|errors| errors.iter()).any(|(_, error)| match error.code() {
            "ERR" => error.details().is_some_and(quoted),
            code => WRITE_REJECTION_CODES.contains(&code),
        })
    }
}
