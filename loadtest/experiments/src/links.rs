//! The network links of a round.

use lab::proxy::DelayProxy;

/// The delay proxies of a server under test, which count for one round.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a> {
    /// Between the servers and the store.
    store: Option<&'a DelayProxy>,
    /// Between each server and the next.
    hops: &'a [DelayProxy],
}

impl<'a> Links<'a> {
    /// Returns these links with new counters.
    pub(crate) fn of(store: Option<&'a DelayProxy>, hops: &'a [DelayProxy]) -> Self {
        let links = Self { store, hops };
        // Discards what was counted before.
        links.all().for_each(|link| drop(link.take_delays()));
        links
    }

    /// Returns the CPU time of all links so far, in nanoseconds.
    pub(crate) fn cpu_ns(self) -> u64 {
        self.all().map(DelayProxy::cpu_ns).sum()
    }

    /// Returns the median round-trip time to the store that the proxy produced, in microseconds; none for a local
    /// store.
    pub(crate) fn store_rtt_us(self) -> Option<f64> {
        round_trip_us(self.store.into_iter())
    }

    /// Returns the same from one server to the next.
    pub(crate) fn hop_rtt_us(self) -> Option<f64> {
        round_trip_us(self.hops.iter())
    }

    fn all(self) -> impl Iterator<Item = &'a DelayProxy> {
        self.store.into_iter().chain(self.hops)
    }
}

fn round_trip_us<'a>(links: impl Iterator<Item = &'a DelayProxy>) -> Option<f64> {
    let together = links.map(DelayProxy::take_delays).reduce(|mut together, link| {
        together.merge(&link);
        together
    })?;
    Some(together.round_trip_p50().as_secs_f64() * 1e6)
}
