//! The parameters of the experiment `login`.

use crate::profile::Profile;

/// The parameters of the experiment `login`.
#[derive(Clone, Debug)]
pub struct LoginParameters {
    /// Visits of every scheme, without and with a login burst.
    pub blocks: u32,
    /// The rate of reads, in requests per second.
    pub rate_rps: f64,
    /// Duration of reads and logins in a visit, in seconds.
    pub round_s: f64,
    /// Number of connections for reads.
    pub connections: u32,
    /// Number of credentials in use.
    pub population: u32,
    /// Number of clients that log in.
    pub clients: u32,
    /// Measurements of issuance for every scheme.
    pub issue_blocks: u32,
    /// The least duration of issuance, in seconds.
    pub issue_s: f64,
    /// Credentials per request.
    pub batch: u32,
}

impl LoginParameters {
    /// Returns the parameters of a profile.
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
