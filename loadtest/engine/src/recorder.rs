//! The recorder: the outcome of every request, stored in histograms, so that memory does not grow with
//! the number of requests.
//!
//! A request belongs to the interval of its *intended* start.

mod intervals;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use self::intervals::Intervals;
use crate::plan::Plan;
use crate::record::{Interval, MAX_US, empty_histogram};

/// The outcome of one request.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// When it should have begun.
    pub intended: Instant,
    /// When it was sent.
    pub sent: Instant,
    /// When the last body byte was there, or the failure was known.
    pub done: Instant,
    /// Whether a connection stood idle for it, so that its lag is the instrument's own doing.
    pub found_idle: bool,
    /// The kind of failure, if it failed.
    pub failure: Option<&'a str>,
}

/// Collects the samples of one round from many threads.
#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    interval: Duration,
    shards: Box<[Mutex<Shard>]>,
}

impl Recorder {
    /// A recorder for a round that starts at `start`. Writers with different shard numbers do not
    /// wait for one another.
    #[must_use]
    pub fn new(plan: &Plan, start: Instant, shards: usize) -> Self {
        Self {
            start,
            interval: Duration::from_secs_f64(plan.interval_s),
            shards: (0..shards.max(1)).map(|_| Mutex::new(Shard::new())).collect(),
        }
    }

    /// Adds a sample through a shard; the shard number wraps around.
    pub fn record(&self, shard: usize, sample: Sample<'_>) {
        let offset = sample.intended.saturating_duration_since(self.start);
        let index = (offset.as_nanos() / self.interval.as_nanos()) as u32;
        lock(&self.shards[shard % self.shards.len()]).add(index, sample);
    }

    /// Everything recorded, the shards merged.
    #[must_use]
    pub fn finish(self) -> Recorded {
        let mut shards =
            self.shards.into_iter().map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut all = shards.next().expect("there is at least one shard");
        for shard in shards {
            all.merge(shard);
        }
        let Shard { intervals, own_lag_us, ok, errors, saturated, last_done } = all;
        let intervals = intervals.finish(self.interval.as_secs_f64());
        let last_done_s = last_done.map_or(0.0, |done| done.saturating_duration_since(self.start).as_secs_f64());
        Recorded { intervals, own_lag_us, ok, errors, saturated, last_done_s }
    }
}

/// What a recorder has recorded.
#[derive(Debug)]
pub struct Recorded {
    /// In order of time; an interval in which nothing was to begin is absent.
    pub intervals: Vec<Interval>,
    /// Lags in microseconds of the requests for which a connection stood idle.
    pub own_lag_us: Histogram<u64>,
    /// Requests with the expected response.
    pub ok: u64,
    /// Requests that failed, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Times above [`MAX_US`].
    pub saturated: u64,
    /// When the last request was done, in seconds since the round's start.
    pub last_done_s: f64,
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Shard {
    intervals: Intervals,
    own_lag_us: Histogram<u64>,
    ok: u64,
    errors: BTreeMap<String, u64>,
    saturated: u64,
    last_done: Option<Instant>,
}

impl Shard {
    fn new() -> Self {
        Self {
            intervals: Intervals::new(),
            own_lag_us: empty_histogram(),
            ok: 0,
            errors: BTreeMap::new(),
            saturated: 0,
            last_done: None,
        }
    }

