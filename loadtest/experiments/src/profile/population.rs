//! The parameters of the experiment `population`.

use super::Profile;

/// The parameters of the experiment `population`.
#[derive(Clone, Debug)]
pub struct PopulationParameters {
    /// Live credentials, rising: the first is what the others are held against, and memory is read at each.
    pub live: Vec<u32>,
    /// From how many on requests are timed, too.
    pub timed_from: u32,
    /// Credentials issued and revoked at which memory is read, rising.
    pub revoked: Vec<u32>,
    /// Seconds that filling one server may take; what would take longer is left out, and said so.
    pub fill_s: f64,
    /// How often the filled server is visited at each size, and beside it the one with the fewest.
    pub blocks: u32,
    /// The rate at which response times are measured, in requests per second.
    pub rate_rps: f64,
    /// How long a visit at that rate lasts, in seconds.
    pub round_s: f64,
    /// How long a saturated visit lasts, in seconds.
    pub saturated_s: f64,
    /// Users of the closed loop, and connections that stand ready in the open one.
    pub connections: u32,
}

pub(super) fn parameters(profile: Profile) -> PopulationParameters {
    PopulationParameters {
        live: profile.pick(
            vec![1_000, 10_000, 20_000, 50_000, 100_000],
            vec![1_000, 10_000, 100_000, 1_000_000],
            vec![1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        ),
        timed_from: profile.pick(100_000, 1_000_000, 100_000),
        revoked: profile.pick(
            vec![5_000, 10_000, 20_000, 50_000],
            vec![10_000, 20_000, 50_000, 100_000],
            vec![100_000, 200_000, 500_000, 1_000_000],
        ),
        fill_s: profile.pick(15.0, 30.0, 400.0),
        blocks: profile.pick(8, 6, 6),
        rate_rps: 5_000.0,
        round_s: 0.5,
        saturated_s: 0.4,
        connections: 32,
    }
}
