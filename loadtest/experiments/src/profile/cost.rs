//! The parameters of the experiment `cost`.

use super::Profile;

/// The parameters of the experiment `cost`.
#[derive(Clone, Debug)]
pub struct CostParameters {
    /// How often every scheme is visited: the number of samples of its statistics.
    pub blocks: u32,
    /// How long a visit lasts, in seconds.
    pub round_s: f64,
    /// Users of the closed loop.
    pub connections: u32,
    /// Credentials in use.
    pub population: u32,
    /// Blocks between two restarts of every server.
    pub restart_every: u32,
}

pub(super) fn parameters(profile: Profile) -> CostParameters {
    CostParameters {
        blocks: 20,
        round_s: profile.pick(0.5, 0.6, 0.6),
        connections: 32,
        population: 2_000,
        restart_every: 5,
    }
}
