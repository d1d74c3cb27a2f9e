//! The parameters of the experiment `outage`.

use crate::profile::Profile;

/// The parameters of the experiment `outage`.
#[derive(Clone, Copy, Debug)]
pub struct OutageParameters {
    /// Repetitions of every fault.
    pub repetitions: u32,
    /// Requests per second and scheme.
    pub rate_rps: f64,
    /// The time before the fault, in seconds.
    pub before_s: f64,
    /// The duration of the fault, in seconds.
    pub fault_s: f64,
    /// The time of observation after the fault, in seconds.
    pub after_s: f64,
    /// The timeout of a request, in seconds.
    pub timeout_s: f64,
    /// The round-trip time of a slow store, in seconds.
    pub slow_rtt_s: f64,
    /// Number of credentials in use.
    pub population: u32,
}

impl OutageParameters {
    /// Returns the parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            repetitions: profile.pick(2, 2, 20),
            rate_rps: 100.0,
            before_s: 0.5,
            // Twice the store timeout of a server.
            fault_s: 1.6,
            after_s: 2.5,
            timeout_s: 2.0,
            slow_rtt_s: 0.2,
            population: 60,
        }
    }
}
