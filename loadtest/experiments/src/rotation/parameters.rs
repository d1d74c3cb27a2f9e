//! The parameters of the experiment `rotation`.

use crate::profile::Profile;

/// The parameters of the experiment `rotation`, by its parts.
#[derive(Clone, Debug)]
pub struct RotationParameters {
    /// Key rotation.
    pub key_rotations: KeyRotationParameters,
    /// Refresh races.
    pub races: RaceParameters,
    /// Refresh bursts.
    pub refresh_bursts: RefreshBurstParameters,
}

/// The parameters of key rotation under load.
#[derive(Clone, Debug)]
pub struct KeyRotationParameters {
    /// Rotations of every scheme's key, for each way in which the other node gets it.
    pub blocks: u32,
    /// Duration of the load, in seconds; the key is rotated in its middle.
    pub round_s: f64,
    /// Requests per second, to both nodes together.
    pub rate_rps: f64,
    /// Clients, each with a connection to each node.
    pub clients: u32,
    /// Number of credentials in use, the oldest of which are replaced continually.
    pub population: u32,
}

/// The parameters of refresh races.
#[derive(Clone, Debug)]
pub struct RaceParameters {
    /// Grace periods for which a used refresh token is still accepted, in seconds.
    pub graces_s: Vec<u64>,
    /// Numbers of clients that send the same refresh token at once.
    pub clients: Vec<u32>,
    /// Families with each grace period and number of clients.
    pub families: u32,
    /// Families in which a copy is sent later, with each grace period and age.
    pub replays: u32,
}

/// The parameters of refresh bursts.
#[derive(Clone, Debug)]
pub struct RefreshBurstParameters {
    /// Jitters of the fraction of the lifetime at which clients refresh, as fractions of the time between two
    /// refreshes.
    pub jitters: Vec<f64>,
    /// Repetitions of each.
    pub blocks: u32,
    /// Number of credentials issued.
    pub credentials: u32,
    /// The duration of issuing, in seconds.
    pub burst_s: f64,
    /// The lifetime of a credential, in seconds.
    pub ttl_s: u64,
    /// The fraction of its lifetime after which it is refreshed, 0 to 1.
    pub share: f64,
    /// The duration of counting, in multiples of the time between two refreshes.
    pub periods: u32,
    /// Number of connections for refreshes.
    pub connections: u32,
}

impl RotationParameters {
    /// Returns the parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            key_rotations: KeyRotationParameters {
                blocks: profile.pick(1, 2, 2),
                round_s: 2.4,
                rate_rps: 200.0,
                clients: 16,
                population: 40,
            },
            races: RaceParameters {
                graces_s: vec![0, 5, 30],
                clients: vec![2, 4, 8],
                families: profile.pick(200, 400, 2_000),
                replays: 20,
            },
            refresh_bursts: RefreshBurstParameters {
                jitters: vec![0.0, 0.2],
                blocks: profile.pick(1, 1, 3),
                credentials: profile.pick(1_500, 3_000, 3_000),
                burst_s: profile.pick(0.6, 0.8, 0.8),
                ttl_s: profile.pick(3, 4, 4),
                share: 0.8,
                periods: profile.pick(2, 3, 3),
                connections: 32,
            },
        }
    }
}
