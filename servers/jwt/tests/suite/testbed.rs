//! Servers of one scheme that share a key and a Redis, on a clock that the test sets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::auth::{AuthError, Authenticator, Issued};
use chassis::directory::Directory;
use chassis::module::{AuthModule, ModuleSettings};
use contract::body::Identity;
use jwt::{Algorithm, AnyTokens, Jwt, JwtOptions};
use serde_json::Value;

use crate::forge;
use testkit::TIMEOUT;
use testkit::redis::Redis;

pub(crate) const NOW: u64 = 1_800_000_000;
/// Seconds a token lives here.
pub(crate) const TTL_S: u64 = 100;

/// What servers stand on.
pub(crate) struct Testbed {
    pub(crate) redis: Redis,
    pub(crate) start: ModuleSettings,
    pub(crate) options: JwtOptions,
}

impl Testbed {
    /// For the scheme `jwt-hs256<suffix>`, with the shortest windows.
    pub(crate) fn of(suffix: &str) -> Self {
        let redis = Redis::start();
        let start = ModuleSettings {
            scheme: format!("jwt-hs256{suffix}").parse().unwrap(),
            redis_url: Some(redis.url()),
            key_prefix: "test:".to_owned(),
            credential_ttl_s: Some(TTL_S),
            absolute_ttl_s: 1000,
            ..forge::start(Algorithm::Hs256)
        };
        let options = JwtOptions { propagation_s: Some(1), epoch_ttl_s: Some(1), ..forge::options(Algorithm::Hs256) };
        Self { redis, start, options }
    }

    pub(crate) async fn node(&self) -> Arc<Node> {
        let built = Jwt::build(&self.start, self.options.clone()).await;
        let built = built.unwrap_or_else(|error| panic!("{error}"));
        Arc::new(Node { tokens: built.authenticator, directory: built.directory })
    }

    /// The commands that this costs Redis, without the signs of life of a feed.
    pub(crate) async fn count_commands(&self, operation: impl Future<Output = ()>) -> BTreeMap<String, u64> {
        self.redis.reset_calls();
        operation.await;
        let mut calls = self.redis.calls();
        calls.remove("ping");
        calls
    }

    /// Returns the response to a command, sent directly to Redis.
    pub(crate) fn query_redis<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut arguments = command.split(' ');
        let mut command = redis::cmd(arguments.next().unwrap());
        command.arg(arguments.collect::<Vec<_>>());
        command.query(&mut self.redis.connection()).unwrap()
    }
}

pub(crate) fn calls<const N: usize>(expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// One server.
pub(crate) struct Node {
    pub(crate) tokens: AnyTokens,
    pub(crate) directory: Arc<dyn Directory>,
}

impl Node {
    pub(crate) async fn issue(&self, user: u32, now: u64) -> Issued {
        self.tokens.issue(&Identity::seeded(user, 1), now).await.unwrap()
    }

    pub(crate) async fn login(&self, user: u32) -> String {
        self.issue(user, NOW).await.credential.unwrap()
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Identity, AuthError> {
        self.tokens.verify(Some(token), NOW).await
    }

    pub(crate) async fn renew(&self, token: &str) -> Result<String, AuthError> {
        self.tokens.renew(Some(token), NOW).await.map(|(_, issued)| issued.credential.unwrap())
    }

    pub(crate) async fn revoke(&self, token: &str) -> Result<(), AuthError> {
        self.tokens.revoke(Some(token), NOW).await
    }

    pub(crate) async fn revoke_user(&self, user: u32) -> Result<(), AuthError> {
        self.tokens.revoke_user(user, NOW).await
    }

    pub(crate) async fn assert_accepted(&self, token: &str) {
        self.verify(token).await.unwrap();
    }

    pub(crate) async fn assert_rejected(&self, token: &str) {
        assert_invalid(&self.verify(token).await);
    }

    /// Polls until the expected response arrives.
    pub(crate) async fn await_verdict(&self, token: &str, expected: impl Fn(&Result<Identity, AuthError>) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let verdict = self.verify(token).await;
            if expected(&verdict) {
                return;
            }
            assert!(Instant::now() < deadline, "still {verdict:?}");
            pause().await;
        }
    }

    pub(crate) async fn await_rejected(&self, token: &str) {
        self.await_verdict(token, |verdict| matches!(verdict, Err(AuthError::Invalid(_)))).await;
    }

    pub(crate) async fn await_store_unavailable(&self, token: &str) {
        self.await_verdict(token, |verdict| matches!(verdict, Err(AuthError::StoreUnavailable(_)))).await;
    }

    /// Waits for the store to be back. Meanwhile none of these credentials may be accepted.
    pub(crate) async fn await_ready(&self, revoked: &[&str]) {
        let deadline = Instant::now() + TIMEOUT;
        while self.tokens.ready().await.is_err() {
            assert!(Instant::now() < deadline, "it does not recover");
            for token in revoked {
                assert!(self.verify(token).await.is_err());
            }
            pause().await;
        }
    }
}

#[track_caller]
pub(crate) fn assert_invalid<T: std::fmt::Debug>(verdict: &Result<T, AuthError>) {
    assert!(matches!(verdict, Err(AuthError::Invalid(_))), "{verdict:?}");
}

#[track_caller]
pub(crate) fn assert_store_unavailable<T: std::fmt::Debug>(verdict: &Result<T, AuthError>) {
    assert!(matches!(verdict, Err(AuthError::StoreUnavailable(_))), "{verdict:?}");
}

/// Between two questions of a poll.
#[expect(clippy::disallowed_methods, reason = "coarse waiting is intended")]
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

pub(crate) fn claims(token: &str) -> Value {
    serde_json::from_slice(&forge::decode(forge::segments(token)[1])).unwrap()
}

/// The renewed tokens of as many renewals of this one at once as there are `nodes`.
pub(crate) async fn renew_concurrently(nodes: &[Arc<Node>], token: &str) -> Vec<String> {
    let attempts: Vec<_> = nodes
        .iter()
        .map(|node| {
            let (node, token) = (Arc::clone(node), token.to_owned());
            tokio::spawn(async move { node.renew(&token).await })
        })
        .collect();
    let mut winners = vec![];
    for attempt in attempts {
        winners.extend(attempt.await.unwrap().ok());
    }
    winners
}

/// Renews until it is rejected, and returns the last token.
pub(crate) async fn renew_until_rejected(node: Arc<Node>, mut token: String) -> String {
    let deadline = Instant::now() + TIMEOUT;
    while let Ok(new) = node.renew(&token).await {
        assert!(Instant::now() < deadline, "a token survived the logout of all");
        token = new;
        // A loop without a pause would block the others.
        tokio::task::yield_now().await;
    }
    token
}

/// Chains of renewals at one server, in the middle of which another ends everything.
pub(crate) async fn assert_no_renewal_survives_revocation(renewing: &Arc<Node>, revoking: &Arc<Node>) {
    for _ in 0..10 {
        let mut chains = vec![];
        for _ in 0..4 {
            let token = renewing.login(1).await;
            chains.push(tokio::spawn(renew_until_rejected(Arc::clone(renewing), token)));
        }
        tokio::task::yield_now().await;
        revoking.revoke_user(1).await.unwrap();
        for chain in chains {
            let last = chain.await.unwrap();
            renewing.await_rejected(&last).await;
        }
    }
}
