//! The pacer: issues each ticket at its intended start, whether or not earlier requests have a response.
//!
//! It is a task among the sending ones, woken by a kernel timer with a resolution of one nanosecond
//! (Tokio's own has a millisecond). A separate thread would have to wake another one for every
//! ticket, which costs a large part of what a CPU can sustain.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::ticket::{Ticket, Tickets};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Issues tickets until there are no more, all receivers are gone, or `stop` is set; then the channel
/// closes. Returns how many it issued.
pub(crate) async fn pace(tickets: Tickets, to: flume::Sender<Ticket>, stop: Arc<AtomicBool>) -> io::Result<u64> {
    let alarm = Alarm::new()?;
    let mut issued = 0;
    for ticket in tickets {
        while !stop.load(Ordering::Relaxed) && !alarm.sleep_until(ticket.intended).await? {}
        if stop.load(Ordering::Relaxed) || to.send(ticket).is_err() {
            break;
        }
        issued += 1;
    }
    Ok(issued)
}

/// A timer that wakes a task.
struct Alarm(AsyncFd<Timer>);

/// The longest sleep at a stretch, so that a stop is seen.
const MAX_SLEEP: Duration = Duration::from_millis(50);

impl Alarm {
    #[expect(unsafe_code, reason = "Tokio cannot see that a descriptor stays open")]
    fn new() -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        // SAFETY: the timer owns its descriptor, always returns the same one, and closes it only
        // when it is dropped, together with the registration that owns it.
        Ok(Self(unsafe { AsyncFd::register_with_interest(Timer(timer), Interest::READABLE)? }))
    }

    /// Sleeps towards `wake`, but no longer than a nap. Whether `wake` has come.
    async fn sleep_until(&self, wake: Instant) -> io::Result<bool> {
        let left = wake.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(true);
        }
        let sleep = Expiration::OneShot(TimeSpec::from_duration(left.min(MAX_SLEEP)));
        // Setting it again also clears its expiration: it never needs to be read.
        self.0.get_ref().0.set(sleep, TimerSetTimeFlags::empty())?;
        self.0.readable().await?.clear_ready();
        Ok(Instant::now() >= wake)
    }
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use engine::plan::{Arrivals, Plan};

    use super::*;

    #[tokio::test]
    async fn tickets_are_never_early_and_never_lost() {
        let plan = Plan::new(Arrivals::Poisson { rate_rps: 2000.0 }, 0.2);
        let start = Instant::now();
        let planned: Vec<Ticket> = Tickets::of(&plan, start).collect();
        let (sender, receiver) = flume::unbounded();
        let pacer = tokio::spawn(pace(Tickets::of(&plan, start), sender, Arc::default()));
        let mut received = Vec::new();
        while let Ok(ticket) = receiver.recv_async().await {
            assert!(Instant::now() >= ticket.intended);
            received.push(ticket);
        }
        assert_eq!(received, planned);
        assert_eq!(pacer.await.unwrap().unwrap(), planned.len() as u64);
    }

    #[tokio::test]
    async fn stopped_pacer_closes_the_channel() {
        let plan = Plan::new(Arrivals::Fixed { rate_rps: 0.001 }, 10_000.0);
        let (sender, receiver) = flume::unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let pacer = tokio::spawn(pace(Tickets::of(&plan, Instant::now()), sender, stop.clone()));
        receiver.recv_async().await.unwrap();
        stop.store(true, Ordering::Relaxed);
        receiver.recv_async().await.unwrap_err();
        assert_eq!(pacer.await.unwrap().unwrap(), 1);
    }
}
