//! The course of a load over time, interval by interval.

use engine::record::{Interval, LoadExperiment, Round, empty_histogram};
use hdrhistogram::Histogram;

use crate::latency::merge;
use crate::{EvidenceError, UnusableHistogram};

/// The most points that a chart can show. If there are more intervals, adjacent ones are merged,
/// including their histograms.
const MAX_POINTS: usize = 1_000;

/// One round of a load over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The scheme's id.
    pub scheme: String,
    /// Whether the round is valid.
    pub valid: bool,
    /// Its intervals in order, warm-up included.
    pub points: Vec<TimelinePoint>,
    /// The largest number of intervals of the record that one point covers.
    pub intervals_per_point: usize,
}

/// One interval, or several adjacent ones merged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimelinePoint {
    /// Seconds since the round's first intended start.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// Requests per second whose intended start lies in it.
    pub rate_rps: f64,
    /// Requests that failed.
    pub failed: u64,
    /// The median of the response times, in microseconds.
    pub response_us_p50: Option<u64>,
    /// Their 99th percentile.
    pub response_us_p99: Option<u64>,
    /// The 99th percentile of the service times.
    pub service_us_p99: Option<u64>,
    /// Whether it lies inside the window; before the window is warm-up.
    pub in_window: bool,
}

impl Timeline {
    pub(crate) fn of(round: &Round) -> Result<Self, EvidenceError> {
        let intervals_per_point = round.intervals.len().div_ceil(MAX_POINTS).max(1);
        let counts = |interval: &Interval| round.window.contains(interval.start_s);
        // No point spans the edge of the window.
        let sides = round.intervals.chunk_by(|one, other| counts(one) == counts(other));
        let points = sides
            .flat_map(|side| side.chunks(intervals_per_point))
            .map(|merged| TimelinePoint::of(merged, counts(&merged[0])))
            .collect::<Result<_, _>>()
            .map_err(|source| EvidenceError::new(LoadExperiment::EXPERIMENT, round, source))?;
        Ok(Self { scheme: round.scheme.clone(), valid: round.validity.valid, points, intervals_per_point })
    }
}

impl TimelinePoint {
    /// Merges at least one interval.
    fn of(intervals: &[Interval], in_window: bool) -> Result<Self, UnusableHistogram> {
        let (mut response, mut service) = (empty_histogram(), empty_histogram());
        for interval in intervals {
            merge(&mut response, &interval.response_us)?;
            merge(&mut service, &interval.service_us)?;
        }
        let at = |times: &Histogram<u64>, quantile| (!times.is_empty()).then(|| times.value_at_quantile(quantile));
        let (first, last) = (&intervals[0], &intervals[intervals.len() - 1]);
        // An interval without a planned request is absent, but its time still counts.
        let length_s = last.start_s + last.length_s - first.start_s;
        Ok(Self {
            start_s: first.start_s,
            length_s,
            rate_rps: response.len() as f64 / length_s,
            failed: intervals.iter().map(|interval| interval.failed).sum(),
            response_us_p50: at(&response, 0.5),
            response_us_p99: at(&response, 0.99),
            service_us_p99: at(&service, 0.99),
            in_window,
        })
    }
}