    fn add(&mut self, index: u32, sample: Sample<'_>) {
        let interval = self.intervals.at(index);
        let lag_us = micros(sample.intended, sample.sent);
        self.last_done = self.last_done.max(Some(sample.done));
        self.saturated += record(&mut interval.response_us, micros(sample.intended, sample.done));
        self.saturated += record(&mut interval.service_us, micros(sample.sent, sample.done));
        self.saturated += record(&mut interval.lag_us, lag_us);
        if sample.found_idle {
            record(&mut self.own_lag_us, lag_us);
        }
        match sample.failure {
            None => self.ok += 1,
            Some(kind) => {
                interval.failed += 1;
                count(&mut self.errors, kind, 1);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.intervals.merge(other.intervals);
        add(&mut self.own_lag_us, &other.own_lag_us);
        self.ok += other.ok;
        self.saturated += other.saturated;
        self.last_done = self.last_done.max(other.last_done);
        for (kind, more) in other.errors {
            count(&mut self.errors, &kind, more);
        }
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    to.saturating_duration_since(from).as_micros() as u64
}

/// Records a value, and returns 1 if it was too high and had to be capped, else 0.
fn record(histogram: &mut Histogram<u64>, value_us: u64) -> u64 {
    histogram.saturating_record(value_us);
    u64::from(value_us > MAX_US)
}

fn add(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    to.add(from).expect("all histograms here have the same bounds");
}

fn count(errors: &mut BTreeMap<String, u64>, kind: &str, more: u64) {
    match errors.get_mut(kind) {
        Some(count) => *count += more,
        None => drop(errors.insert(kind.to_owned(), more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Arrivals;
    use crate::record::{EncodedHistogram, Quantiles};

    fn plan() -> Plan {
        Plan::new(Arrivals::Closed, 100.0)
    }

    fn sample(start: Instant, at_ms: u64, lag_us: u64, service_us: u64) -> Sample<'static> {
        let intended = start + Duration::from_millis(at_ms);
        let sent = intended + Duration::from_micros(lag_us);
        Sample { intended, sent, done: sent + Duration::from_micros(service_us), found_idle: false, failure: None }
    }

    #[test]
    fn sample_counts_in_the_interval_of_its_intended_start() {
        let start = Instant::now();
        let recorder = Recorder::new(&plan(), start, 1);
        recorder.record(0, sample(start, 900, 3_000_000, 500));
        let recorded = recorder.finish();
        assert_eq!(recorded.intervals.len(), 1);
        let interval = &recorded.intervals[0];
        assert!(interval.start_s.abs() < f64::EPSILON);
        let of = |histogram: &EncodedHistogram| Quantiles::of(&histogram.decode().unwrap()).max.unwrap();
        assert_eq!(of(&interval.service_us), 500);
        assert!(of(&interval.lag_us).abs_diff(3_000_000) < 3_000);
        assert!(of(&interval.response_us).abs_diff(3_000_500) < 3_000);
    }

    #[test]
    fn late_sample_reaches_a_closed_interval() {
        let start = Instant::now();
        let recorder = Recorder::new(&plan(), start, 1);
        for second in 0..60 {
            recorder.record(0, sample(start, second * 1000, 0, 100));
        }
        recorder.record(0, sample(start, 5_000, 0, 70_000_000));
        let recorded = recorder.finish();
        assert_eq!(recorded.intervals.len(), 60);
        let times = recorded.intervals[5].service_us.decode().unwrap();
        assert_eq!((times.len(), times.min()), (2, 100));
        assert!(times.max() > 69_000_000);
        let starts: Vec<f64> = recorded.intervals.iter().map(|interval| interval.start_s).collect();
        assert!(starts.is_sorted());
    }

    #[test]
    fn shards_add_up() {
        let start = Instant::now();
        let recorder = Recorder::new(&plan(), start, 4);
        for n in 0..1000 {
            let failure = (n % 10 == 0).then_some("status 503");
            let base = sample(start, n * 20, n, 200);
            recorder.record(n as usize, Sample { failure, found_idle: n % 2 == 0, ..base });
        }
        let recorded = recorder.finish();
        assert_eq!(recorded.ok, 900);
        assert_eq!(recorded.errors, BTreeMap::from([("status 503".to_owned(), 100)]));
        assert_eq!(recorded.own_lag_us.len(), 500);
        let in_intervals: u64 =
            recorded.intervals.iter().map(|interval| interval.response_us.decode().unwrap().len()).sum();
        assert_eq!(in_intervals, 1000);
        assert_eq!(recorded.intervals.iter().map(|interval| interval.failed).sum::<u64>(), 100);
    }

    #[test]
    fn time_beyond_the_histogram_range_is_counted() {
        let start = Instant::now();
        let recorder = Recorder::new(&plan(), start, 1);
        recorder.record(0, sample(start, 0, 0, MAX_US + 1));
        let recorded = recorder.finish();
        assert_eq!(recorded.saturated, 2, "response and service time");
        assert_eq!(recorded.intervals[0].response_us.decode().unwrap().len(), 1);
    }
}
