//! The parameters of the experiment `revocation`.

use crate::profile::Profile;

/// The parameters of the experiment `revocation`.
#[derive(Clone, Debug)]
pub struct RevocationParameters {
    /// Number of nodes that are polled.
    pub nodes: u32,
    /// Events of series in which a denial comes with the event or its push.
    pub prompt: EventCounts,
    /// Events of series in which it has to be waited for, or comes over a slow or interrupted link; in each wave.
    pub waited: EventCounts,
    /// Waves of events that are waited for together.
    pub waves: u32,
    /// The lifetime of tokens whose expiry is waited for, instead of the scheme's own, in seconds.
    pub life_s: u64,
    /// How long a user's epoch is cached, instead of the scheme's own time, in seconds.
    pub epoch_ttl_s: u64,
    /// The delay of pushes over a slow link, in milliseconds.
    pub delay_ms: u32,
}

/// The number of events by kind.
#[derive(Clone, Copy, Debug)]
pub struct EventCounts {
    /// Events of each of the three kinds without password hashing.
    pub plain: u32,
    /// Events of each of the two kinds with password hashing: a change of password, and the removal of a role after a
    /// login with it.
    pub hashed: u32,
}

impl EventCounts {
    /// Returns counts with about this total; most without hashing, which takes a hundred times as long.
    #[must_use]
    pub const fn of(events: u32) -> Self {
        let hashed = events / 50;
        Self { plain: (events - 2 * hashed) / 3, hashed }
    }
}

impl RevocationParameters {
    /// Returns the parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            nodes: 4,
            prompt: EventCounts::of(profile.pick(500, 1_000, 10_000)),
            waited: EventCounts { plain: profile.pick(4, 6, 8), hashed: 2 },
            waves: profile.pick(1, 1, 5),
            life_s: 4,
            epoch_ttl_s: 2,
            delay_ms: 50,
        }
    }
}
