//! Whether a round may feed a claim: the instrument checks itself.

use serde::{Deserialize, Serialize};

use crate::record::{Round, Usage, Validity};
use crate::shortage::Shortage;

/// More than this the instrument itself may not be late, in microseconds.
pub const OWN_LATE_US: u64 = 500;
/// The share of requests for which it may be. A request waits for the instrument twice, to be sent and to be
/// read; only the first is seen. With half of a per cent late at each end, the 99th percentile still holds.
pub const OWN_LATE_SHARE: f64 = 0.005;
/// The share of planned arrivals that must have been sent at the planned rate.
pub const ACHIEVED_SHARE: f64 = 0.99;
/// The share of requests that may fail.
pub const FAILED_SHARE: f64 = 0.001;
/// The share of its processors that the generator may use in an open loop: above, it queues on itself.
pub const GENERATOR_SHARE: f64 = 0.90;
/// The share of its processors from which on generator, server or store counts as saturated.
pub const SATURATED_CPU_SHARE: f64 = 0.90;
/// The share of CPU time that a hypervisor may take away.
pub const STEAL_SHARE: f64 = 0.03;
/// Requests that must be in the window for a round to have a result.
pub const MIN_REQUESTS: u64 = 100;

/// What can be wrong with a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Too few requests lie in the window.
    TooFewRequests,
    /// Too many requests failed.
    RequestsFailed,
    /// Arrivals were dropped, or not sent at the planned rate.
    NotCarried,
    /// The generator itself sent too late.
    GeneratorLate,
    /// The service time drifted from beginning to end.
    NeverSettled,
    /// A hypervisor took CPU time away.
    CpuStolen,
    /// The generator used nearly all of its processors.
    GeneratorFull,
    /// Generator and server filled processors that they share.
    ProcessorsShared,
    /// Times were longer than the histograms reach.
    TimesTooLong,
    /// The generator's machine ran out of file descriptors, local ports or memory, and requests were not sent.
    GeneratorExhausted,
}

/// The cause of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The target was not up to the load.
    Target,
    /// The instrument was faulty, or other programs disturbed it: the round proves nothing about the target.
    Instrument,
    /// The round cannot distinguish.
    Unclear,
}

impl Fault {
    /// Its cause.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::RequestsFailed | Self::NotCarried | Self::TimesTooLong => Side::Target,
            Self::GeneratorLate
            | Self::CpuStolen
            | Self::GeneratorFull
            | Self::ProcessorsShared
            | Self::GeneratorExhausted => Side::Instrument,
            Self::TooFewRequests | Self::NeverSettled => Side::Unclear,
        }
    }
}

/// Returns whether a round may feed a claim, and the faults that it has.
#[must_use]
pub fn check_round(round: &Round, settled: bool, generator_cpus: u32) -> Validity {
    let drifts = "the service time did not settle but drifts, so no warm-up could be cut";
    let found = [
        (Fault::TooFewRequests, too_few_requests(round)),
        (Fault::GeneratorExhausted, generator_exhausted(round)),
        (Fault::RequestsFailed, requests_failed(round)),
        (Fault::NotCarried, not_sustained(round)),
        (Fault::GeneratorLate, generator_late(round)),
        (Fault::NeverSettled, (!settled).then(|| drifts.to_owned())),
        (Fault::CpuStolen, round.usage.as_ref().and_then(cpu_stolen)),
        (Fault::GeneratorFull, generator_saturated(round, generator_cpus)),
        (Fault::TimesTooLong, times_too_long(round)),
    ];
    let mut validity = Validity::from_reasons(Vec::new());
    for (fault, reason) in found.into_iter().filter_map(|(fault, reason)| Some((fault, reason?))) {
        validity.add_reason(fault, reason);
    }
    validity
}

fn times_too_long(round: &Round) -> Option<String> {
    let saturated = round.counts.saturated;
    (saturated > 0).then(|| format!("{saturated} times exceeded the range of the histograms"))
}

