//! The parameters of the experiment `fanout`.

use contract::Scheme;

use crate::profile::Profile;

/// The parameters of the experiment `fanout`.
#[derive(Clone, Debug)]
pub struct FanoutParameters {
    /// The representative schemes.
    pub schemes: Vec<Scheme>,
    /// Numbers of servers behind the first, increasing.
    pub hops: Vec<u32>,
    /// Visits of every scheme with every number of hops.
    pub blocks: u32,
    /// The rate at which response times are measured, in requests per second.
    pub rate_rps: f64,
    /// Duration of a visit at that rate, in seconds.
    pub round_s: f64,
    /// Duration of a saturated visit, in seconds.
    pub saturated_s: f64,
    /// Round-trip time between each server and the next, and between each and the store, with network delay, in
    /// microseconds.
    pub link_rtt_us: u32,
    /// The rate at which response times are measured with network delay, in requests per second.
    pub delayed_rps: f64,
    /// Duration of a visit with network delay, in seconds.
    pub delayed_s: f64,
    /// Number of connections.
    pub connections: u32,
    /// Users of the closed loop.
    pub saturated_connections: u32,
    /// Number of credentials in use.
    pub population: u32,
}

impl FanoutParameters {
    /// Returns the parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        // Representative of: no look-up and no check, both Redis clients, a cheap signature, an expensive one, and the
        // edge.
        let crossing = ["anonymous", "session-redis", "session-redis-pool", "jwt-hs256", "jwt-eddsa", "hybrid"];
        Self {
            schemes: Scheme::all().filter(|scheme| crossing.contains(&scheme.id())).collect(),
            hops: vec![1, 3, 10],
            blocks: profile.pick(5, 5, 8),
            rate_rps: 300.0,
            round_s: 0.5,
            saturated_s: 0.2,
            link_rtt_us: 1_000,
            // Each link takes a proxy about 90 µs of CPU time per round trip, and a request over ten hops crosses up to
            // 21.
            delayed_rps: 200.0,
            delayed_s: 0.8,
            connections: 32,
            saturated_connections: 4,
            population: 500,
        }
    }
}
