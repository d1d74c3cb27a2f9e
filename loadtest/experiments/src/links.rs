//! The stretches of network that a round goes through.

use lab::proxy::DelayProxy;

/// The delay proxies of a station, which count for one round.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a> {
    /// Between the servers and the store.
    store: Option<&'a DelayProxy>,
    /// Between each server and the next.
    hops: &'a [DelayProxy],
}

impl<'a> Links<'a> {
    /// They begin to count.
    pub(crate) fn of(store: Option<&'a DelayProxy>, hops: &'a [DelayProxy]) -> Self {
        let links = Self { store, hops };
        // What passed before belongs to nobody.
        links.all().for_each(|link| drop(link.given()));
        links
    }

    /// What all of them have cost so far, in nanoseconds of CPU time.
    pub(crate) fn cpu_ns(self) -> u64 {
        self.all().map(DelayProxy::cpu_ns).sum()
    }

    /// Round-trip time to the store that was given, in microseconds: the median. None where nothing lies between.
    pub(crate) fn store_rtt_us(self) -> Option<f64> {
        given_us(self.store.into_iter())
    }

    /// The same from one server to the next.
    pub(crate) fn hop_rtt_us(self) -> Option<f64> {
        given_us(self.hops.iter())
    }

    fn all(self) -> impl Iterator<Item = &'a DelayProxy> {
        self.store.into_iter().chain(self.hops)
    }
}

fn given_us<'a>(links: impl Iterator<Item = &'a DelayProxy>) -> Option<f64> {
    let together = links.map(DelayProxy::given).reduce(|mut together, link| {
        together.merge(&link);
        together
    })?;
    Some(together.round_trip_p50().as_secs_f64() * 1e6)
}
