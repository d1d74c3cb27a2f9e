//! The pacer: a thread that hands out a ticket at each planned arrival.
//!
//! A thread and not a task, because an asynchronous timer has a grain of 1 ms. It asks for
//! `SCHED_FIFO`, since on a busy processor an ordinary thread is woken milliseconds late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::arrivals::Schedule;
use crate::chooser::Chooser;
use crate::clock::{SchedulingClass, keep_time, now_ns, sleep_until};
use crate::plan::Plan;

/// The right and the duty to send one request.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// When the request should have begun: response time counts from here.
    pub intended: Instant,
    /// Whose credential it carries.
    pub credential: u32,
}

/// What a pacer did.
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    /// Tickets handed out.
    pub tickets: u64,
    /// The class its thread ran in.
    pub class: SchedulingClass,
}

/// A running pacer.
#[derive(Debug)]
pub struct Pacer {
    thread: JoinHandle<Paced>,
}

impl Pacer {
    /// Starts handing out the plan's tickets, the first no earlier than at `start`. The channel
    /// closes after the last one, or soon after `stop` is set.
    pub fn start(
        plan: &Plan,
        start: Instant,
        tickets: flume::Sender<Ticket>,
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        let schedule = Schedule::of(plan);
        let chooser = Chooser::new(plan.population, plan.seed, 0);
        let thread = std::thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(move || pace(schedule, chooser, start, &tickets, &stop))?;
        Ok(Self { thread })
    }

    /// Waits for the last ticket.
    #[must_use]
    pub fn join(self) -> Paced {
        self.thread.join().expect("the pacer does not panic")
    }
}

/// The longest sleep at a stretch, so that `stop` is seen.
const NAP: Duration = Duration::from_millis(50);

fn pace(
    schedule: Schedule,
    mut chooser: Chooser,
    start: Instant,
    tickets: &flume::Sender<Ticket>,
    stop: &AtomicBool,
) -> Paced {
    let class = keep_time(true);
    let clock = Anchor::now();
    let mut handed_out = 0;
    for offset in schedule {
        let intended = start + offset;
        while !stop.load(Ordering::Relaxed) && !clock.sleep_until(intended, NAP) {}
        let ticket = Ticket { intended, credential: chooser.choose() };
        if stop.load(Ordering::Relaxed) || tickets.send(ticket).is_err() {
            break;
        }
        handed_out += 1;
    }
    Paced { tickets: handed_out, class }
}

/// One moment on two clocks: the one that plans speak of, and the one that sleeps are set by.
struct Anchor {
    instant: Instant,
    monotonic_ns: u64,
}

impl Anchor {
    fn now() -> Self {
        Self { instant: Instant::now(), monotonic_ns: now_ns() }
    }

    /// Sleeps towards `wake`, but no longer than `at_most`. Whether `wake` has come.
    fn sleep_until(&self, wake: Instant, at_most: Duration) -> bool {
        let now = Instant::now();
        if now >= wake {
            return true;
        }
        let until = wake.min(now + at_most).saturating_duration_since(self.instant);
        sleep_until(self.monotonic_ns + until.as_nanos() as u64);
        Instant::now() >= wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Arrivals;

    #[test]
    fn every_arrival_becomes_a_ticket_no_earlier_than_planned() {
        let plan = Plan::new(Arrivals::Poisson { rate_rps: 2000.0 }, 0.2);
        let planned: Vec<Duration> = Schedule::of(&plan).collect();
        let (sender, receiver) = flume::unbounded();
        let start = Instant::now();
        let pacer = Pacer::start(&plan, start, sender, Arc::default()).unwrap();
        let mut received = Vec::new();
        while let Ok(ticket) = receiver.recv() {
            assert!(Instant::now() >= ticket.intended);
            received.push(ticket.intended - start);
        }
        assert_eq!(received, planned);
        assert_eq!(pacer.join().tickets, planned.len() as u64);
    }

    #[test]
    fn a_stopped_pacer_closes_the_channel() {
        let plan = Plan::new(Arrivals::Fixed { rate_rps: 0.001 }, 10_000.0);
        let (sender, receiver) = flume::unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let pacer = Pacer::start(&plan, Instant::now(), sender, stop.clone()).unwrap();
        receiver.recv().unwrap();
        stop.store(true, Ordering::Relaxed);
        receiver.recv().unwrap_err();
        assert_eq!(pacer.join().tickets, 1);
    }
}
