//! A search with a known result.

use engine::plan::{Arrivals, Plan};
use engine::record::{Data as _, Load, Record, SearchEnd, SearchStep, SloExperiment, SloRound, SloVerdict};
use engine::validity::Fault;

use super::{Noise, TRUTHS};

/// Half of the rounds meet the objectives at 5,000 requests/s, nine of ten at [`TRUE_RPS`].
pub const TRUE_RPS: f64 = 4_746.0;
/// The slope of the share over the logarithm of the rate.
const SLOPE: f64 = 42.2;

/// Returns a search of one server that ended at the server's limit and was confirmed; some rounds
/// were disturbed.
pub fn search() -> Record {
    let mut noise = Noise(11);
    let mut rounds = Vec::new();
    for rate in [625.0, 1_250.0, 2_500.0, 5_000.0, 10_000.0] {
        rounds.push(round(SearchStep::Bracket, rate, rate < 7_000.0, &mut noise));
    }
    for block in 0..6 {
        for rate in [4_200.0, 4_400.0, 4_600.0, 4_800.0, 5_000.0, 5_250.0, 5_500.0] {
            let share = 1.0 / (1.0 + (SLOPE * (rate / 5_000.0_f64).ln()).exp());
            let met = noise.uniform() < share;
            rounds.push(round(SearchStep::Grid { block }, rate, met, &mut noise));
        }
    }
    for _ in 0..5 {
        rounds.push(round(SearchStep::Confirmation { attempt: 0 }, 4_700.0, true, &mut noise));
    }
    for disturbed in [7, 20] {
        let mut again = rounds[disturbed].clone();
        again.verdict = SloVerdict::Generator;
        again.round.validity.add_reason(Fault::GeneratorLate, "the generator itself was late".to_owned());
        rounds.insert(disturbed, again);
    }
    let objectives = vec!["p99=10ms".parse().unwrap()];
    let mut record = super::load();
    record.experiments = vec![SloExperiment { objectives, rounds, end: Some(SearchEnd::Target) }.wrap()];
    record
}

fn round(step: SearchStep, rate_rps: f64, met: bool, noise: &mut Noise) -> SloRound {
    let plan = Plan::new(Arrivals::Poisson { rate_rps }, 2.0);
    let mut round = super::round(&TRUTHS[1], Load::EqualRate { rate_rps }, 0, plan, rate_rps, noise);
    round.intervals.clear();
    round.response_us.p99 = Some(if met { 6_000 } else { 14_000 } + (rate_rps / 10.0) as u64);
    let verdict = if met { SloVerdict::Met } else { SloVerdict::Missed };
    SloRound { step, rate_rps, verdict, round }
}
