//! How well this machine keeps time: what it takes to read the clock, and how late a sleep ends.

use std::thread;
use std::time::Duration;

use engine::clock::{SchedulingClass, enable_precise_wakeups, now_ns, sleep_until};
use hdrhistogram::Histogram;

const BATCHES: u32 = 20;
const READINGS_PER_BATCH: u32 = 2_000;

/// Sleeps that were made, and how late each ended.
#[derive(Clone, Debug)]
pub struct Sleeps {
    late_ns: Histogram<u64>,
    /// The class that the sleeping thread got.
    pub class: SchedulingClass,
}

impl Sleeps {
    /// So much of them ended at most this late, in microseconds; the quantile is 0 to 1.
    #[must_use]
    pub fn late_us(&self, quantile: f64) -> f64 {
        self.late_ns.value_at_quantile(quantile) as f64 / 1e3
    }

    /// The share of them that ended more than this late, 0 to 1.
    #[must_use]
    pub fn share_later_than(&self, us: u64) -> f64 {
        self.late_ns.count_between(us * 1_000 + 1, u64::MAX) as f64 / self.late_ns.len().max(1) as f64
    }
}

/// Sleeps this many times from one moment of a steady schedule to the next, in its own thread, with `SCHED_FIFO`
/// if `fifo`. Moments that have already passed, because a sleep ended late, count as late as they are.
#[must_use]
pub fn measure_sleeps(count: u32, pace: Duration, fifo: bool) -> Sleeps {
    let sleeping = thread::spawn(move || {
        let class = enable_precise_wakeups(fifo);
        let mut late_ns = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order");
        let start = now_ns();
        for number in 1..=u64::from(count) {
            let due = start + number * pace.as_nanos() as u64;
            sleep_until(due);
            late_ns.saturating_record(now_ns().saturating_sub(due));
        }
        Sleeps { late_ns, class }
    });
    sleeping.join().expect("sleeping does not panic")
}

/// Returns the scheduling class of a thread that requests `SCHED_FIFO`.
#[must_use]
pub fn request_fifo() -> SchedulingClass {
    thread::spawn(|| enable_precise_wakeups(true)).join().expect("measuring does not panic")
}

/// What it takes to read the monotonic clock once, in nanoseconds: the best of some batches, which nothing interrupted.
#[must_use]
pub fn measure_reading_ns() -> f64 {
    let batch = |_| {
        let start = now_ns();
        for _ in 0..READINGS_PER_BATCH {
            std::hint::black_box(now_ns());
        }
        (now_ns() - start) as f64 / f64::from(READINGS_PER_BATCH)
    };
    (0..BATCHES).map(batch).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sleep_is_counted_and_none_ends_early() {
        let before = now_ns();
        let sleeps = measure_sleeps(50, Duration::from_micros(200), false);
        assert!(now_ns() - before >= 50 * 200_000, "the delays were slept");
        assert_eq!((sleeps.late_ns.len(), sleeps.class), (50, SchedulingClass::Other));
        assert!(sleeps.late_us(0.5) <= sleeps.late_us(0.99));
    }

    #[test]
    fn share_of_late_sleeps_counts_those_above_the_bound() {
        let mut late_ns = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for us in [100, 400, 600, 900] {
            late_ns.record(us * 1_000).unwrap();
        }
        let sleeps = Sleeps { late_ns, class: SchedulingClass::Other };
        assert!((sleeps.share_later_than(500) - 0.5).abs() < 1e-12);
        assert!(sleeps.share_later_than(1_000).abs() < 1e-12);
    }

    #[test]
    fn clock_reading_takes_time() {
        assert!(measure_reading_ns() > 0.0 && measure_reading_ns().is_finite());
    }
}
