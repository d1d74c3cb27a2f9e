//! Changed users in Redis: a hash a user, under `<prefix>user:<number>`. It has no end of its own.

use std::sync::Arc;

use chassis::auth::AuthError;
use chassis::directory::{Change, Directory, UserState};
use futures_util::future::BoxFuture;
use redis::Script;

use crate::{Link, Redis};

const DISABLED: &str = "disabled";
const ROLES: &str = "roles";
const PASSWORD: &str = "password";
const EPOCH: &str = "epoch";

/// As they come from Redis; a field that was never set is none.
type Fields = (Option<bool>, Option<String>, Option<String>, Option<u64>);

/// The changed users of a Redis.
pub struct RedisDirectory<L> {
    redis: Arc<Redis<L>>,
    change: Script,
}

impl<L: Link> RedisDirectory<L> {
    /// Over this Redis.
    pub fn new(redis: Arc<Redis<L>>) -> Self {
        Self { redis, change: Script::new(include_str!("change.lua")) }
    }

    fn key(&self, user: u32) -> String {
        format!("{}user:{user}", self.redis.prefix())
    }

    /// Changes a user, where an epoch is given only at that one; returns whether it did.
    async fn changed(&self, user: u32, epoch: Option<u64>, change: Change) -> Result<bool, AuthError> {
        let mut call = self.change.key(self.key(user));
        call.arg(epoch.map_or_else(String::new, |epoch| epoch.to_string()));
        for (field, value) in fields(change) {
            call.arg(field).arg(value);
        }
        Ok(self.redis.invoke(&call).await?)
    }
}

/// The fields that a change writes, with their values.
fn fields(change: Change) -> impl Iterator<Item = (&'static str, String)> {
    let Change { disabled, roles, password } = change;
    let disabled = disabled.map(|disabled| (DISABLED, u8::from(disabled).to_string()));
    let roles = roles.map(|roles| (ROLES, serde_json::Value::from(roles).to_string()));
    let password = password.map(|password| (PASSWORD, password));
    disabled.into_iter().chain(roles).chain(password)
}

impl<L: Link> Directory for RedisDirectory<L> {
    fn user_state(&self, user: u32) -> BoxFuture<'_, Result<UserState, AuthError>> {
        Box::pin(async move {
            let mut command = redis::cmd("HMGET");
            command.arg(self.key(user)).arg(&[DISABLED, ROLES, PASSWORD, EPOCH]);
            let (disabled, roles, password, epoch): Fields = self.redis.query(&command).await?;
            let roles = roles.map(|json| serde_json::from_str(&json)).transpose();
            Ok(UserState {
                disabled: disabled.unwrap_or(false),
                roles: roles.map_err(|error| AuthError::Internal(format!("stored roles cannot be read: {error}")))?,
                password,
                epoch: epoch.unwrap_or(0),
            })
        })
    }

    fn change(&self, user: u32, change: Change) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(async move { self.changed(user, None, change).await.map(drop) })
    }

    fn change_at_epoch(&self, user: u32, epoch: u64, change: Change) -> BoxFuture<'_, Result<bool, AuthError>> {
        Box::pin(self.changed(user, Some(epoch), change))
    }
}
