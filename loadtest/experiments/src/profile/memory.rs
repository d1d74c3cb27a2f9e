//! The parameters of the experiment `memory`.

use super::Profile;

/// The parameters of the experiment `memory`.
#[derive(Clone, Debug)]
pub struct MemoryParameters {
    /// Live credentials at which memory is read, rising.
    pub populations: Vec<u32>,
    /// How often a new server and a new store are filled.
    pub series: u32,
}

pub(super) fn parameters(profile: Profile) -> MemoryParameters {
    MemoryParameters {
        populations: profile.pick(
            vec![2_000, 5_000, 10_000, 20_000],
            vec![10_000, 20_000, 50_000, 100_000],
            // RS256 takes the better part of a second to sign a thousand; more, as far as time allows, are in `population`.
            vec![2_000, 5_000, 10_000, 20_000],
        ),
        series: 3,
    }
}
