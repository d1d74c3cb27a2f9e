//! Rounds of load: what was sent, the responses, and the resources used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EncodedHistogram, Quantiles, empty_histogram};
use crate::plan::Plan;
use crate::validity::Fault;

/// One visit of one scheme: the unit of all statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// The scheme's id.
    pub scheme: String,
    /// Rounds of one block are neighbours in time, one per scheme and load; differences are taken inside it.
    pub block: u32,
    /// The position inside the block, drawn at random for every block.
    pub position: u32,
    /// How many requests it was meant to send.
    pub load: Load,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// The load as planned.
    pub plan: Plan,
    /// How much of the round counts.
    pub window: Window,
    /// Requests of the whole round, warm-up included.
    pub counts: Counts,
    /// Arrivals planned per second; null in a closed loop.
    pub planned_rps: Option<f64>,
    /// Requests finished per second inside the window.
    pub achieved_rps: f64,
    /// From the intended start to the last body byte, inside the window.
    pub response_us: Quantiles,
    /// From the actual send to the last body byte, inside the window.
    pub service_us: Quantiles,
    /// Actual send minus intended start, inside the window.
    pub lag_us: Quantiles,
    /// The lag of those requests for which a connection stood idle: the instrument's own lateness. Whole round.
    pub own_lag_us: Quantiles,
    /// The share of those requests that were sent more than 500 us late.
    pub own_late_share: f64,
    /// The whole round cut into intervals; a request belongs to that of its intended start.
    pub intervals: Vec<Interval>,
    /// What the processes used inside the window; null where they are not on this machine.
    pub usage: Option<Usage>,
    /// The round-trip time that the delay proxy between server and store really gave, in microseconds: the medians of both
    /// ways together. Null without a proxy.
    #[serde(default)]
    pub store_rtt_us: Option<f64>,
    /// The same between the servers that a request crosses.
    #[serde(default)]
    pub hop_rtt_us: Option<f64>,
    /// Whether the round may feed a claim.
    pub validity: Validity,
}

impl Round {
    /// Merges the intervals before the window, those inside it and those after it, so that at most three are left: all that
    /// a comparison uses of a round's course, in a twentieth of the space.
    ///
    /// Only for a round that was just recorded: its histograms are readable.
    pub fn merge_intervals(&mut self) {
        let counts = |interval: &Interval| self.window.contains(interval.start_s);
        let sides = self.intervals.chunk_by(|one, other| counts(one) == counts(other));
        self.intervals = sides.filter_map(Interval::merged).collect();
    }

    /// The response time at this quantile, 0 to 1, inside the window, in microseconds; none if there are none, or if they
    /// cannot be read.
    #[must_use]
    pub fn response_us_at(&self, quantile: f64) -> Option<u64> {
        let mut all = empty_histogram();
        for interval in self.intervals.iter().filter(|interval| self.window.contains(interval.start_s)) {
            all.add(interval.response_us.decode().ok()?).ok()?;
        }
        (!all.is_empty()).then(|| all.value_at_quantile(quantile))
    }
}

/// A round of load, with what its experiment varies in addition to the scheme and the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoundAt<F> {
    /// What is varied, and how far.
    pub at: F,
    /// What was measured.
    pub round: Round,
}

/// How many requests a round was meant to send.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Load {
    /// As given on the command line.
    AsPlanned,
    /// A share of the scheme's own capacity, which the saturated rounds found.
    OfCapacity {
        /// Between 0 and 1.
        fraction: f64,
    },
    /// The same rate for every scheme.
    EqualRate {
        /// Requests per second.
        rate_rps: f64,
    },
    /// As many as the connections can sustain, sent by the saturator and not by Goose.
    Saturated,
}

impl Load {
    /// Requests per second, where they are the same for every scheme.
    #[must_use]
    pub const fn equal_rate_rps(self) -> Option<f64> {
        if let Self::EqualRate { rate_rps } = self { Some(rate_rps) } else { None }
    }

    /// Whether as many requests are sent as the connections can sustain.
    #[must_use]
    pub const fn is_saturated(self) -> bool {
        matches!(self, Self::Saturated)
    }
}

/// Which part of a round counts, in seconds since its first intended start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Where it begins: everything before is warm-up.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
    /// Whether the warm-up was detected (true) or set (false).
    pub warmup_detected: bool,
}

impl Window {
    /// Whether an interval that begins there counts: the one rule by which reports choose, too.
    #[must_use]
    pub fn contains(self, start_s: f64) -> bool {
        start_s >= self.start_s - 1e-9 && start_s < self.end_s
    }
}

