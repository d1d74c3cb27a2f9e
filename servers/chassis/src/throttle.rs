//! Wrong passwords are counted, so that nobody guesses for long.
//!
//! A generic cell rate algorithm over the failures of each name: ten at once, then one in half a minute. Names are
//! not kept: each has one of a fixed number of places, by a hash that nobody outside can compute, so that names
//! without number cost no memory, and an unknown name is treated like a known one. Each node counts for itself.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::auth::UnixSeconds;

/// Failures that are free.
const BURST: u64 = 10;
/// Seconds that buy one more. A hundred guesses, the bound of SP 800-63B section 3.2.2, take three quarters of an hour.
const INTERVAL_S: u64 = 30;
const PLACES: usize = 1 << 16;

/// The failures of all names.
pub(crate) struct Throttle {
    hasher: RandomState,
    /// When the failures of a place will be forgotten, in seconds since the Unix epoch.
    forgotten_at: Box<[AtomicU64]>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            forgotten_at: std::iter::repeat_with(AtomicU64::default).take(PLACES).collect(),
        }
    }

    /// Seconds until this name may try again; none if it may now.
    pub(crate) fn wait_s(&self, name: &str, now: UnixSeconds) -> Option<u64> {
        let free_from = self.place(name).load(Ordering::Relaxed).saturating_sub((BURST - 1) * INTERVAL_S);
        free_from.checked_sub(now).filter(|wait_s| *wait_s > 0)
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, name: &str, now: UnixSeconds) {
        let later = |forgotten_at: u64| Some(forgotten_at.max(now) + INTERVAL_S);
        let _ = self.place(name).fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    fn place(&self, name: &str) -> &AtomicU64 {
        &self.forgotten_at[self.hasher.hash_one(name) as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_234_567_890;

    #[test]
    fn ten_failures_are_free_and_the_next_waits_its_time() {
        let throttle = Throttle::new();
        for _ in 0..BURST {
            assert_eq!(throttle.wait_s("a", NOW), None);
            throttle.failed("a", NOW);
        }
        assert_eq!(throttle.wait_s("a", NOW), Some(INTERVAL_S));
        assert_eq!(throttle.wait_s("a", NOW + INTERVAL_S - 1), Some(1));
        assert_eq!(throttle.wait_s("a", NOW + INTERVAL_S), None);
        throttle.failed("a", NOW + INTERVAL_S);
        assert_eq!(throttle.wait_s("a", NOW + INTERVAL_S), Some(INTERVAL_S));
    }

    #[test]
    fn failures_are_forgotten_and_concern_one_name() {
        let throttle = Throttle::new();
        for _ in 0..BURST {
            throttle.failed("a", NOW);
        }
        let free = (0..100).filter(|name| throttle.wait_s(&name.to_string(), NOW).is_none()).count();
        assert!(free >= 99, "{free} of a hundred other names are free");
        for _ in 0..BURST {
            assert_eq!(throttle.wait_s("a", NOW + BURST * INTERVAL_S), None);
            throttle.failed("a", NOW + BURST * INTERVAL_S);
        }
    }
}
