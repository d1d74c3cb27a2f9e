//! The highest rate that meets objectives: evidence of a record.

use engine::record::{SearchEnd, SearchStep, SloExperiment, SloVerdict};
use evidence::Evidence;
use synthetic::check::{assert_near, count_warnings, of};

/// The synthetic search after a change.
fn searched(change: impl FnOnce(&mut SloExperiment)) -> Evidence {
    let mut record = synthetic::slo::search();
    change(record.data_mut().unwrap());
    of(&record)
}

#[test]
fn search_finds_the_rate_at_which_nine_of_ten_rounds_meet_the_objectives() {
    let evidence = searched(|_| {});
    let table = evidence.slo.as_ref().unwrap();
    let fit = table.fit.unwrap();
    assert!(fit.interval.unwrap().contains(synthetic::slo::TRUE_RPS), "{fit:?}");
    assert_near(fit.rate_rps, synthetic::slo::TRUE_RPS, 300.0);
    assert_eq!((table.answer.rate_rps, table.answer.confirmed, table.answer.lower_bound), (Some(4_700.0), true, false));
    assert_eq!(table.rates.iter().map(|rate| rate.void).sum::<u32>(), 2);
    assert_eq!(
        count_warnings(&evidence, &["slo: 2 of 54 rounds say nothing about the target"]),
        1,
        "{:?}",
        evidence.warnings
    );
}

#[test]
fn void_rounds_do_not_change_the_curve() {
    let fit = |change: fn(&mut SloExperiment)| searched(change).slo.unwrap().fit.unwrap();
    let disturbed = |slo: &mut SloExperiment| slo.rounds.retain(|round| round.verdict != SloVerdict::Generator);
    assert_eq!(fit(|_| {}), fit(disturbed));
}

#[test]
fn rate_that_misses_again_is_not_confirmed() {
    let invalidated = |slo: &mut SloExperiment| {
        let confirming = |step: SearchStep| matches!(step, SearchStep::Confirmation { .. });
        let rounds = slo.rounds.iter_mut().filter(|round| confirming(round.step));
        rounds.take(2).for_each(|round| round.verdict = SloVerdict::Missed);
    };
    assert!(!searched(invalidated).slo.unwrap().answer.confirmed, "three of five are too few");
    let broken_off = searched(|slo| slo.end = None);
    assert!(!broken_off.slo.unwrap().answer.confirmed, "an interrupted confirmation is unknown");
}

#[test]
fn generator_limit_gives_a_lower_bound_and_no_met_round_gives_no_rate() {
    let answer = |end| searched(|slo| slo.end = Some(end)).slo.unwrap().answer;
    assert!(answer(SearchEnd::Generator).lower_bound && answer(SearchEnd::Generator).confirmed);
    assert_eq!(answer(SearchEnd::NothingMet).rate_rps, None);
}
