//! Redis behind a link, asked with patience that ends.

use redis::{Cmd, FromRedisValue, Pipeline, ScriptInvocation};

use crate::patience::patiently;
use crate::{Link, StoreError};

/// A Redis in which all our keys begin alike.
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

    /// The answer to one command.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        patiently("Redis", async {
            let mut connection = self.link.connection().await?;
            command.query_async(&mut connection).await
        })
        .await
    }

    /// The answer of a script.
    pub async fn call<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        patiently("Redis", async {
            let mut connection = self.link.connection().await?;
            call.invoke_async(&mut connection).await
        })
        .await
    }

    /// The answers to several commands at once.
    pub async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, StoreError> {
        patiently("Redis", async {
            let mut connection = self.link.connection().await?;
            commands.query_async(&mut connection).await
        })
        .await
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.ask(&redis::cmd("PING")).await
    }
}
