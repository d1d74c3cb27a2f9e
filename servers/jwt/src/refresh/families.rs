//! Families of refresh tokens in Redis, which must not evict (`maxmemory-policy noeviction`): a list that is evicted
//! before its families would hide them from a logout-all.
//!
//! A login begins a family, and every token of it is used once (RFC 9700 section 4.14.2). A reused token was copied
//! by an unknown party, so its family is revoked. A client that sends two requests at once, or never receives a
//! response, looks the same; therefore the predecessors of the current generation may be accepted during a grace
//! period of some seconds, and then there are several tokens of one generation. The gain for a thief is declared, and is 0
//! by default.
//!
//! A family is a hash under `<prefix>f:<sid>`; tokens are in it as hashes. A user's list is a sorted set under
//! `<prefix>fu:<user>`, scored by when each expires, pruned at every login. What changes several fields or keys is one
//! script, so that it is atomic.

use std::sync::Arc;

use chassis::auth::{AuthError, UnixSeconds};
use contract::body::Identity;
use redis::Script;
use stores::{Multiplexed, Redis, StoreError};

use super::token::RefreshToken;

/// Tokens that one generation may have at most.
const MAX_SIBLINGS: usize = 8;

/// The families of all servers that share a Redis.
pub(crate) struct Families {
    redis: Arc<Redis<Multiplexed>>,
    grace_s: u64,
    begin: Script,
    rotate: Script,
    end_all: Script,
}

const UNKNOWN_FAMILY: AuthError = AuthError::Invalid("no such refresh token family");
const PAST_ABSOLUTE_TIMEOUT: AuthError = AuthError::Invalid("past the absolute timeout");
const REUSED: AuthError = AuthError::Invalid("a refresh token was reused: its family is revoked");

/// The state that decides which token is current; all none where there is no family.
type RotationFields = (Option<u32>, Option<UnixSeconds>, Option<String>, Option<String>, Option<UnixSeconds>);

/// What a family keeps of its login.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) identity: Identity,
    pub(super) auth_time: UnixSeconds,
    pub(super) ends_at: UnixSeconds,
}

impl Families {
    /// Where a predecessor is admitted for `grace_s` seconds; these are whole ones, so it may be one more.
    pub(crate) fn new(redis: Arc<Redis<Multiplexed>>, grace_s: u64) -> Self {
        Self {
            redis,
            grace_s,
            begin: Script::new(include_str!("lua/begin.lua")),
            rotate: Script::new(include_str!("lua/rotate.lua")),
            end_all: Script::new(include_str!("lua/end_all.lua")),
        }
    }

    /// Begins the family of this token.
    pub(super) async fn begin(
        &self,
        token: &RefreshToken,
        identity: &Identity,
        now: UnixSeconds,
        ends_at: UnixSeconds,
    ) -> Result<(), AuthError> {
        let json = serde_json::to_string(identity).map_err(|error| AuthError::Internal(error.to_string()))?;
        let sid = token.sid();
        let mut call = self.begin.key(self.family(&sid));
        call.key(self.list(identity.id)).arg(json).arg(identity.id).arg(now).arg(ends_at);
        call.arg(token.hash()).arg(ends_at - now).arg(sid);
        Ok(self.redis.invoke(&call).await?)
    }

    /// Puts `successor` in the place of `presented`, if this is its turn.
    pub(super) async fn rotate(
        &self,
        presented: &RefreshToken,
        successor: &RefreshToken,
        now: UnixSeconds,
    ) -> Result<Family, AuthError> {
        let sid = presented.sid();
        let mut call = self.rotate.key(self.family(&sid));
        call.arg(presented.hash()).arg(successor.hash()).arg(now).arg(self.grace_s).arg(MAX_SIBLINGS);
        call.arg(self.list_prefix()).arg(sid);
        let answer: Vec<String> = self.redis.invoke(&call).await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["good", identity, auth_time, ends_at] => {
                Family::parse(identity, auth_time, ends_at).ok_or_else(|| internal("a stored family cannot be read"))
            }
            ["gone"] => Err(UNKNOWN_FAMILY),
            ["over"] => Err(PAST_ABSOLUTE_TIMEOUT),
            ["reused"] => Err(REUSED),
            _ => Err(internal("the refresh token script returned an unexpected value")),
        }
    }

    /// Whether this family is there.
    pub(super) async fn exists(&self, sid: &str) -> Result<bool, AuthError> {
        Ok(self.redis.query(redis::cmd("EXISTS").arg(self.family(sid))).await?)
    }

    /// Ends this family of this user, if it is there.
    pub(super) async fn revoke_family(&self, sid: &str, user: u32) -> Result<(), AuthError> {
        self.redis.remove_listed(self.family(sid), self.list(user), sid).await?;
        Ok(())
    }

    /// Ends this family of any user, if it is there.
    pub(super) async fn revoke_by_sid(&self, sid: &str) -> Result<(), AuthError> {
        let user: Option<u32> = self.redis.query(redis::cmd("HGET").arg(self.family(sid)).arg("user")).await?;
        let Some(user) = user else { return Ok(()) };
        self.revoke_family(sid, user).await
    }

    /// The user of this token's family, if it is the token's turn; otherwise ends the family, as a renewal would.
    pub(super) async fn user_of(&self, presented: &RefreshToken, now: UnixSeconds) -> Result<u32, AuthError> {
        let sid = presented.sid();
        let mut command = redis::cmd("HMGET");
        command.arg(self.family(&sid)).arg(&["user", "ends_at", "current", "previous", "rotated_at"]);
        let (user, ends_at, current, previous, rotated_at): RotationFields = self.redis.query(&command).await?;
        let (Some(user), Some(ends_at), Some(current)) = (user, ends_at, current) else { return Err(UNKNOWN_FAMILY) };
        let hash = presented.hash();
        let in_grace = rotated_at.is_some_and(|at| self.grace_s > 0 && now <= at + self.grace_s);
        let is_current =
            current.contains(&hash) || in_grace && previous.is_some_and(|previous| previous.contains(&hash));
        if is_current && now < ends_at {
            return Ok(user);
        }
        self.revoke_family(&sid, user).await?;
        Err(if is_current { PAST_ABSOLUTE_TIMEOUT } else { REUSED })
    }

    /// Ends every family of this user.
    pub(super) async fn revoke_all(&self, user: u32) -> Result<(), AuthError> {
        let mut call = self.end_all.key(self.list(user));
        call.arg(self.family(""));
        Ok(self.redis.invoke(&call).await?)
    }

    /// Whether Redis accepts writes.
    pub(super) async fn probe(&self) -> Result<(), AuthError> {
        self.redis.probe().await.map_err(StoreError::into)
    }

    fn family(&self, sid: &str) -> String {
        format!("{}f:{sid}", self.redis.prefix())
    }

    fn list_prefix(&self) -> String {
        format!("{}fu:", self.redis.prefix())
    }

    fn list(&self, user: u32) -> String {
        format!("{}{user}", self.list_prefix())
    }
}

impl Family {
    fn parse(identity: &str, auth_time: &str, ends_at: &str) -> Option<Self> {
        Some(Self {
            identity: serde_json::from_str(identity).ok()?,
            auth_time: auth_time.parse().ok()?,
            ends_at: ends_at.parse().ok()?,
        })
    }
}

fn internal(text: &str) -> AuthError {
    AuthError::Internal(text.to_owned())
}
