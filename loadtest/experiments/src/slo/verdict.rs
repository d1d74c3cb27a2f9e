//! The verdict of a round. Possible faults of the instrument never count against the target.

use engine::record::{Round, SloVerdict};
use engine::slo::Objective;
use engine::validity::{Fault, GENERATOR_SHARE, OWN_LATE_SHARE, Side};

/// The share of an objective's time by which the generator may be late, at the same percentile.
const MAX_LAG_SHARE: f64 = 0.1;

/// Classifies a round. `shared` is the number of processors that generator and server both may use, if any.
pub(crate) fn verdict(round: &mut Round, objectives: &[Objective], shared: Option<usize>) -> SloVerdict {
    let verdict = without_sharing(round, objectives);
    let share = shared.and_then(|cpus| cpu_share(round, cpus)).filter(|share| *share > GENERATOR_SHARE);
    match (verdict, share) {
        (SloVerdict::Missed, Some(share)) => {
            let reason = format!(
                "generator and server together used {:.0} % of the processors that they share: it is unknown which of them \
                 delayed the other",
                share * 100.0
            );
            round.validity.add_reason(Fault::ProcessorsShared, reason);
            SloVerdict::Generator
        }
        _ => verdict,
    }
}

fn without_sharing(round: &Round, objectives: &[Objective]) -> SloVerdict {
    let counts = |fault: Fault| fault != Fault::GeneratorLate || is_too_late(round, objectives);
    let is_of = |side: Side| round.validity.faults.iter().any(|fault| fault.side() == side && counts(*fault));
    if is_of(Side::Instrument) {
        SloVerdict::Generator
    } else if is_of(Side::Target) {
        SloVerdict::Missed
    } else if is_of(Side::Unclear) {
        SloVerdict::Unsettled
    } else if objectives.iter().all(|objective| objective.is_met(round)) {
        SloVerdict::Met
    } else {
        SloVerdict::Missed
    }
}

/// Returns whether the generator was so late that it could change the verdict. The limit depends on the objective: a
/// p99 of 10 ms is not missed because one request in a hundred is sent 700 µs late.
///
/// The lateness is that of requests that found an idle connection. If the target is overloaded these are few, the first
/// ones, and a single late one is a large share of them, but it does not explain the waiting time of all others.
fn is_too_late(round: &Round, objectives: &[Objective]) -> bool {
    let late = round.own_late_share * round.own_lag_us.count as f64;
    let matters = |objective: &Objective| {
        let lag_us = objective.percentile.bound(&round.own_lag_us).unwrap_or(0);
        lag_us as f64 > MAX_LAG_SHARE * objective.most_us as f64
    };
    late > OWN_LATE_SHARE * round.counts.sent() as f64 && objectives.iter().any(matters)
}

