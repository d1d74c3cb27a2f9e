//! A scheme with verified credentials.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chassis::auth::{AuthError, Authenticator, Issued, UnixSeconds};
use contract::body::Identity;
use contract::{RevocationClass, Scheme, StoreDown, user};
use futures_util::future::join_all;
use lab::store::Store;
use tokio::runtime::Runtime;

/// Users, each with one credential. More than one, so that no cache of the last one flatters a scheme.
const USER_COUNT: u32 = 64;
/// Operations between which the time is not measured, each of another user.
const BATCH: u64 = 1000;

/// Verifications between two yields: so many that a yield costs none of them a nanosecond.
const YIELD_EVERY: u64 = 1024;

/// How long a scheme may take until it responds again.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running scheme, and credentials that have been verified: they yield the right identity, a changed one is rejected, a
/// renewed one is accepted, and a revoked one is not, where the scheme can revoke it. A store that the scheme needs is
/// queried for each.
pub struct Fixture<'r, A> {
    /// Which scheme.
    pub scheme: Scheme,
    /// What the scheme's connections run on.
    pub runtime: &'r Runtime,
    authenticator: A,
    users: Vec<Identity>,
    /// Whose credentials are issued, renewed and revoked: to revoke one may revoke all of its user.
    others: Vec<Identity>,
    credentials: Vec<Option<String>>,
    /// The same with another signature or id, if they have one.
    tampered: Vec<String>,
    now: UnixSeconds,
}

impl<'r, A: Authenticator> Fixture<'r, A> {
    pub(crate) fn verified(scheme: Scheme, authenticator: A, runtime: &'r Runtime, store: Option<&Store>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is later than 1970").as_secs();
        let seeded = |number| Identity::seeded(number, user::DEFAULT_ROLES);
        let users: Vec<_> = (1..=USER_COUNT).map(seeded).collect();
        let others = (USER_COUNT + 1..).map(seeded).take(BATCH as usize).collect();
        let mut fixture =
            Self { scheme, runtime, authenticator, users, others, credentials: vec![], tampered: vec![], now };
        runtime.block_on(async {
            for user in &fixture.users {
                fixture.credentials.push(fixture.issue(user).await.credential);
            }
            fixture.tampered = fixture.credentials.iter().flatten().map(|credential| tamper(credential)).collect();
            fixture.check_verification(store).await;
            if !scheme.is_control() {
                fixture.check_rejection().await;
                fixture.check_renewal_and_revocation().await;
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
        assert_eq!(self.tampered.len(), self.users.len());
        for tampered in &self.tampered {
            let result = self.authenticator.verify(Some(tampered), self.now).await;
            assert!(matches!(result, Err(AuthError::Invalid(_))), "{}: {result:?}", self.scheme);
        }
        assert_eq!(self.authenticator.verify(None, self.now).await, Err(AuthError::Missing), "{}", self.scheme);
    }

    async fn check_renewal_and_revocation(&self) {
        let user = &self.others[0];
        let renewed = self.renew(&self.issue(user).await).await;
        let credential = renewed.credential.as_deref();
        assert_eq!(self.authenticator.verify(credential, self.now).await.as_ref(), Ok(user), "{}", self.scheme);
        self.revoke(&renewed).await;
        let result = self.authenticator.verify_current(credential, self.now).await;
        // Where nothing ends a credential early, revoking it does nothing.
        let accepts = self.scheme.revocation_class() == Some(RevocationClass::Expiry);
        assert_eq!(result.is_ok(), accepts, "{}: {result:?}", self.scheme);
    }

    /// Returns how long it takes to issue this many credentials, one after the other.
    ///
    /// They are revoked outside the measured time: with a store that grows from row to row, rows would not be
    /// comparable. The same applies to the other operations.
    pub async fn time_issuing(&self, count: u64) -> Duration {
        let mut spent = Duration::ZERO;
        for batch in batches(count) {
            let start = Instant::now();
            let issued = self.issue_batch(batch).await;
            spent += start.elapsed();
            self.revoke_batch(&issued).await;
        }
        spent
    }

    /// Returns how long it takes to renew this many credentials, one after the other.
    pub async fn time_renewing(&self, count: u64) -> Duration {
        let mut spent = Duration::ZERO;
        for batch in batches(count) {
            let issued = self.issue_batch(batch).await;
            let mut renewed = Vec::with_capacity(issued.len());
            let start = Instant::now();
            for each in &issued {
                renewed.push(self.renew(each).await);
            }
            spent += start.elapsed();
            self.revoke_batch(&renewed).await;
        }
        spent
    }

    /// Returns how long it takes to revoke this many credentials, one after the other.
    pub async fn time_revoking(&self, count: u64) -> Duration {
        let mut spent = Duration::ZERO;
        for batch in batches(count) {
            let issued = self.issue_batch(batch).await;
            let start = Instant::now();
            self.revoke_batch(&issued).await;
            spent += start.elapsed();
        }
        spent
    }

    /// Returns how long it takes to reject this many changed credentials, one after the other. The control rejects none.
    pub async fn time_rejecting(&self, count: u64) -> Duration {
        self.settle().await;
        let start = Instant::now();
        for (tampered, number) in self.tampered.iter().cycle().zip(0..count) {
            yield_periodically(number).await;
            let result = self.authenticator.verify(black_box(Some(tampered)), self.now).await;
            black_box(result.expect_err("the fixture has been verified"));
        }
        start.elapsed()
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

    async fn issue_batch(&self, count: u64) -> Vec<Issued> {
        let mut issued = Vec::with_capacity(count as usize);
        for user in self.others.iter().take(count as usize) {
            issued.push(self.issue(user).await);
        }
        issued
    }

    async fn revoke_batch(&self, issued: &[Issued]) {
        for each in issued {
            self.revoke(each).await;
        }
    }

    async fn issue(&self, user: &Identity) -> Issued {
        self.authenticator.issue(user, self.now).await.expect("a seeded user gets a credential")
    }

    async fn renew(&self, issued: &Issued) -> Issued {
        let presented = issued.refresh_token.as_deref().or(issued.credential.as_deref());
        self.authenticator.renew(presented, self.now).await.expect("a new credential can be renewed").1
    }

    async fn revoke(&self, issued: &Issued) {
        let revoked = self.authenticator.revoke(issued.credential.as_deref(), self.now).await;
        revoked.expect("a new credential can be revoked");
    }

    async fn verify(&self, credential: Option<&str>) {
        let verified = self.authenticator.verify(black_box(credential), self.now).await;
        black_box(verified.expect("the fixture has been verified"));
    }
}

/// Returns the sizes of the batches in which this many operations are done.
fn batches(count: u64) -> impl Iterator<Item = u64> {
    (0..count).step_by(BATCH as usize).map(move |done| BATCH.min(count - done))
}

/// Changes a credential near its end, where a token has its signature: the rest of it stays valid.
fn tamper(credential: &str) -> String {
    let (head, tail) = credential.split_at(credential.len() - 10);
    let other = if tail.starts_with('A') { "B" } else { "A" };
    format!("{head}{other}{}", &tail[1..])
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
