//! The parameters of the experiment `revocation`.

use crate::profile::Profile;

/// The parameters of the experiment `revocation`.
#[derive(Clone, Debug)]
pub struct RevocationParameters {
    /// Nodes that are asked.
    pub nodes: u32,
    /// Where a denial is there as soon as the event or its push.
    pub prompt: EventCounts,
    /// Where it has to be waited for, or comes over a slow or broken link; in each wave.
    pub waited: EventCounts,
    /// Waves of events that are waited for together.
    pub waves: u32,
    /// What tokens live whose end is waited for, instead of the scheme's own life, in seconds.
    pub life_s: u64,
    /// How long a user's epoch is remembered, instead of the scheme's own time, in seconds.
    pub epoch_ttl_s: u64,
    /// By how much pushes come later over a slow link, in milliseconds.
    pub delay_ms: u32,
}

/// Events of each kind.
#[derive(Clone, Copy, Debug)]
pub struct EventCounts {
    /// Of each of the three kinds for which nobody hashes a password.
    pub plain: u32,
    /// Of each of the two for which somebody does: a change of password, and a role taken away from who has logged in with it.
    pub hashed: u32,
}

impl EventCounts {
    /// About so many events in all; most of those that take no hashing, which lasts a hundred times as long.
    #[must_use]
    pub const fn of(events: u32) -> Self {
        let hashed = events / 50;
        Self { plain: (events - 2 * hashed) / 3, hashed }
    }
}

impl RevocationParameters {
    /// The parameters of a profile.
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