/// Returns the share of these processors that generator, server and store used inside the window.
fn cpu_share(round: &Round, cpus: usize) -> Option<f64> {
    let usage = round.usage.as_ref()?;
    let spent_ns = usage.generator_cpu_ns + usage.server_cpu_ns + usage.store_cpu_ns.unwrap_or(0);
    Some(spent_ns as f64 / ((round.window.end_s - round.window.start_s) * 1e9 * cpus as f64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine::plan::{Arrivals, Plan};
    use engine::record::{Counts, Load, Quantiles, Usage, Validity, Window};

    use super::*;

    /// Returns a round with 10,000 requests in 10 s, and a p99 of 9 ms.
    fn valid_round() -> Round {
        let times = Quantiles { p50: Some(500), p99: Some(9_000), count: 10_000, ..Quantiles::default() };
        Round {
            scheme: "jwt-hs256".to_owned(),
            block: 0,
            position: 0,
            load: Load::EqualRate { rate_rps: 1_000.0 },
            started_at: String::new(),
            plan: Plan::new(Arrivals::Poisson { rate_rps: 1_000.0 }, 10.0),
            window: Window { start_s: 0.0, end_s: 10.0, warmup_detected: true },
            counts: Counts { planned: Some(10_000), ok: 10_000, errors: BTreeMap::new(), unsent: 0, saturated: 0 },
            planned_rps: Some(1_000.0),
            achieved_rps: 1_000.0,
            response_us: times,
            service_us: times,
            lag_us: times,
            own_lag_us: Quantiles { count: 10_000, ..times },
            own_late_share: 0.0,
            intervals: Vec::new(),
            usage: Some(Usage {
                requests: 10_000,
                server_cpu_ns: 10_000_000_000,
                store_cpu_ns: None,
                balancer_cpu_ns: None,
                generator_cpu_ns: 9_000_000_000,
                store_commands: None,
                steal: None,
            }),
            store_rtt_us: None,
            hop_rtt_us: None,
            validity: Validity::from_reasons(Vec::new()),
        }
    }

    #[track_caller]
    fn assert_verdict(change: impl FnOnce(&mut Round), shared: Option<usize>, expected: SloVerdict) -> Round {
        let mut round = valid_round();
        change(&mut round);
        let objectives = ["p99=10ms", "p50=1ms"].map(|text| text.parse().unwrap());
        assert_eq!(verdict(&mut round, &objectives, shared), expected, "{:?}", round.validity);
        round
    }

    fn slow(round: &mut Round) {
        round.response_us.p99 = Some(11_000);
    }

    fn fault(fault: Fault) -> impl Fn(&mut Round) {
        move |round| round.validity.add_reason(fault, String::new())
    }

    #[test]
    fn round_is_met_only_if_every_objective_is_met() {
        assert_verdict(|_| {}, None, SloVerdict::Met);
        assert_verdict(slow, None, SloVerdict::Missed);
        assert_verdict(|round| round.response_us.p50 = Some(1_001), None, SloVerdict::Missed);
        assert_verdict(|round| round.service_us.p99 = Some(90_000), None, SloVerdict::Met);
    }

    #[test]
    fn target_faults_are_misses_and_generator_faults_have_no_verdict() {
        assert_verdict(fault(Fault::NotCarried), None, SloVerdict::Missed);
        assert_verdict(fault(Fault::RequestsFailed), None, SloVerdict::Missed);
        assert_verdict(fault(Fault::CpuStolen), None, SloVerdict::Generator);
        assert_verdict(fault(Fault::GeneratorFull), None, SloVerdict::Generator);
        assert_verdict(fault(Fault::NeverSettled), None, SloVerdict::Unsettled);
        let both = |round: &mut Round| {
            fault(Fault::NotCarried)(round);
            fault(Fault::GeneratorFull)(round);
        };
        assert_verdict(both, None, SloVerdict::Generator);
    }

    #[test]
    fn late_generator_makes_a_round_inconclusive_only_if_it_could_change_the_verdict() {
        let late = |(count, lag_us): (u64, u64)| {
            move |round: &mut Round| {
                fault(Fault::GeneratorLate)(round);
                fault(Fault::NotCarried)(round);
                round.own_late_share = 0.01;
                round.own_lag_us = Quantiles { p50: Some(80), p99: Some(lag_us), count, ..Quantiles::default() };
            }
        };
        assert_verdict(late((10_000, 1_001)), None, SloVerdict::Generator);
        assert_verdict(late((10_000, 1_000)), None, SloVerdict::Missed);
        assert_verdict(late((100, 9_000)), None, SloVerdict::Missed);
    }

    #[test]
    fn miss_on_saturated_shared_processors_has_no_verdict() {
        let round = assert_verdict(slow, Some(2), SloVerdict::Generator);
        assert_eq!(round.validity.faults, [Fault::ProcessorsShared]);
        assert!(round.validity.reasons[0].contains("95 %"), "{:?}", round.validity);
        assert_verdict(slow, Some(4), SloVerdict::Missed);
        assert_verdict(|_| {}, Some(2), SloVerdict::Met);
    }
}
