//! The parameters of the experiment `login`.

use crate::profile::Profile;

/// The parameters of the experiment `login`.
#[derive(Clone, Debug)]
pub struct LoginParameters {
    /// How often every scheme is visited, idle and in a storm.
    pub blocks: u32,
    /// The rate of reads, in requests per second.
    pub rate_rps: f64,
    /// How long reads arrive and logins begin in a visit, in seconds.
    pub round_s: f64,
    /// Connections that stand ready for reads.
    pub connections: u32,
    /// Credentials in use.
    pub population: u32,
    /// Clients who log in.
    pub clients: u32,
    /// How often every scheme hands out credentials without a password.
    pub issue_blocks: u32,
    /// How long it does so at least, in seconds.
    pub issue_s: f64,
    /// Credentials asked for at once.
    pub batch: u32,
}

impl LoginParameters {
    /// The parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            blocks: profile.pick(8, 6, 6),
            rate_rps: 1_500.0,
            round_s: profile.pick(1.0, 0.35, 0.35),
            connections: 64,
            population: 2_000,
            clients: 8,
            issue_blocks: profile.pick(10, 6, 6),
            issue_s: profile.pick(0.2, 0.1, 0.1),
            batch: 1_000,
        }
    }
}
