//! The revocations in Redis, which must not evict (`maxmemory-policy noeviction`).
//!
//! | key | value | expires |
//! | --- | --- | --- |
//! | `<prefix>d:<token id>` | this token is denied | with the token |
//! | `<prefix>e:<user>` | the user's epoch: tokens of an earlier one are denied | with the last of these |
//! | `<prefix>floor` | the tick at which this ledger began | never |
//! | `<prefix>tick` | the last tick of its clock | never |
//! | `<prefix>denied` | the current denials, and the channel for new ones | with the last of them |
//!
//! Epochs are ticks of one clock that never goes back, in microseconds. A token has the tick of its login,
//! a revocation of the user takes the next one, so a token is denied exactly if its tick is lower. A login does not get
//! "the user's epoch or else the floor", because then epochs would fall: after the key of an epoch has expired, a login
//! would get the floor again, and a node that still caches the epoch would reject a new token.
//!
//! The floor is for a Redis that has lost its data. Without one, every node would accept revoked tokens
//! again. So a token is rejected where there is no floor, and where its tick is below the floor; the
//! next login creates a new one. All users log in again, and revoked tokens stay rejected. A Redis that comes back with
//! a part of its data has a floor and is trusted: so it should keep everything that it has acknowledged
//! (`appendfsync always`), or nothing at all.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use chassis::auth::UnixSeconds;
use redis::aio::ConnectionLike;
use redis::{RedisError, Script};
use stores::{Multiplexed, Redis, StoreError};

use crate::claims::TokenPolicy;
use crate::token_id::TokenId;

/// A script that begins with the ledger's clock.
macro_rules! script {
    ($($file:literal),+) => {
        Script::new(concat!($(include_str!(concat!("lua/", $file, ".lua"))),+))
    };
}

/// The revocations of all servers that share a Redis.
pub(crate) struct Ledger {
    redis: Arc<Redis<Multiplexed>>,
    keys: Keys,
    /// Whether denials are listed and pushed, too.
    pushes: bool,
    ttl_s: u64,
    leeway_s: u64,
    issue: Script,
    deny: Script,
    deny_user: Script,
}

/// The names of keys that there is one of.
#[derive(Clone)]
pub(super) struct Keys {
    floor: String,
    tick: String,
    pub(super) denied: String,
}

/// What has been denied so far, as Redis gives it: the floor, its clock in seconds, and denials with their ends in
/// seconds of that clock.
pub(super) type Snapshot = (u64, u64, Vec<(String, u64)>);

impl Ledger {
    /// For tokens on these terms.
    pub(crate) fn new(redis: Arc<Redis<Multiplexed>>, policy: &TokenPolicy) -> Self {
        Self {
            keys: Keys::new(redis.prefix()),
            redis,
            pushes: false,
            ttl_s: policy.ttl_s,
            leeway_s: policy.leeway_s,
            issue: script!("clock", "issue"),
            deny: script!("publish", "deny"),
            deny_user: script!("clock", "publish", "deny_user"),
        }
    }

    /// The same for servers that listen.
    pub(crate) fn with_push(self) -> Self {
        Self { pushes: true, ..self }
    }

    pub(super) const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The epoch of a token that is issued now.
    pub(super) async fn tick(&self) -> Result<u64, StoreError> {
        self.redis.invoke(self.issue.key(&self.keys.floor).key(&self.keys.tick)).await
    }

    /// Returns whether this token of this user and epoch is accepted. It sends one command.
    pub(super) async fn accepts(&self, id: TokenId, user: u32, epoch: u64) -> Result<bool, StoreError> {
        let mut command = redis::cmd("MGET");
        command.arg(self.denial_key(id)).arg(self.epoch_key(user)).arg(&self.keys.floor);
        let (denied, user_epoch, floor): (Option<u64>, Option<u64>, Option<u64>) = self.redis.query(&command).await?;
        Ok(denied.is_none() && min_epoch(user_epoch, floor).is_some_and(|least| epoch >= least))
    }

    /// Returns the minimum epoch of an accepted token of this user; none where all are rejected. It sends one command.
    pub(super) async fn min_epoch(&self, user: u32) -> Result<Option<u64>, StoreError> {
        let mut command = redis::cmd("MGET");
        command.arg(self.epoch_key(user)).arg(&self.keys.floor);
        let (user_epoch, floor) = self.redis.query(&command).await?;
        Ok(min_epoch(user_epoch, floor))
    }

    /// Ends this token. Of several calls at once one does; false means that another has.
    pub(super) async fn deny(&self, id: TokenId, denial_ttl_s: u64) -> Result<bool, StoreError> {
        let mut call = self.deny.key(self.denial_key(id));
        // A number that no other call has, by which a repetition is recognised. Redis keeps it without a string.
        let number = RandomState::new().hash_one(id) >> 1;
        call.arg(denial_ttl_s).arg(id.to_text()).arg(number);
        if self.pushes {
            call.key(&self.keys.denied);
        }
        self.redis.invoke(&call).await
    }

    /// Ends every token of this user that was issued before, and gives the least epoch that is left.
    pub(super) async fn deny_user(&self, user: u32) -> Result<u64, StoreError> {
        let mut call = self.deny_user.key(&self.keys.floor);
        call.key(&self.keys.tick).key(self.epoch_key(user));
        call.arg(self.max_denial_ttl_s()).arg(user);
        if self.pushes {
            call.key(&self.keys.denied);
        }
        self.redis.invoke(&call).await
    }

    /// Seconds for which a denial of a token that ends at `exp` has to be known. Besides the leeway that every server
    /// gives, the clock of another may be behind ours by as much.
    pub(super) fn denial_ttl_s(&self, exp: UnixSeconds, now: UnixSeconds) -> u64 {
        exp.saturating_add(2 * self.leeway_s).saturating_sub(now).max(1)
    }

    /// The same for any token that may be there.
    pub(super) const fn max_denial_ttl_s(&self) -> u64 {
        self.ttl_s + 2 * self.leeway_s
    }

    /// Whether Redis accepts writes.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        self.redis.probe().await
    }

    fn denial_key(&self, id: TokenId) -> String {
        format!("{}d:{}", self.redis.prefix(), id.to_text())
    }

    fn epoch_key(&self, user: u32) -> String {
        format!("{}e:{user}", self.redis.prefix())
    }
}

/// Combines the user's epoch, if there is one, with the floor.
fn min_epoch(user_epoch: Option<u64>, floor: Option<u64>) -> Option<u64> {
    floor.map(|floor| floor.max(user_epoch.unwrap_or(0)))
}

impl Keys {
    fn new(prefix: &str) -> Self {
        let key = |name| format!("{prefix}{name}");
        Self { floor: key("floor"), tick: key("tick"), denied: key("denied") }
    }

    /// Returns the denials so far, over the connection that receives the later ones.
    pub(super) async fn snapshot<C: ConnectionLike>(&self, connection: &mut C) -> Result<Snapshot, RedisError> {
        let script = script!("clock", "snapshot");
        script.key(&self.floor).key(&self.tick).key(&self.denied).invoke_async(connection).await
    }
}
