//! Detects the end of the warm-up.
//!
//! Warm-up is a slow start: the continuous sequence of intervals at a round's beginning whose median
//! service time is well above that of the round's second half. It ends at the first interval
//! that is not, however noisy the following ones are, so that nothing later is ever cut. Medians,
//! because a stall must not look like a slow start; and it ends where requests had to queue, since a
//! server that works off the backlog of a stall is slow for a while, too.

use crate::median::median;
use crate::plan::{Plan, Warmup};
use crate::record::{Interval, Window};

/// How far above the second half's median an interval of warm-up is, as a share of it.
const SLOW_MARGIN: f64 = 0.25;
/// A request that is sent so much later than intended has queued, in microseconds.
const QUEUED_US: u64 = 10_000;
/// No more than this share of a round is cut.
const MAX_WARMUP_SHARE: f64 = 0.5;

/// The result of the detection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detection {
    /// The round settled; this counts.
    Settled(Window),
    /// It did not settle within its first half; the second half is all that can be shown.
    NeverSettled(Window),
}

/// The window of a round that counts.
#[must_use]
pub fn window(plan: &Plan, intervals: &[Interval]) -> Detection {
    match plan.warmup {
        Warmup::Fixed { seconds } => {
            let start_s = ((seconds / plan.interval_s).ceil() * plan.interval_s).min(plan.duration_s);
            Detection::Settled(Window { start_s, end_s: plan.duration_s, warmup_detected: false })
        }
        Warmup::Detect => {
            let from = |start_s| Window { start_s, end_s: plan.duration_s, warmup_detected: true };
            match settled_at(plan.duration_s, intervals) {
                Some(start_s) => Detection::Settled(from(start_s)),
                None => Detection::NeverSettled(from(plan.duration_s * MAX_WARMUP_SHARE)),
            }
        }
    }
}

fn settled_at(duration_s: f64, intervals: &[Interval]) -> Option<f64> {
    let times: Vec<IntervalTimes> = intervals.iter().filter_map(IntervalTimes::of).collect();
    let half = duration_s * MAX_WARMUP_SHARE;
    let second_half = times.iter().filter(|interval| interval.start_s >= half).map(|interval| interval.service_us);
    let slow = median(second_half)? * (1.0 + SLOW_MARGIN);
    let settled = times.iter().find(|interval| interval.service_us <= slow || interval.queued)?;
    (settled.start_s <= half).then_some(settled.start_s)
}

/// The times of an interval.
struct IntervalTimes {
    start_s: f64,
    /// The median.
    service_us: f64,
    /// Whether one in a hundred requests or more had to queue.
    queued: bool,
}

impl IntervalTimes {
    /// None of an interval without requests.
    fn of(interval: &Interval) -> Option<Self> {
        let (service, lag) = (interval.service_us.decode().ok()?, interval.lag_us.decode().ok()?);
        (!service.is_empty()).then(|| Self {
            start_s: interval.start_s,
            service_us: service.value_at_quantile(0.5) as f64,
            queued: lag.value_at_quantile(0.99) > QUEUED_US,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Arrivals;
    use crate::record::{EncodedHistogram, empty_histogram};

    fn intervals(medians_us: &[u64]) -> Vec<Interval> {
        let encode = |value| {
            let mut histogram = empty_histogram();
            histogram.record_n(value, 10).unwrap();
            EncodedHistogram::encode(&histogram)
        };
        medians_us
            .iter()
            .enumerate()
            .map(|(second, &value)| Interval {
                start_s: second as f64,
                length_s: 1.0,
                failed: 0,
                response_us: encode(value),
                service_us: encode(value),
                lag_us: encode(0),
            })
            .collect()
    }

    #[test]
    fn stall_at_the_very_beginning_is_not_taken_for_warmup() {
        let mut intervals = intervals(&[300, 2_000, 900, 200, 201, 200, 199, 200]);
        let mut lag = empty_histogram();
        lag.record_n(0, 600).unwrap();
        lag.record_n(1_900_000, 400).unwrap();
        intervals[0].lag_us = EncodedHistogram::encode(&lag);
        assert_eq!(window(&Plan::new(Arrivals::Closed, 8.0), &intervals), settled(0.0, 8.0));
    }

    fn detected(medians_us: &[u64]) -> Detection {
        window(&Plan::new(Arrivals::Closed, medians_us.len() as f64), &intervals(medians_us))
    }

    fn settled(start_s: f64, end_s: f64) -> Detection {
        Detection::Settled(Window { start_s, end_s, warmup_detected: true })
    }

    #[test]
    fn slow_start_is_cut() {
        assert_eq!(detected(&[900, 400, 205, 200, 198, 201, 200, 202, 199, 200]), settled(2.0, 10.0));
    }

    #[test]
    fn round_that_is_steady_from_the_start_is_kept_whole() {
        assert_eq!(detected(&[200, 204, 199, 200, 198, 201, 200, 202]), settled(0.0, 8.0));
    }

    #[test]
    fn noisy_round_is_not_cut_down_to_its_quietest_part() {
        let noisy = [210, 290, 180, 300, 170, 280, 310, 200, 205, 200, 200, 200];
        assert_eq!(detected(&noisy), settled(0.0, 12.0));
    }

    #[test]
    fn stall_in_the_middle_is_not_taken_for_warmup() {
        assert_eq!(
            detected(&[200, 201, 200, 9_000_000, 9_000_000, 200, 201, 200, 199, 200, 200, 200]),
            settled(0.0, 12.0)
        );
    }

    #[test]
    fn round_that_drifts_to_its_end_never_settles() {
        let drifting: Vec<u64> = (0..20).map(|n| 2000 - 95 * n).collect();
        assert!(matches!(detected(&drifting), Detection::NeverSettled(window) if (window.start_s - 10.0).abs() < 1e-9));
    }

    #[test]
    fn empty_round_never_settles() {
        assert!(matches!(window(&Plan::new(Arrivals::Closed, 5.0), &[]), Detection::NeverSettled(_)));
    }

    #[test]
    fn set_warmup_ends_with_the_interval_it_falls_in() {
        let plan = Plan { warmup: Warmup::Fixed { seconds: 1.5 }, ..Plan::new(Arrivals::Closed, 5.0) };
        let expected = Window { start_s: 2.0, end_s: 5.0, warmup_detected: false };
        assert_eq!(window(&plan, &[]), Detection::Settled(expected));
        let cut_short = plan.ended_after(1.2);
        let empty = Window { start_s: 1.2, end_s: 1.2, warmup_detected: false };
        assert_eq!(window(&cut_short, &[]), Detection::Settled(empty), "it ended during its warm-up");
    }
}