/// Requests of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Arrivals in the plan; null in a closed loop.
    pub planned: Option<u64>,
    /// Requests with the expected response.
    pub ok: u64,
    /// Requests with another response or none, by kind, such as `status 503` or `timeout`. The histograms have their times.
    pub errors: BTreeMap<String, u64>,
    /// Planned, but not begun before the round's timeout.
    pub unsent: u64,
    /// Times longer than the histograms reach, recorded as their highest value.
    pub saturated: u64,
}

impl Counts {
    /// Requests that got a wrong response or none.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Requests sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.ok + self.failed()
    }
}

/// A stretch of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Seconds since the round's first intended start.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// Requests that failed.
    pub failed: u64,
    /// Response times.
    pub response_us: EncodedHistogram,
    /// Service times.
    pub service_us: EncodedHistogram,
    /// Lags.
    pub lag_us: EncodedHistogram,
}

impl Interval {
    /// Merges adjacent intervals of one recorder into one; none of none.
    fn merged(parts: &[Self]) -> Option<Self> {
        let (first, last) = (parts.first()?, parts.last()?);
        Some(Self {
            start_s: first.start_s,
            length_s: last.start_s + last.length_s - first.start_s,
            failed: parts.iter().map(|part| part.failed).sum(),
            response_us: EncodedHistogram::merged(parts.iter().map(|part| &part.response_us)),
            service_us: EncodedHistogram::merged(parts.iter().map(|part| &part.service_us)),
            lag_us: EncodedHistogram::merged(parts.iter().map(|part| &part.lag_us)),
        })
    }
}

/// What processes used inside the window of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Requests finished inside the window: the divisor of every figure per request.
    pub requests: u64,
    /// CPU time of the server.
    pub server_cpu_ns: u64,
    /// CPU time of the store; null without one.
    pub store_cpu_ns: Option<u64>,
    /// CPU time of what spreads the load over several servers; null without one.
    #[serde(default)]
    pub balancer_cpu_ns: Option<u64>,
    /// CPU time of the generator, without the time that a busy polling saturator spent on waiting for responses.
    pub generator_cpu_ns: u64,
    /// Commands that the store ran in the whole round, by name; null without a store.
    pub store_commands: Option<BTreeMap<String, u64>>,
    /// The share of CPU time that the hypervisor gave to others, 0 to 1; null where it cannot be seen.
    pub steal: Option<f64>,
}

/// Whether a measurement may feed a claim or a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// True if there are no reasons against it.
    pub valid: bool,
    /// What speaks against it, each a sentence with its figures.
    pub reasons: Vec<String>,
    /// Of what kind the reasons are, as far as they are of a kind; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl Validity {
    /// Valid exactly if there are no reasons against it.
    #[must_use]
    pub fn from_reasons(reasons: Vec<String>) -> Self {
        Self { valid: reasons.is_empty(), reasons, faults: Vec::new() }
    }

    /// Adds a reason against it.
    pub fn add_reason(&mut self, fault: Fault, reason: String) {
        self.valid = false;
        self.reasons.push(reason);
        self.faults.push(fault);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::plan::{Arrivals, Warmup};
    use crate::recorder::{Recorder, Sample};
    use crate::round::{DrivenLoad, Place};

    #[test]
    fn merged_intervals_keep_window_percentiles_and_failures() {
        let plan = Plan { warmup: Warmup::Fixed { seconds: 2.0 }, ..Plan::new(Arrivals::Closed, 10.0) };
        let start = Instant::now();
        let recorder = Recorder::new(&plan, start, 1);
        for n in 0..1000 {
            let sent = start + Duration::from_millis(n * 10);
            let failure = (n % 100 == 0).then_some("timeout");
            let done = sent + Duration::from_micros((n + 1) * 10);
            recorder.record(0, Sample { intended: sent, sent, done, found_idle: true, failure });
        }
        let whole = DrivenLoad::new(plan, recorder.finish(), None, 0).into_round(Place::of_control(), None, 1);
        let mut merged = whole.clone();
        merged.merge_intervals();

        let spans: Vec<_> = merged.intervals.iter().map(|part| (part.start_s, part.length_s, part.failed)).collect();
        assert_eq!(spans, [(0.0, 2.0, 2), (2.0, 8.0, 8)]);
        for quantile in [0.0, 0.5, 0.99, 1.0] {
            assert_eq!(merged.response_us_at(quantile), whole.response_us_at(quantile), "{quantile}");
        }
        let again = Round { intervals: merged.intervals.clone(), ..whole };
        assert_eq!(again, merged, "nothing else has changed");
        merged.merge_intervals();
        assert_eq!(again, merged, "merging twice changes nothing");
    }
}
