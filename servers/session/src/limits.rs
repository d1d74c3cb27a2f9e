//! How long a session lives: one limit that activity pushes back, and one that nothing does.

use chassis::auth::UnixSeconds;
use contract::Touch;

/// The limits of every session of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Seconds without activity after which a session ends.
    pub idle_s: u64,
    /// Seconds after login at which it ends in any case; at least `idle_s`.
    pub absolute_s: u64,
    /// When activity pushes the idle limit back.
    pub touch: Touch,
    /// Seconds within which it does so at most once, under [`Touch::Throttled`]; less than `idle_s`.
    pub touch_interval_s: u64,
}

impl Limits {
    /// Returns when a session that was active at `now` becomes idle, if it must end at `ends_at`.
    pub(crate) fn idle_deadline(&self, now: UnixSeconds, ends_at: UnixSeconds) -> UnixSeconds {
        (now + self.idle_s).min(ends_at)
    }

    /// Returns the idle deadline for the payload. With [`Touch::Always`] the payload is not rewritten, so
    /// there it has the absolute timeout, and only the store's own clock enforces the idle one.
    pub(crate) fn stored_deadline(&self, now: UnixSeconds, ends_at: UnixSeconds) -> UnixSeconds {
        if self.touch == Touch::Always { ends_at } else { self.idle_deadline(now, ends_at) }
    }
}
