//! How a load went, interval by interval.

use engine::record::{Interval, LoadExperiment, Round, empty_histogram};
use hdrhistogram::Histogram;

use crate::latency::merge;
use crate::{EvidenceError, UnusableHistogram};

/// More points than this no chart can show. Where there are more intervals, neighbours are merged, histograms and all.
const MOST_POINTS: usize = 1_000;

/// One round of a load in time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The scheme's id.
    pub scheme: String,
    /// Whether the round may feed a claim.
    pub valid: bool,
    /// Its intervals in order, warm-up included.
    pub points: Vec<TimelinePoint>,
    /// How many intervals of the record a point stands for, at most.
    pub intervals_per_point: usize,
}

/// One interval, or neighbouring ones merged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimelinePoint {
    /// Seconds since the round's first intended start.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// Requests a second whose intended start lies in it.
    pub rate_rps: f64,
    /// Requests that failed.
    pub failed: u64,
    /// The median of the response times, in microseconds.
    pub response_us_p50: Option<u64>,
    /// Their 99th percentile.
    pub response_us_p99: Option<u64>,
    /// The 99th percentile of the service times.
    pub service_us_p99: Option<u64>,
    /// Whether it lies inside the window; before it is warm-up.
    pub in_window: bool,
}

impl Timeline {
    pub(crate) fn of(round: &Round) -> Result<Self, EvidenceError> {
        let intervals_per_point = round.intervals.len().div_ceil(MOST_POINTS).max(1);
        let counts = |interval: &Interval| round.window.contains(interval.start_s);
        // No point lies on both sides of the window's edge.
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
    /// Of at least one interval.
    fn of(intervals: &[Interval], in_window: bool) -> Result<Self, UnusableHistogram> {
        let (mut response, mut service) = (empty_histogram(), empty_histogram());
        for interval in intervals {
            merge(&mut response, &interval.response_us)?;
            merge(&mut service, &interval.service_us)?;
        }
        let at = |times: &Histogram<u64>, quantile| (!times.is_empty()).then(|| times.value_at_quantile(quantile));
        let (first, last) = (&intervals[0], &intervals[intervals.len() - 1]);
        // An interval in which nothing was to begin is absent, and takes its time all the same.
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
