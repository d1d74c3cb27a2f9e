//! A scheme with verified credentials.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chassis::auth::{AuthError, Authenticator, UnixSeconds};
use contract::body::Identity;
use contract::{Scheme, StoreDown, user};
use futures_util::future::join_all;
use lab::store::Store;
use tokio::runtime::Runtime;

/// Users, each with one credential. More than one, so that no cache of the last one flatters a scheme.
const USER_COUNT: u32 = 64;
/// Credentials that are issued before the clock is stopped and they are revoked.
const BATCH: u64 = 1000;

/// Verifications between two yields: so many that a yield costs none of them a nanosecond.
const YIELD_EVERY: u64 = 1024;

/// How long a scheme may take until it responds again.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running scheme, and credentials that have been verified: they yield the right identity, a
/// changed one is rejected, and a store is queried for each.
pub struct Fixture<'r, A> {
    /// Which scheme.
    pub scheme: Scheme,
    /// What the scheme's connections run on.
    pub runtime: &'r Runtime,
    authenticator: A,
    users: Vec<Identity>,
    credentials: Vec<Option<String>>,
    now: UnixSeconds,
}

impl<'r, A: Authenticator> Fixture<'r, A> {
    pub(crate) fn verified(scheme: Scheme, authenticator: A, runtime: &'r Runtime, store: Option<&Store>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is later than 1970").as_secs();
        let users: Vec<_> = (1..=USER_COUNT).map(|number| Identity::seeded(number, user::DEFAULT_ROLES)).collect();
        let mut fixture = Self { scheme, runtime, authenticator, users, credentials: vec![], now };
        runtime.block_on(async {
            for user in &fixture.users {
                fixture.credentials.push(fixture.issue(user).await);
            }
            fixture.check_verification(store).await;
            if !scheme.is_control() {
                fixture.check_rejection().await;
            }
        });
        fixture
    }

    async fn check_verification(&self, store: Option<&Store>) {
        let before = command_count(store);
        for (user, credential) in self.users.iter().zip(&self.credentials) {
            // The control returns the same user for every request.
            let expected = if self.scheme.is_control() { &self.users[0] } else { user };
            let verified = self.authenticator.verify(credential.as_deref(), self.now).await;
            assert_eq!(verified.as_ref(), Ok(expected), "{}", self.scheme);
        }
        let commands_sent = command_count(store) - before;
        // Schemes that need their store query it for each; the others may know by themselves.
        let queries_store = self.scheme.store_down() == StoreDown::FailClosed && total_commands(store).is_some();
        let expected_commands = if queries_store { u64::from(USER_COUNT) } else { 0 };
        assert!(
            commands_sent >= expected_commands,
            "{}: {USER_COUNT} checks sent {commands_sent} store commands",
            self.scheme
        );
    }

    async fn check_rejection(&self) {
        for credential in self.credentials.iter().flatten() {
            // Near its end, where a token has its signature: the rest of it stays valid.
            let (head, tail) = credential.split_at(credential.len() - 10);
            let other = if tail.starts_with('A') { "B" } else { "A" };
            let tampered = format!("{head}{other}{}", &tail[1..]);
            let result = self.authenticator.verify(Some(&tampered), self.now).await;
            assert!(matches!(result, Err(AuthError::Invalid(_))), "{}: {result:?}", self.scheme);
        }
        assert_eq!(self.authenticator.verify(None, self.now).await, Err(AuthError::Missing), "{}", self.scheme);
    }

    /// Returns how long it takes to issue this many credentials, one after the other.
    ///
    /// They are revoked outside the measured time: with a store that grows from row to row, rows would not be
    /// comparable.
    pub async fn time_issuing(&self, count: u64) -> Duration {
        let mut spent = Duration::ZERO;
        let mut left = count;
        let mut issued = Vec::with_capacity(BATCH as usize);
        while left > 0 {
            let batch = left.min(BATCH);
            let start = Instant::now();
            for user in self.users.iter().cycle().take(batch as usize) {
                issued.push(self.issue(user).await);
            }
            spent += start.elapsed();
            left -= batch;
            for credential in issued.drain(..) {
                let revoked = self.authenticator.revoke(credential.as_deref(), self.now).await;
                revoked.expect("a new credential can be revoked");
            }
        }
        spent
    }

    /// Returns how long it takes to verify this many credentials, one after the other.
    pub async fn time_verifying(&self, count: u64) -> Duration {
        self.settle().await;
        let start = Instant::now();
        for (credential, number) in self.credentials.iter().cycle().zip(0..count) {
            yield_periodically(number).await;
            self.verify(credential.as_deref()).await;
        }
        start.elapsed()
    }

    /// Returns how long it takes to verify this many batches of `concurrency` credentials, each batch concurrently.
    pub async fn time_verifying_concurrently(&self, count: u64, concurrency: usize) -> Duration {
        self.settle().await;
        let start = Instant::now();
        let mut credentials = self.credentials.iter().cycle();
        for number in 0..count {
            yield_periodically(number * concurrency as u64).await;
            join_all(credentials.by_ref().take(concurrency).map(|credential| self.verify(credential.as_deref()))).await;
        }
        start.elapsed()
    }

    /// Between two rows nothing runs, so that what a store has pushed meanwhile is still to be read.
    async fn settle(&self) {
        let deadline = tokio::time::Instant::now() + SETTLE_TIMEOUT;
        while self.authenticator.verify(self.credentials[0].as_deref(), self.now).await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "{} does not settle", self.scheme);
            tokio::time::sleep_until(tokio::time::Instant::now() + POLL_INTERVAL).await;
        }
    }

    async fn issue(&self, user: &Identity) -> Option<String> {
        self.authenticator.issue(user, self.now).await.expect("a seeded user gets a credential").credential
    }

    async fn verify(&self, credential: Option<&str>) {
        let verified = self.authenticator.verify(black_box(credential), self.now).await;
        black_box(verified.expect("the fixture has been verified"));
    }
}

/// Yields to the runtime's other tasks now and then: a scheme that never waits would otherwise prevent its own feed
/// from being read, and conclude after some seconds that its store is silent.
async fn yield_periodically(number: u64) {
    if number.is_multiple_of(YIELD_EVERY) {
        tokio::task::yield_now().await;
    }
}

/// Returns the number of commands that the store has executed so far; 0 where none are counted.
fn command_count(store: Option<&Store>) -> u64 {
    total_commands(store).unwrap_or(0)
}

fn total_commands(store: Option<&Store>) -> Option<u64> {
    let counts = store?.command_counts().expect("the private store responds")?;
    Some(counts.values().sum())
}
