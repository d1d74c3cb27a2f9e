//! Busy polling: a thread that does not sleep while it waits for responses.
//!
//! A server that is slower than its client responds to one request at a time, and if the client sleeps meanwhile,
//! waking it falls to the server's own write: some microseconds of the server's CPU time per request, which a faster
//! server never pays. So the thread polls for responses until the round ends. The CPU time of idle
//! polls is counted, and subtracted from the generator's CPU time: a generator that only polls is not busy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::clock::thread_cpu_ns;
use engine::record::Window;
use tokio::time::Instant;

use super::Round;

/// How often the connections of a thread were found with something to do.
#[derive(Debug, Default)]
pub(super) struct Completions(AtomicU64);

impl Completions {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// CPU time spent on idle polls, by interval of the round.
#[derive(Debug, Default)]
pub(super) struct IdlePolls(Vec<Duration>);

impl IdlePolls {
    fn add(&mut self, index: usize, time: Duration) {
        if self.0.len() <= index {
            self.0.resize(index + 1, Duration::ZERO);
        }
        self.0[index] += time;
    }

    /// In the intervals of this many seconds that begin inside the window.
    pub(super) fn inside(&self, window: Window, interval_s: f64) -> Duration {
        let counts = |index: usize| window.contains(index as f64 * interval_s);
        self.0.iter().enumerate().filter(|&(index, _)| counts(index)).map(|(_, time)| time).sum()
    }
}

/// Keeps the thread polling from the round's start to its end.
pub(super) async fn busy_poll(round: &Round, completions: &Completions) -> IdlePolls {
    let mut idle_polls = IdlePolls::default();
    let start = Instant::from(round.start);
    let end = start + Duration::from_secs_f64(round.plan.duration_s);
    tokio::time::sleep_until(start).await;
    let (mut seen, mut before, mut cpu_before) =
        (completions.0.load(Ordering::Relaxed), Instant::now(), thread_cpu_ns());
    while before < end && !round.stop.load(Ordering::Relaxed) {
        // Returns when every other task has had its turn and the kernel was polled for responses, without waiting.
        tokio::task::yield_now().await;
        let (now_seen, now, cpu_now) = (completions.0.load(Ordering::Relaxed), Instant::now(), thread_cpu_ns());
        if now_seen == seen {
            let index = (before - start).as_secs_f64() / round.plan.interval_s;
            idle_polls.add(index as usize, Duration::from_nanos(cpu_now - cpu_before));
        }
        (seen, before, cpu_before) = (now_seen, now, cpu_now);
    }
    idle_polls
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::plan::{Arrivals, Plan};
    use engine::recorder::Recorder;
    use nix::sched::CpuSet;
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn only_polling_inside_the_window_counts() {
        let mut idle_polls = IdlePolls::default();
        for (index, ms) in [(0, 1), (1, 10), (1, 10), (3, 100), (4, 1000)] {
            idle_polls.add(index, Duration::from_millis(ms));
        }
        let window = Window { start_s: 0.1, end_s: 0.4, warmup_detected: true };
        assert_eq!(idle_polls.inside(window, 0.1), Duration::from_millis(120));
    }

    #[test]
    fn polling_time_of_threads_on_one_cpu_does_not_exceed_its_time() {
        let plan = Plan { interval_s: 0.1, ..Plan::new(Arrivals::Closed, 0.3) };
        let began = std::time::Instant::now();
        let polled: Duration = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| poll_on_one_cpu(&plan, began))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let passed = began.elapsed();
        assert!(polled > Duration::ZERO && polled <= passed, "polled for {polled:?} in {passed:?}");
    }

    fn poll_on_one_cpu(plan: &Plan, start: std::time::Instant) -> Duration {
        let allowed = nix::sched::sched_getaffinity(Pid::from_raw(0)).unwrap();
        let mut one = CpuSet::new();
        one.set((0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap()).unwrap()).unwrap();
        nix::sched::sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        let recorder = Recorder::new(plan, start, 1);
        let round = Round { requests: Vec::new(), plan: plan.clone(), start, recorder, stop: Arc::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let idle_polls = runtime.block_on(busy_poll(&round, &Completions::default()));
        idle_polls.inside(Window { start_s: 0.0, end_s: plan.duration_s, warmup_detected: false }, plan.interval_s)
    }
}
