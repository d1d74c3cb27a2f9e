//! Returns when the response to a request that arrives now is due. All times are of one clock, in nanoseconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A rule of service.
#[derive(Debug)]
pub(crate) enum Station {
    /// Every request takes the same time, concurrently with all others.
    Delay {
        /// That time.
        delay_ns: u64,
    },
    /// Requests wait in one line for a free server, each of which takes the same time: G/D/k in Kendall's notation.
    Queue {
        /// That time.
        service_ns: u64,
        /// When each server becomes free, the earliest on top.
        free_at: BinaryHeap<Reverse<u64>>,
    },
}

impl Station {
    pub(crate) const fn delay(delay_ns: u64) -> Self {
        Self::Delay { delay_ns }
    }

    pub(crate) fn queue(service_ns: u64, servers: usize) -> Self {
        Self::Queue { service_ns, free_at: vec![Reverse(0); servers].into() }
    }

    /// When the request that arrives at `arrival` leaves. Requests are served in the order of these calls.
    pub(crate) fn departure(&mut self, arrival: u64) -> u64 {
        match self {
            Self::Delay { delay_ns } => arrival + *delay_ns,
            Self::Queue { service_ns, free_at } => {
                let mut free = free_at.peek_mut().expect("a station has a server");
                let departure = arrival.max(free.0) + *service_ns;
                *free = Reverse(departure);
                departure
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departures(mut station: Station, arrivals: &[u64]) -> Vec<u64> {
        arrivals.iter().map(|&arrival| station.departure(arrival)).collect()
    }

    #[test]
    fn every_request_gets_the_same_delay() {
        assert_eq!(departures(Station::delay(5), &[0, 0, 1, 100]), [5, 5, 6, 105]);
    }

    #[test]
    fn queued_request_waits_for_its_server() {
        assert_eq!(departures(Station::queue(10, 1), &[0, 1, 25, 26]), [10, 20, 35, 45]);
        assert_eq!(departures(Station::queue(10, 2), &[0, 1, 2, 30]), [10, 11, 20, 40]);
    }
}
