//! The parameters of the experiment `rtt`.

use super::Profile;

/// The parameters of the experiment `rtt`.
#[derive(Clone, Debug)]
pub struct RttParameters {
    /// Round-trip times between server and store, in microseconds; 0 is a store beside the server, which is always tried.
    pub rtts_us: Vec<u32>,
    /// How often every scheme is visited at every distance.
    pub blocks: u32,
    /// The rate at which response times are measured, in requests per second.
    pub rate_rps: f64,
    /// How long a visit at that rate lasts, in seconds.
    pub round_s: f64,
    /// How long a saturated visit lasts, in seconds.
    pub saturated_s: f64,
    /// Connections that stand ready.
    pub connections: u32,
    /// Users of the closed loop.
    pub saturated_connections: u32,
    /// Credentials in use.
    pub population: u32,
}

pub(super) fn parameters(profile: Profile) -> RttParameters {
    RttParameters {
        rtts_us: vec![0, 200, 1_000, 5_000],
        blocks: profile.pick(10, 6, 6),
        rate_rps: 1_000.0,
        round_s: profile.pick(1.0, 0.7, 0.7),
        saturated_s: 0.5,
        connections: 64,
        saturated_connections: 4,
        population: 2_000,
    }
}