fn too_few_requests(round: &Round) -> Option<String> {
    let count = round.response_us.count;
    (count < MIN_REQUESTS).then(|| format!("the window has only {count} requests; {MIN_REQUESTS} are required"))
}

fn requests_failed(round: &Round) -> Option<String> {
    let failures = Failures::of(round, |kind| Shortage::of_kind(kind).is_none());
    let Failures { count, sent, .. } = failures;
    failures.are_too_many().then(|| format!("{count} of {sent} requests failed ({})", failures.kinds()))
}

fn generator_exhausted(round: &Round) -> Option<String> {
    let failures = Failures::of(round, |kind| Shortage::of_kind(kind).is_some());
    let Failures { count, sent, .. } = failures;
    failures.are_too_many().then(|| {
        format!(
            "the generator could not send {count} of {sent} requests ({}); use fewer connections or raise its limits",
            failures.kinds()
        )
    })
}

/// Failures of some kinds.
struct Failures<'a> {
    kinds: Vec<(&'a str, u64)>,
    count: u64,
    /// Requests that were tried, however they ended.
    sent: u64,
}

impl<'a> Failures<'a> {
    fn of(round: &'a Round, counts: impl Fn(&str) -> bool) -> Self {
        let all = round.counts.errors.iter().map(|(kind, count)| (kind.as_str(), *count));
        let kinds: Vec<(&str, u64)> = all.filter(|(kind, _)| counts(kind)).collect();
        Self { count: kinds.iter().map(|(_, count)| count).sum(), kinds, sent: round.counts.sent() }
    }

    fn are_too_many(&self) -> bool {
        self.count as f64 > self.sent as f64 * FAILED_SHARE
    }

    fn kinds(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        kinds.join(", ")
    }
}

fn not_sustained(round: &Round) -> Option<String> {
    let planned = round.counts.planned?;
    let unsent = round.counts.unsent;
    if unsent > 0 {
        return Some(format!("{unsent} of {planned} planned requests were dropped: the target could not keep up"));
    }
    let planned_rps = planned as f64 / round.plan.duration_s;
    let achieved = round.achieved_rps;
    // In a short round chance alone moves the rate of random arrivals: allow three deviations.
    let chance = 3.0 / (round.response_us.count.max(1) as f64).sqrt();
    let least = planned_rps * (ACHIEVED_SHARE - chance).max(0.5);
    (achieved < least).then(|| {
        format!("the target sustained {achieved:.0} requests/s of {planned_rps:.0} planned: it could not keep up")
    })
}

fn generator_late(round: &Round) -> Option<String> {
    round.planned_rps?;
    let share = round.own_late_share;
    (share > OWN_LATE_SHARE).then(|| {
        format!(
            "the generator itself sent {:.1} % of the requests more than {OWN_LATE_US} µs late; the limit is {:.1} %",
            share * 100.0,
            OWN_LATE_SHARE * 100.0
        )
    })
}

fn cpu_stolen(usage: &Usage) -> Option<String> {
    let steal = usage.steal?;
    (steal > STEAL_SHARE)
        .then(|| format!("the hypervisor gave {:.1} % of the CPU time to other guests (steal)", steal * 100.0))
}

/// Returns the share of this many CPUs that the generator used inside the round's window; none where it was not observed.
#[must_use]
pub fn generator_share(round: &Round, generator_cpus: u32) -> Option<f64> {
    let available_ns = (round.window.end_s - round.window.start_s) * 1e9 * f64::from(generator_cpus);
    round.usage.as_ref().map(|usage| usage.generator_cpu_ns as f64 / available_ns)
}

