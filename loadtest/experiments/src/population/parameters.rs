//! The parameters of the experiment `population`.

use crate::profile::Profile;

/// The parameters of the experiment `population`.
#[derive(Clone, Debug)]
pub struct PopulationParameters {
    /// Live credentials, increasing: the first size is the reference for the others, and memory is read at each. Some
    /// sizes in between are the largest, halved several times: a hash table that grows by doubling has the same load
    /// factor at these sizes. are the last, halved several times: a hash table that grows by doubling is as full with
    /// them as it will be in the end.
    pub live: Vec<u32>,
    /// The sizes that are also measured under load.
    pub timed: Vec<u32>,
    /// Numbers of issued and revoked credentials at which memory is read, increasing.
    pub revoked: Vec<u32>,
    /// Whether all schemes that differ only in their signature algorithm are measured, or only the first of them: their
    /// stored state is the same.
    /// kept of a credential is the same.
    pub every_algorithm: bool,
    /// Seconds for filling one server; a longer fill needs a part of `long_fills_s`, or is left out with a note in the
    /// record.
    pub fill_s: f64,
    /// Seconds by which all fills together may exceed that. The first schemes use them.
    pub long_fills_s: f64,
    /// Visits of the filled server at each size, each with one of the server with the smallest population.
    pub blocks: u32,
    /// The rate at which response times are measured, in requests per second.
    pub rate_rps: f64,
    /// Duration of a visit at that rate, in seconds.
    pub round_s: f64,
    /// Duration of a saturated visit, in seconds.
    pub saturated_s: f64,
    /// Users of the closed loop, and number of connections of the open loop.
    pub connections: u32,
}

impl PopulationParameters {
    /// Returns the parameters of a profile.
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
            // Enough for ten million sessions in memory and in one Redis, even on a slow day.
            long_fills_s: profile.pick(0.0, 0.0, 600.0),
            blocks: profile.pick(8, 6, 6),
            rate_rps: 5_000.0,
            round_s: 0.5,
            saturated_s: 0.4,
            connections: 32,
        }
    }
}
