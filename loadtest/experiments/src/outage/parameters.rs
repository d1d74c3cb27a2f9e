//! The parameters of the experiment `outage`.

use crate::profile::Profile;

/// The parameters of the experiment `outage`.
#[derive(Clone, Copy, Debug)]
pub struct OutageParameters {
    /// How often every fault is made.
    pub repetitions: u32,
    /// Requests per second and scheme.
    pub rate_rps: f64,
    /// How long all is well before the fault, in seconds.
    pub before_s: f64,
    /// How long the fault lasts, in seconds.
    pub fault_s: f64,
    /// How long is asked after it, in seconds.
    pub after_s: f64,
    /// How long a request may take, in seconds.
    pub timeout_s: f64,
    /// How long a slow store takes for there and back, in seconds.
    pub slow_rtt_s: f64,
    /// Credentials in use.
    pub population: u32,
}

impl OutageParameters {
    /// The parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            repetitions: profile.pick(2, 2, 20),
            rate_rps: 100.0,
            before_s: 0.5,
            // Twice as long as a server may wait for its store.
            fault_s: 1.6,
            after_s: 2.5,
            timeout_s: 2.0,
            slow_rtt_s: 0.2,
            population: 60,
        }
    }
}
