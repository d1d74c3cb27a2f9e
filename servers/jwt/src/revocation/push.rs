//! A denylist in this process, pushed by Redis: a request sends no query.
//!
//! At the start the subscription comes first and the list is read then, so that nothing is missed. Denials are only added
//! and never removed before they expire, so neither their order nor repetitions matter. The
//! age of the list is bounded by the [`Feed`]: without a heartbeat for that long, no token is accepted.

mod denials;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::auth::{AuthError, UnixSeconds};
use redis::aio::MultiplexedConnection;
use redis::{ConnectionInfo, ErrorKind, PushInfo, PushKind, RedisError, Value};
use stores::feed::{Feed, Subscriber};

use super::ledger::Keys;
use super::{Ledger, REVOKED, Revocation};
use crate::claims::VerifiedToken;
use denials::{Denial, Denials};

/// The scheme whose revocations take effect when they have been pushed, within a time limit.
pub(crate) struct Push {
    ledger: Ledger,
    denylist: Arc<LocalDenylist>,
    feed: Feed,
    propagation_s: u64,
}

impl Push {
    /// Begins to listen at this address. What is known may be `propagation_s` seconds old.
    pub(crate) async fn start(ledger: Ledger, address: ConnectionInfo, propagation_s: u64) -> Result<Self, RedisError> {
        let denylist = Arc::new(LocalDenylist::new(ledger.keys().clone()));
        let feed = Feed::start(address, Arc::clone(&denylist), Duration::from_secs(propagation_s)).await?;
        Ok(Self { ledger, denylist, feed, propagation_s })
    }

    fn require_fresh(&self) -> Result<(), AuthError> {
        if self.feed.is_fresh() {
            return Ok(());
        }
        let text = format!("Redis: no denylist update for {} s", self.propagation_s);
        Err(AuthError::StoreUnavailable(text))
    }
}

impl Revocation for Push {
    async fn epoch(&self, _: u32) -> Result<u64, AuthError> {
        Ok(self.ledger.tick().await?)
    }

    async fn check(&self, token: &VerifiedToken) -> Result<(), AuthError> {
        self.require_fresh()?;
        let denied = self.denylist.denials.is_denied(token.id, token.identity.id, token.epoch);
        if denied { Err(REVOKED) } else { Ok(()) }
    }

    /// Queries Redis itself: a denial that was not received here yet counts as well.
    async fn check_current(&self, token: &VerifiedToken) -> Result<(), AuthError> {
        let accepted = self.ledger.accepts(token.id, token.identity.id, token.epoch).await?;
        if accepted { Ok(()) } else { Err(REVOKED) }
    }

    async fn deny(&self, token: &VerifiedToken, now: UnixSeconds) -> Result<bool, AuthError> {
        let denial_ttl_s = self.ledger.denial_ttl_s(token.exp, now);
        let first = self.ledger.deny(token.id, denial_ttl_s).await?;
        self.denylist.add(Denial::Token(token.id), denial_ttl_s);
        Ok(first)
    }

    async fn deny_user(&self, user: u32) -> Result<(), AuthError> {
        let epoch = self.ledger.deny_user(user).await?;
        self.denylist.add(Denial::User { user, epoch }, self.ledger.max_denial_ttl_s());
        Ok(())
    }

    /// Fails while the feed is not connected, even if the list is still fresh: it would not stay so.
    async fn ready(&self) -> Result<(), AuthError> {
        self.feed.await_current().await?;
        Ok(self.ledger.probe().await?)
    }

    fn window_s(&self) -> u64 {
        self.propagation_s
    }
}

/// What this process knows.
struct LocalDenylist {
    denials: Denials,
    keys: Keys,
    /// The reference of the expiry of denials: a clock that is never adjusted.
    started: Instant,
}

impl LocalDenylist {
    fn new(keys: Keys) -> Self {
        Self { denials: Denials::default(), keys, started: Instant::now() }
    }

    /// Adds a denial that has to be known for `denial_ttl_s` seconds more.
    fn add(&self, denial: Denial, denial_ttl_s: u64) {
        let now = self.started.elapsed().as_secs();
        // One second more, because this clock is cut to whole ones.
        self.denials.add(denial, now + denial_ttl_s + 1, now);
    }

    /// Adds the denial in a message: `<denial_ttl_s> <denial>`.
    fn add_message(&self, message: &str) -> Option<()> {
        let (denial_ttl_s, denial) = message.split_once(' ')?;
        self.add(denial.parse().ok()?, denial_ttl_s.parse().ok()?);
        Some(())
    }
}

impl Subscriber for LocalDenylist {
    async fn on_connect(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        connection.subscribe(&self.keys.denied).await?;
        let (floor, now, denials) = self.keys.snapshot(connection).await?;
        self.denials.raise_floor(floor);
        for (denial, end) in denials {
            // To begin with a part of the list would be to take what is revoked.
            let denial = denial.parse().map_err(|_| (ErrorKind::UnexpectedReturnType, "not a denial"))?;
            self.add(denial, end.saturating_sub(now));
        }
        Ok(())
    }

    fn on_push(&self, push: &PushInfo) {
        if push.kind != PushKind::Message {
            return;
        }
        // Only our own scripts speak here: what is not understood is not theirs.
        if let [_, Value::BulkString(message)] = push.data.as_slice() {
            str::from_utf8(message).ok().and_then(|message| self.add_message(message));
        }
    }
}
