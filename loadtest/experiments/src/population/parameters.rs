//! The parameters of the experiment `population`.

use crate::profile::Profile;

/// The parameters of the experiment `population`.
#[derive(Clone, Debug)]
pub struct PopulationParameters {
    /// Live credentials, rising: the first is what the others are held against, and memory is read at each. Of those between some
    /// are the last, halved several times: a hash table that grows by doubling is as full with them as it will be in the end.
    pub live: Vec<u32>,
    /// With how many requests are timed, too.
    pub timed: Vec<u32>,
    /// Credentials issued and revoked at which memory is read, rising.
    pub revoked: Vec<u32>,
    /// Whether schemes that differ by the algorithm of their signatures alone are all measured, or only the first of them: what is
    /// kept of a credential is the same.
    pub every_algorithm: bool,
    /// Seconds that filling one server may take; what would take longer needs a part of `long_fills_s`, or is left out, and said so.
    pub fill_s: f64,
    /// Seconds by which all fills together may exceed that. They go to the first of the schemes.
    pub long_fills_s: f64,
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

impl PopulationParameters {
    /// The parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            live: profile.pick(
                vec![1_000, 10_000, 20_000, 50_000, 100_000],
                vec![1_000, 15_625, 62_500, 100_000, 1_000_000],
                vec![1_000, 9_766, 78_125, 100_000, 625_000, 1_000_000, 10_000_000],
            ),
            timed: profile.pick(vec![100_000], vec![1_000_000], vec![100_000, 1_000_000, 10_000_000]),
            revoked: profile.pick(
                vec![5_000, 10_000, 20_000, 50_000],
                vec![10_000, 20_000, 50_000, 100_000],
                vec![100_000, 200_000, 500_000, 1_000_000],
            ),
            every_algorithm: profile.pick(true, true, false),
            fill_s: profile.pick(15.0, 30.0, 30.0),
            // Enough for ten million sessions in memory and in one Redis, on a slow day, too.
            long_fills_s: profile.pick(0.0, 0.0, 600.0),
            blocks: profile.pick(8, 6, 6),
            rate_rps: 5_000.0,
            round_s: 0.5,
            saturated_s: 0.4,
            connections: 32,
        }
    }
}
