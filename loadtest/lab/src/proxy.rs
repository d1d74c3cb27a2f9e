//! The delay proxy: a network link between two processes with configurable delay and faults.
//!
//! It runs between server and store, or between edge and inner server, and forwards bytes both ways. One thread
//! does all the work, woken by a kernel timer with a resolution of one nanosecond, under `SCHED_FIFO` where
//! permitted; it busy polls during the last microseconds instead of sleeping.
//!
//! The actual delays are measured: [`DelayProxy::take_delays`]. One limitation: a connection opens at once,
//! where a real one would take a round trip.

mod accuracy;
mod arrival;
mod flow;
mod pump;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;
use nix::sys::eventfd::{EfdFlags, EventFd};

pub use accuracy::{MAX_ERROR_US, Percentiles, ProxyAccuracy, measure_accuracy};

/// What a stretch of network does to what passes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// How long a byte takes one way: half of the round-trip time.
    pub delay: Duration,
    /// The most that is added to that, drawn evenly for every piece; what was sent first still comes first.
    pub jitter: Duration,
    /// Bytes that pass in a second, one way; none means without limit.
    pub bytes_per_s: Option<u64>,
}

impl Link {
    /// A link with this round-trip time.
    #[must_use]
    pub fn of_round_trip(time: Duration) -> Self {
        Self { delay: time / 2, ..Self::default() }
    }
}

/// What is wrong with a stretch of network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkFault {
    /// Nothing.
    #[default]
    None,
    /// Nothing passes, and nothing is lost: it comes later.
    Stalled,
    /// Every connection is reset, and every new one, too.
    Cut,
    /// The far end has vanished silently: connections stay open, and sent data is lost. When the fault
    /// ends they are reset, as by a peer that does not know them.
    HalfOpen,
}

/// The delay that was really given, one way, from when a piece came, by the kernel's account, to when it was passed on,
/// in nanoseconds.
#[derive(Clone, Debug)]
pub struct MeasuredDelays {
    /// Towards the target.
    pub to_target: Histogram<u64>,
    /// From the target.
    pub from_target: Histogram<u64>,
}

/// A proxy at work. Dropping it closes every connection.
#[derive(Debug)]
pub struct DelayProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    settings: Mutex<Settings>,
    /// Signalled when the settings have changed.
    wakeup: EventFd,
    delays: Mutex<MeasuredDelays>,
    /// What the thread has used, in nanoseconds, up to about a millisecond ago.
    cpu_ns: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    link: Link,
    fault: LinkFault,
    stop: bool,
}

/// For nanoseconds up to a minute, to three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

impl MeasuredDelays {
    fn empty() -> Self {
        Self { to_target: histogram(), from_target: histogram() }
    }

    /// Adds the delays of another proxy.
    pub fn merge(&mut self, other: &Self) {
        let all_fit = "all have the same bounds";
        self.to_target.add(&other.to_target).expect(all_fit);
        self.from_target.add(&other.from_target).expect(all_fit);
    }

    /// The medians of both directions together: the round trip, without the time of the target.
    #[must_use]
    pub fn round_trip_p50(&self) -> Duration {
        Duration::from_nanos(self.to_target.value_at_quantile(0.5) + self.from_target.value_at_quantile(0.5))
    }
}

impl DelayProxy {
    /// Opens a port on loopback that leads to `target` over `link`. Its thread is kept on `cpus` unless these are
    /// empty; the seed is that of the jitter.
    pub fn start(target: SocketAddr, link: Link, cpus: &[u32], seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            settings: Mutex::new(Settings { link, fault: LinkFault::None, stop: false }),
            wakeup: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
            delays: Mutex::new(MeasuredDelays::empty()),
            cpu_ns: AtomicU64::new(0),
        });
        let pump = pump::Pump::new(listener, target, Arc::clone(&shared), seed)?;
        let cpus = cpus.to_owned();
        let thread = std::thread::Builder::new().name("delay-proxy".to_owned()).spawn(move || pump.run(&cpus))?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Where clients connect instead of to the target.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the link for data that arrives from now on.
    pub fn set_link(&self, link: Link) {
        self.update(|settings| settings.link = link);
    }

    /// Sets the fault from now on.
    pub fn set_fault(&self, fault: LinkFault) {
        self.update(|settings| settings.fault = fault);
    }

    /// Returns the actual delays since the start, or since the last call.
    #[must_use]
    pub fn take_delays(&self) -> MeasuredDelays {
        std::mem::replace(&mut *lock(&self.shared.delays), MeasuredDelays::empty())
    }

    /// What the proxy has cost so far, in nanoseconds of CPU time of this process.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.shared.cpu_ns.load(Ordering::Relaxed)
    }

    fn update(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.shared.settings));
        // The counter overflows only after 2^64 unread signals, and then it is readable.
        let _ = self.shared.wakeup.write(1);
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.update(|settings| settings.stop = true);
        if let Some(thread) = self.thread.take() {
            // It has no result; if it panicked, its connections are closed, too.
            let _ = thread.join();
        }
    }
}

/// Nothing in these locks is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
