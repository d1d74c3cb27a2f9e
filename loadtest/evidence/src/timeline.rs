//! How a load went, interval by interval.

use engine::record::{Round, empty_histogram};

use crate::EvidenceError;
use crate::latency::merge;

/// One round of a load in time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The scheme's id.
    pub scheme: String,
    /// Whether the round may feed a claim.
    pub valid: bool,
    /// Its intervals in order, warm-up included.
    pub points: Vec<TimelinePoint>,
}

/// One interval.
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
        let damaged = |source| EvidenceError::new("load", round, source);
        let mut points = Vec::with_capacity(round.intervals.len());
        for interval in &round.intervals {
            let (mut response, mut service) = (empty_histogram(), empty_histogram());
            merge(&mut response, &interval.response_us).map_err(damaged)?;
            merge(&mut service, &interval.service_us).map_err(damaged)?;
            let at = |times: &hdrhistogram::Histogram<u64>, quantile| {
                (!times.is_empty()).then(|| times.value_at_quantile(quantile))
            };
            points.push(TimelinePoint {
                start_s: interval.start_s,
                length_s: interval.length_s,
                rate_rps: response.len() as f64 / interval.length_s,
                failed: interval.failed,
                response_us_p50: at(&response, 0.5),
                response_us_p99: at(&response, 0.99),
                service_us_p99: at(&service, 0.99),
                in_window: round.window.contains(interval.start_s),
            });
        }
        Ok(Self { scheme: round.scheme.clone(), valid: round.validity.valid, points })
    }
}
