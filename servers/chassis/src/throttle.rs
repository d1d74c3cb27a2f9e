//! Wrong passwords are counted, so that guessing is slow and the user is not locked out (SP 800-63B-4 section 3.2.2).
//!
//! The rule, for logins and, with separate budgets, for the old password at a password change:
//!
//! - A name from one peer: ten failures at once, then one in half a minute. A correct password resets this budget.
//! - A name from all peers without a correct password so far: a hundred failures at once, then one in a minute. A peer
//!   with one is exempt, so that guesses from elsewhere do not lock the user out at the usual place.
//! - A password change needs a valid session, so that guesses at the login page have no effect on it.
//!
//! Each budget is a generic cell rate algorithm. Names are not stored: each has one of a fixed number of slots, by a hash
//! that only this process can compute, so that any number of names costs no memory, and an unknown name is treated like
//! a known one. Each node counts for itself.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::auth::UnixSeconds;
use crate::peer::Peer;

const SLOTS: usize = 1 << 16;

/// How many failures are accepted at once, and the seconds after which one more is.
struct Rate {
    burst: u64,
    interval_s: u64,
}

const PER_PEER: Rate = Rate { burst: 10, interval_s: 30 };
/// A hundred is the limit of SP 800-63B-4 section 3.2.2.
const PER_NAME: Rate = Rate { burst: 100, interval_s: 60 };

/// What a password is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    Login,
    PasswordChange,
}

/// A password attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) name: &'a str,
    pub(crate) peer: Peer,
    pub(crate) purpose: Purpose,
}

/// The failures of all names.
pub(crate) struct Throttle {
    hasher: RandomState,
    per_peer: Budgets,
    per_name: Budgets,
    /// Hashes of names with peers that gave the correct password; a later one replaces an earlier one.
    known: Box<[AtomicU64]>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            per_peer: Budgets::new(PER_PEER),
            per_name: Budgets::new(PER_NAME),
            known: slots(),
        }
    }

    /// Seconds until this attempt may be made; none if it may now.
    pub(crate) fn wait_s(&self, attempt: Attempt<'_>, now: UnixSeconds) -> Option<u64> {
        let peer_s = self.per_peer.wait_s(self.peer_key(attempt), now);
        let all_s = if self.is_known(attempt) { None } else { self.per_name.wait_s(self.name_key(attempt), now) };
        peer_s.max(all_s)
    }

    /// Counts a failure.
    pub(crate) fn record_failure(&self, attempt: Attempt<'_>, now: UnixSeconds) {
        self.per_peer.record_failure(self.peer_key(attempt), now);
        if !self.is_known(attempt) {
            self.per_name.record_failure(self.name_key(attempt), now);
        }
    }

    /// Resets the failures of this name from this peer.
    pub(crate) fn record_success(&self, attempt: Attempt<'_>) {
        self.per_peer.reset(self.peer_key(attempt));
        let hash = self.known_key(attempt);
        slot(&self.known, hash).store(hash, Ordering::Relaxed);
    }

    fn is_known(&self, attempt: Attempt<'_>) -> bool {
        let hash = self.known_key(attempt);
        slot(&self.known, hash).load(Ordering::Relaxed) == hash
    }

    fn peer_key(&self, attempt: Attempt<'_>) -> u64 {
        self.hasher.hash_one((attempt.purpose, attempt.name, attempt.peer))
    }

    fn name_key(&self, attempt: Attempt<'_>) -> u64 {
        self.hasher.hash_one((attempt.purpose, attempt.name))
    }

    fn known_key(&self, attempt: Attempt<'_>) -> u64 {
        self.hasher.hash_one((attempt.name, attempt.peer))
    }
}

/// Budgets of one rate.
struct Budgets {
    rate: Rate,
    /// When the failures of a slot will be forgotten, in seconds since the Unix epoch.
    forgotten_at: Box<[AtomicU64]>,
}

impl Budgets {
    fn new(rate: Rate) -> Self {
        Self { rate, forgotten_at: slots() }
    }

