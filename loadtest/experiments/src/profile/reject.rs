//! The parameters of the experiment `reject`.

use super::Profile;

/// The parameters of the experiment `reject`.
#[derive(Clone, Debug)]
pub struct RejectParameters {
    /// How often every scheme is visited with every kind of garbage.
    pub blocks: u32,
    /// How long a visit lasts, in seconds.
    pub round_s: f64,
    /// Users of the closed loop.
    pub connections: u32,
    /// Different credentials of each kind.
    pub population: u32,
}

pub(super) fn parameters(profile: Profile) -> RejectParameters {
    RejectParameters {
        blocks: profile.pick(8, 6, 6),
        round_s: profile.pick(0.3, 0.1, 0.2),
        connections: 32,
        population: 500,
    }
}