fn generator_saturated(round: &Round, generator_cpus: u32) -> Option<String> {
    round.planned_rps?;
    let share = generator_share(round, generator_cpus)?;
    (share > GENERATOR_SHARE).then(|| {
        format!(
            "the generator used {:.0} % of its {generator_cpus} CPUs: requests queued in the generator",
            share * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::plan::{Arrivals, Plan, Warmup};
    use crate::recorder::{Recorder, Sample};
    use crate::round::{DrivenLoad, Place};

    /// 10 s at 100 requests/s, without any fault.
    fn valid_round() -> Round {
        let plan =
            Plan { warmup: Warmup::Fixed { seconds: 0.0 }, ..Plan::new(Arrivals::Fixed { rate_rps: 100.0 }, 10.0) };
        let start = Instant::now();
        let recorder = Recorder::new(&plan, start, 1);
        for n in 0..1000 {
            let intended = start + Duration::from_millis(n * 10);
            let done = intended + Duration::from_micros(300);
            recorder.record(0, Sample { intended, sent: intended, done, found_idle: true, failure: None });
        }
        let usage = Usage {
            requests: 1000,
            server_cpu_ns: 10_000_000,
            store_cpu_ns: None,
            balancer_cpu_ns: None,
            generator_cpu_ns: 20_000_000,
            store_commands: None,
            steal: Some(0.0),
        };
        DrivenLoad::new(plan, recorder.finish(), Some(1000), 0).into_round(Place::of_control(), Some(usage), 1)
    }

    #[track_caller]
    fn assert_reason(change: impl FnOnce(&mut Round), fault: Fault, reason: &str) {
        let mut round = valid_round();
        change(&mut round);
        let validity = check_round(&round, true, 1);
        assert!(!validity.valid);
        assert_eq!(validity.faults, [fault]);
        assert_eq!(validity.reasons.len(), 1, "{:?}", validity.reasons);
        assert!(validity.reasons[0].contains(reason), "{:?}", validity.reasons);
    }

    #[test]
    fn round_without_faults_is_valid() {
        let round = valid_round();
        assert_eq!(round.validity.reasons, Vec::<String>::new());
        assert!(round.validity.valid);
        assert!((round.achieved_rps - 100.0).abs() < 0.5, "{}", round.achieved_rps);
    }

    #[test]
    fn each_fault_is_named() {
        assert_reason(|round| round.response_us.count = 99, Fault::TooFewRequests, "has only 99 requests");
        assert_reason(
            |round| round.counts.errors = BTreeMap::from([("status 503".to_owned(), 9)]),
            Fault::RequestsFailed,
            "(status 503: 9)",
        );
        assert_reason(
            |round| round.counts.errors = BTreeMap::from([(Shortage::Ports.kind().to_owned(), 9)]),
            Fault::GeneratorExhausted,
            "could not send 9 of 1009 requests (generator out of local ports",
        );
        assert_reason(|round| round.counts.unsent = 1, Fault::NotCarried, "dropped");
        assert_reason(|round| round.achieved_rps = 80.0, Fault::NotCarried, "80 requests/s of 100 planned");
        assert_reason(
            |round| round.own_late_share = 0.006,
            Fault::GeneratorLate,
            "0.6 % of the requests more than 500 µs late",
        );
        assert_reason(|round| round.counts.saturated = 1, Fault::TimesTooLong, "range of the histograms");
        assert_reason(|round| round.usage.as_mut().unwrap().steal = Some(0.05), Fault::CpuStolen, "5.0 %");
        assert_reason(
            |round| round.usage.as_mut().unwrap().generator_cpu_ns = 9_500_000_000,
            Fault::GeneratorFull,
            "95 %",
        );
    }

    #[test]
    fn drifting_round_is_invalid() {
        let validity = check_round(&valid_round(), false, 1);
        assert!(validity.reasons[0].contains("did not settle"));
        assert_eq!(validity.faults, [Fault::NeverSettled]);
    }

    #[test]
    fn closed_loop_may_saturate_its_generator() {
        let mut round = valid_round();
        round.planned_rps = None;
        round.counts.planned = None;
        round.usage.as_mut().unwrap().generator_cpu_ns = 9_900_000_000;
        assert!(check_round(&round, true, 1).valid);
    }
}