    fn wait_s(&self, hash: u64, now: UnixSeconds) -> Option<u64> {
        let forgotten_at = slot(&self.forgotten_at, hash).load(Ordering::Relaxed);
        let free_from = forgotten_at.saturating_sub((self.rate.burst - 1) * self.rate.interval_s);
        free_from.checked_sub(now).filter(|wait_s| *wait_s > 0)
    }

    fn record_failure(&self, hash: u64, now: UnixSeconds) {
        let later = |forgotten_at: u64| Some(forgotten_at.max(now) + self.rate.interval_s);
        let _ = slot(&self.forgotten_at, hash).fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    fn reset(&self, hash: u64) {
        slot(&self.forgotten_at, hash).store(0, Ordering::Relaxed);
    }
}

fn slots() -> Box<[AtomicU64]> {
    std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect()
}

fn slot(slots: &[AtomicU64], hash: u64) -> &AtomicU64 {
    &slots[hash as usize % SLOTS]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_234_567_890;

    fn login(name: &str, peer: u8) -> Attempt<'_> {
        Attempt { name, peer: Peer::of([192, 0, 2, peer].into()), purpose: Purpose::Login }
    }

    fn fail(throttle: &Throttle, attempt: Attempt<'_>, times: u64, now: UnixSeconds) {
        for _ in 0..times {
            assert_eq!(throttle.wait_s(attempt, now), None);
            throttle.record_failure(attempt, now);
        }
    }

    #[test]
    fn ten_failures_are_free_and_the_next_is_throttled() {
        let (throttle, a) = (Throttle::new(), login("a", 1));
        fail(&throttle, a, PER_PEER.burst, NOW);
        let interval_s = PER_PEER.interval_s;
        assert_eq!(throttle.wait_s(a, NOW), Some(interval_s));
        assert_eq!(throttle.wait_s(a, NOW + interval_s - 1), Some(1));
        fail(&throttle, a, 1, NOW + interval_s);
        assert_eq!(throttle.wait_s(a, NOW + interval_s), Some(interval_s));
        fail(&throttle, a, PER_PEER.burst, NOW + (PER_PEER.burst + 1) * interval_s);
    }

    #[test]
    fn failures_count_per_name_peer_and_purpose() {
        let (throttle, a) = (Throttle::new(), login("a", 1));
        fail(&throttle, a, PER_PEER.burst, NOW);
        assert_eq!(throttle.wait_s(login("a", 2), NOW), None);
        assert_eq!(throttle.wait_s(Attempt { purpose: Purpose::PasswordChange, ..a }, NOW), None);
        let free = (0..100).filter(|name| throttle.wait_s(login(&name.to_string(), 1), NOW).is_none()).count();
        assert!(free >= 99, "{free} of 100 other names are not throttled");
    }

    #[test]
    fn a_success_resets_the_failures_of_its_name_and_peer() {
        let (throttle, a) = (Throttle::new(), login("a", 1));
        for _ in 0..20 {
            fail(&throttle, a, PER_PEER.burst - 1, NOW);
            throttle.record_success(a);
        }
        fail(&throttle, login("a", 2), PER_PEER.burst, NOW);
        throttle.record_success(a);
        assert_eq!(throttle.wait_s(login("a", 2), NOW), Some(PER_PEER.interval_s), "nothing of another peer is reset");
    }

    #[test]
    fn hundred_failures_throttle_all_unknown_peers() {
        let (throttle, owner) = (Throttle::new(), login("a", 99));
        throttle.record_success(owner);
        for peer in 0..10 {
            fail(&throttle, login("a", peer), PER_PEER.burst, NOW);
        }
        assert_eq!(throttle.wait_s(login("a", 50), NOW), Some(PER_NAME.interval_s));
        assert_eq!(throttle.wait_s(login("b", 50), NOW), None);
        fail(&throttle, owner, PER_PEER.burst, NOW);
        assert_eq!(throttle.wait_s(owner, NOW), Some(PER_PEER.interval_s), "the owner has the budget of a peer");
        assert_eq!(
            throttle.wait_s(login("a", 50), NOW),
            Some(PER_NAME.interval_s),
            "and uses none of the others' budgets"
        );
    }
}
