//! What time it is, as a value, so that a test can choose it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::auth::UnixSeconds;

/// Where the handlers read the time that they give to the authenticator.
pub(crate) struct Clock {
    source: fn() -> UnixSeconds,
    /// Seconds by which it was moved forward.
    advanced_s: AtomicU64,
}

impl Clock {
    /// The clock of the operating system.
    pub(crate) const fn system() -> Self {
        Self::new(system_seconds)
    }

    pub(crate) const fn new(source: fn() -> UnixSeconds) -> Self {
        Self { source, advanced_s: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        (self.source)() + self.advanced_s.load(Ordering::Relaxed)
    }

    /// Advances it, and never sets it back, because what has expired stays expired.
    pub(crate) fn advance(&self, seconds: u64) {
        self.advanced_s.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn system_seconds() -> UnixSeconds {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is later than 1970").as_secs()
}
