//! Changed users in Redis: a hash a user, under `<prefix>user:<number>`. It has no end of its own.

use std::sync::Arc;

use chassis::auth::AuthError;
use chassis::directory::{Change, Directory, Standing};
use futures_util::future::BoxFuture;
use redis::Pipeline;

use crate::{Link, Redis};

const DISABLED: &str = "disabled";
const ROLES: &str = "roles";
const PASSWORD: &str = "password";
const EPOCH: &str = "epoch";

/// As they come from Redis; a field that was never set is none.
type Fields = (Option<bool>, Option<String>, Option<String>, Option<u64>);

/// The changed users of a Redis.
pub struct RedisDirectory<L>(Arc<Redis<L>>);

impl<L: Link> RedisDirectory<L> {
    /// Over this Redis.
    pub const fn new(redis: Arc<Redis<L>>) -> Self {
        Self(redis)
    }

    fn key(&self, user: u32) -> String {
        format!("{}user:{user}", self.0.prefix())
    }
}

impl<L: Link> Directory for RedisDirectory<L> {
    fn standing(&self, user: u32) -> BoxFuture<'_, Result<Standing, AuthError>> {
        Box::pin(async move {
            let mut command = redis::cmd("HMGET");
            command.arg(self.key(user)).arg(&[DISABLED, ROLES, PASSWORD, EPOCH]);
            let (disabled, roles, password, epoch): Fields = self.0.ask(&command).await?;
            let roles = roles.map(|json| serde_json::from_str(&json)).transpose();
            Ok(Standing {
                disabled: disabled.unwrap_or(false),
                roles: roles.map_err(|error| AuthError::Internal(format!("stored roles cannot be read: {error}")))?,
                password,
                epoch: epoch.unwrap_or(0),
            })
        })
    }

    fn change(&self, user: u32, change: Change) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(async move {
            let key = self.key(user);
            let mut commands = Pipeline::new();
            commands.atomic().hincr(&key, EPOCH, 1);
            if let Some(disabled) = change.disabled {
                commands.hset(&key, DISABLED, u8::from(disabled));
            }
            if let Some(roles) = change.roles {
                commands.hset(&key, ROLES, serde_json::Value::from(roles).to_string());
            }
            if let Some(password) = change.password {
                commands.hset(&key, PASSWORD, password);
            }
            let () = self.0.ask_all(commands.ignore()).await?;
            Ok(())
        })
    }
}
