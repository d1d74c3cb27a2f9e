//! From what was recorded to a round of the record: a pure function.

use hdrhistogram::Histogram;

use crate::plan::Plan;
use crate::record::{Counts, EncodedHistogram, Interval, Load, Quantiles, Round, Usage, Window, empty_histogram};
use crate::recorder::Recorded;
use crate::validity;
use crate::warmup::{self, Detection};

/// The position of a round in its experiment.
#[derive(Clone, Debug)]
pub struct Place {
    /// The scheme's id.
    pub scheme: String,
    /// Neighbours in time share a block.
    pub block: u32,
    /// The place inside the block.
    pub position: u32,
    /// How many requests it is meant to send.
    pub load: Load,
    /// UTC, RFC 3339.
    pub started_at: String,
}

#[cfg(test)]
impl Place {
    /// A round of the control, whatever its load.
    pub(crate) fn of_control() -> Self {
        Self {
            scheme: "anonymous".to_owned(),
            block: 0,
            position: 0,
            load: Load::AsPlanned,
            started_at: "2026-01-01T00:00:00Z".to_owned(),
        }
    }
}

/// A load that has been driven, cut to its window, before it is known what the processes used.
#[derive(Debug)]
pub struct DrivenLoad {
    plan: Plan,
    window: Window,
    settled: bool,
    counts: Counts,
    achieved_rps: f64,
    own_lag_us: Quantiles,
    own_late_share: f64,
    intervals: Vec<Interval>,
    merged: Merged,
}

#[derive(Debug)]
struct Merged {
    response_us: Quantiles,
    service_us: Quantiles,
    lag_us: Quantiles,
}

impl DrivenLoad {
    /// Cuts the warm-up and sums up. `planned` are the arrivals that came due, `unsent` those of
    /// them that were given up.
    #[must_use]
    pub fn new(plan: Plan, recorded: Recorded, planned: Option<u64>, unsent: u64) -> Self {
        let (window, settled) = match warmup::window(&plan, &recorded.intervals) {
            Detection::Settled(window) => (window, true),
            Detection::NeverSettled(window) => (window, false),
        };
        let inside: Vec<&Interval> =
            recorded.intervals.iter().filter(|interval| window.contains(interval.start_s)).collect();
        let merged = Merged {
            response_us: merge(&inside, |interval| &interval.response_us),
            service_us: merge(&inside, |interval| &interval.service_us),
            lag_us: merge(&inside, |interval| &interval.lag_us),
        };
        // What is still under way when the arrivals end takes its time too: without it a server
        // that is overrun would seem to keep up.
        let took_s = recorded.last_done_s.max(window.end_s) - window.start_s;
        Self {
            window,
            settled,
            // A round that ended during its warm-up has an empty window.
            achieved_rps: if took_s > 0.0 { merged.response_us.count as f64 / took_s } else { 0.0 },
            own_lag_us: Quantiles::of(&recorded.own_lag_us),
            own_late_share: share_above(&recorded.own_lag_us, validity::OWN_LATE_US),
            counts: Counts { planned, ok: recorded.ok, errors: recorded.errors, unsent, saturated: recorded.saturated },
            intervals: recorded.intervals,
            merged,
            plan,
        }
    }

    /// Which part counts, in seconds since the round's start.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Requests inside the window.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.merged.response_us.count
    }

    /// Requests of the whole round.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns the round with its validity. `generator_cpus` are the processors the generator may use.
    #[must_use]
    pub fn into_round(self, place: Place, usage: Option<Usage>, generator_cpus: u32) -> Round {
        let mut round = Round {
            scheme: place.scheme,
            block: place.block,
            position: place.position,
            load: place.load,
            started_at: place.started_at,
            planned_rps: self.plan.arrivals.rate_rps(),
            store_rtt_us: None,
            hop_rtt_us: None,
            plan: self.plan,
            window: self.window,
            counts: self.counts,
            achieved_rps: self.achieved_rps,
            response_us: self.merged.response_us,
            service_us: self.merged.service_us,
            lag_us: self.merged.lag_us,
            own_lag_us: self.own_lag_us,
            own_late_share: self.own_late_share,
            intervals: self.intervals,
            usage,
            validity: crate::record::Validity::default(),
        };
        round.validity = validity::check_round(&round, self.settled, generator_cpus);
        round
    }
}

/// The share of the values that are higher than this; none of no values.
fn share_above(histogram: &Histogram<u64>, value: u64) -> f64 {
    histogram.count_between(value + 1, u64::MAX) as f64 / histogram.len().max(1) as f64
}

fn merge(intervals: &[&Interval], of: impl Fn(&Interval) -> &EncodedHistogram) -> Quantiles {
    let mut sum: Histogram<u64> = empty_histogram();
    for interval in intervals {
        let part = of(interval).decode().expect("the recorder encoded it");
        sum.add(part).expect("all histograms here have the same bounds");
    }
    Quantiles::of(&sum)
}
