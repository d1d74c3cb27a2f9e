//! What experiments need of a machine, so that a finding names those that it concerns.

use crate::profile::Experiment::{
    self, Cost, Fanout, Latency, Login, Outage, Population, Reject, Revocation, Rotation, Rtt, Scaling,
};

/// Their figures are times and rates.
pub(super) const TIMED: [Experiment; 11] =
    [Cost, Latency, Rtt, Login, Reject, Scaling, Population, Revocation, Outage, Fanout, Rotation];
/// They fill a server with all that it can take.
pub(super) const FILLED: [Experiment; 7] = [Cost, Latency, Rtt, Reject, Scaling, Population, Fanout];
/// They send at moments that a plan has set.
pub(super) const PACED: [Experiment; 7] = [Latency, Rtt, Login, Population, Outage, Fanout, Rotation];
/// They put the delay proxy before a store.
pub(super) const PROXIED: [Experiment; 3] = [Rtt, Revocation, Outage];
/// They hold credentials until the memory is full of them.
pub(super) const HELD: [Experiment; 2] = [Population, Experiment::Memory];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_filled_paced_or_delayed_is_timed() {
        let others = FILLED.iter().chain(&PACED).chain(&PROXIED);
        assert_eq!(others.filter(|experiment| !TIMED.contains(experiment)).count(), 0);
        let counted: Vec<_> = Experiment::ALL.into_iter().filter(|experiment| !TIMED.contains(experiment)).collect();
        assert_eq!(counted, [Experiment::Memory, Experiment::Wire], "bytes are the same at any pace");
    }
}
