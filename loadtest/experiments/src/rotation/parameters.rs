//! The parameters of the experiment `rotation`.

use crate::profile::Profile;

/// The parameters of the experiment `rotation`, by its parts.
#[derive(Clone, Debug)]
pub struct RotationParameters {
    /// Of keys that roll.
    pub rolls: RollParameters,
    /// Of refreshes that race.
    pub races: RaceParameters,
    /// Of refreshes all at once.
    pub storms: StormParameters,
}

/// The parameters of keys that roll under load.
#[derive(Clone, Debug)]
pub struct RollParameters {
    /// How often every scheme's key rolls, for each way in which the other node learns of it.
    pub blocks: u32,
    /// How long the load lasts, in seconds; the key rolls in its middle.
    pub round_s: f64,
    /// Requests per second, to both nodes together.
    pub rate_rps: f64,
    /// Clients, each with a connection to each node.
    pub clients: u32,
    /// Credentials in use, the oldest of which are replaced all the time.
    pub population: u32,
}

/// The parameters of refreshes that race.
#[derive(Clone, Debug)]
pub struct RaceParameters {
    /// How long a used refresh token is still taken, in seconds.
    pub graces_s: Vec<u64>,
    /// Clients that send the same refresh token at once.
    pub clients: Vec<u32>,
    /// Families tried with each grace and number of clients.
    pub families: u32,
    /// Families in which a copy is sent later, with each grace and age.
    pub replays: u32,
}

/// The parameters of refreshes all at once.
#[derive(Clone, Debug)]
pub struct StormParameters {
    /// How far clients stray from the share of the life at which they refresh, as parts of the time between two refreshes.
    pub jitters: Vec<f64>,
    /// How often each is tried.
    pub blocks: u32,
    /// Credentials issued.
    pub credentials: u32,
    /// Within how long they are issued, in seconds.
    pub storm_s: f64,
    /// How long a credential lives, in seconds.
    pub ttl_s: u64,
    /// The part of its life after which it is refreshed, 0 to 1.
    pub share: f64,
    /// For how many times the time between two refreshes arrivals are counted.
    pub periods: u32,
    /// Connections that refreshes are sent over.
    pub connections: u32,
}

impl RotationParameters {
    /// The parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            rolls: RollParameters {
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
            storms: StormParameters {
                jitters: vec![0.0, 0.2],
                blocks: profile.pick(1, 1, 3),
                credentials: profile.pick(1_500, 3_000, 3_000),
                storm_s: profile.pick(0.6, 0.8, 0.8),
                ttl_s: profile.pick(3, 4, 4),
                share: 0.8,
                periods: profile.pick(2, 3, 3),
                connections: 32,
            },
        }
    }
}
