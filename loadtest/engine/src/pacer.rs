//! The pacer: a thread that hands out a ticket at each planned arrival.
//!
//! A thread and not a task, because an asynchronous timer has a grain of 1 ms. It asks for
//! `SCHED_FIFO`, since on a busy processor an ordinary thread is woken milliseconds late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::arrivals::Schedule;
use crate::chooser::Chooser;
use crate::plan::Plan;

/// The right and the duty to send one request.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// When the request should have begun: response time counts from here.
    pub intended: Instant,
    /// Whose credential it carries.
    pub credential: u32,
}

/// The scheduling class that the pacer's thread has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulingClass {
    /// Real time, first in first out: it runs as soon as it is due.
    Fifo,
    /// The ordinary one: it may be woken late by milliseconds on a busy processor.
    Other,
}

impl std::fmt::Display for SchedulingClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fifo => "SCHED_FIFO",
            Self::Other => "SCHED_OTHER",
        })
    }
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
    let class = request_fifo();
    // Without effect on a real-time thread, which has no slack.
    nix::sys::prctl::set_timerslack(1).ok();
    let clock = Clock::now();
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

/// An instant on the clock that `clock_nanosleep` knows.
struct Clock {
    instant: Instant,
    monotonic: Duration,
}

impl Clock {
    fn now() -> Self {
        let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has CLOCK_MONOTONIC").into();
        Self { instant: Instant::now(), monotonic }
    }

    /// Sleeps towards `wake`, but no longer than `at_most`. Whether `wake` has come.
    fn sleep_until(&self, wake: Instant, at_most: Duration) -> bool {
        let now = Instant::now();
        if now >= wake {
            return true;
        }
        let until = wake.min(now + at_most);
        let deadline = TimeSpec::from(self.monotonic + until.saturating_duration_since(self.instant));
        // A signal may cut it short: the caller asks again.
        clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &deadline).ok();
        Instant::now() >= wake
    }
}

/// Asks the kernel for `SCHED_FIFO` at the lowest real-time priority, which beats every ordinary thread.
#[expect(unsafe_code, reason = "no safe binding exists")]
fn request_fifo() -> SchedulingClass {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the pointer is to a live value that the kernel only reads; 0 is the calling thread.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    if refused == 0 { SchedulingClass::Fifo } else { SchedulingClass::Other }
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
