//! Searches of known targets.

use std::convert::Infallible;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// All rounds of a search, and its end.
struct FinishedSearch {
    rounds_run: Vec<(RoundRequest, SloVerdict)>,
    end: SearchEnd,
}

impl FinishedSearch {
    fn fit(&self) -> SloFit {
        let conclusive = self.rounds_run.iter().filter_map(|(request, verdict)| {
            let SearchStep::Grid { block } = request.step else { return None };
            Some(ConclusiveRound { block, rate_rps: request.rate_rps, met: *verdict == SloVerdict::Met })
        });
        SloFit::of(&conclusive.collect::<Vec<_>>()).unwrap()
    }

    /// Returns the last rate that was to be confirmed, and how many rounds met the objectives there.
    fn confirmed(&self) -> Option<(f64, usize)> {
        let last = self.rounds_run.last().map(|(request, _)| *request)?;
        matches!(last.step, SearchStep::Confirmation { .. }).then(|| {
            let of_step = self.rounds_run.iter().filter(|(request, _)| request.step == last.step);
            (last.rate_rps, of_step.filter(|(_, verdict)| *verdict == SloVerdict::Met).count())
        })
    }
}

fn bounds() -> Bounds {
    Bounds::of(&["p99=10ms".parse().unwrap()], 2.0)
}

fn run_search(seed: u64, mut target: impl FnMut(f64) -> SloVerdict) -> FinishedSearch {
    let mut rounds_run = Vec::new();
    let round = |request: RoundRequest| {
        let verdict = target(request.rate_rps);
        rounds_run.push((request, verdict));
        Ok::<_, Infallible>(verdict)
    };
    let Ok(end) = search(&bounds(), seed, round);
    FinishedSearch { rounds_run, end }
}

/// Returns a target whose rounds meet the objectives with this probability at each rate.
fn chance(seed: u64, met: impl Fn(f64) -> f64) -> impl FnMut(f64) -> SloVerdict {
    let mut random = SmallRng::seed_from_u64(seed);
    move |rate| if random.random_bool(met(rate).clamp(0.0, 1.0)) { SloVerdict::Met } else { SloVerdict::Missed }
}

fn cliff(at: f64) -> impl Fn(f64) -> SloVerdict {
    move |rate| if rate <= at { SloVerdict::Met } else { SloVerdict::Missed }
}

#[test]
fn cliff_is_found_within_a_few_percent_and_confirmed() {
    // From far below the start to far above it.
    for at in [71.0, 631.0, 1_777.0, 12_345.0, 260_000.0] {
        let found = run_search(1, cliff(at));
        let (rate, met) = found.confirmed().unwrap();
        assert_eq!((found.end, met), (SearchEnd::Target, CONFIRMING as usize), "{at}");
        assert!((0.92 * at..=at).contains(&rate), "{rate} of {at}");
        let interval = found.fit().interval.unwrap();
        assert!(interval.low < at && interval.high >= at * 0.999, "{interval:?} of {at}");
        assert!(interval.high / interval.low < 1.2, "{interval:?} of {at}");
        assert!(found.rounds_run.len() < 70, "{} rounds", found.rounds_run.len());
    }
}

#[test]
fn slope_is_found_within_its_interval() {
    // Half of the rounds meet the objectives at 5,000 requests/s, nine of ten at 4,580.
    let law = |rate: f64| 1.0 / (1.0 + (25.0 * (rate / 5_000.0).ln()).exp());
    let true_rate = 5_000.0 * (-(9.0_f64).ln() / 25.0).exp();
    let (mut covered, mut confirmed) = (0, 0);
    for seed in 0..20 {
        let found = run_search(seed, chance(seed + 1_000, law));
        assert_eq!(found.end, SearchEnd::Target);
        covered += usize::from(found.fit().interval.is_some_and(|interval| interval.contains(true_rate)));
        let (rate, met) = found.confirmed().unwrap();
        confirmed += usize::from(met >= CONFIRMED_BY as usize);
        assert!((0.6 * true_rate..1.15 * true_rate).contains(&rate), "{rate}");
    }
    // Expected are 19 of 20 at 95 %; the bound is at most three deviations below.
    assert!(covered >= 17, "{covered} of 20 intervals contain the true rate");
    assert!(confirmed >= 19, "{confirmed} of 20 are confirmed");
}

#[test]
fn single_outlier_does_not_set_the_limit() {
    // The one round that is missed at 1,250 requests/s would end the doubling far too low.
    let mut rounds = 0;
    let found = run_search(1, |rate| {
        rounds += 1;
        if rounds == 2 { SloVerdict::Missed } else { cliff(9_000.0)(rate) }
    });
    let (rate, _) = found.confirmed().unwrap();
    assert!((8_200.0..=9_000.0).contains(&rate), "{rate}");
}

#[test]
fn generator_limit_is_not_reported_as_target_limit() {
    let full = |rate: f64| if rate <= 7_000.0 { SloVerdict::Met } else { SloVerdict::Generator };
    let found = run_search(1, full);
    let (rate, met) = found.confirmed().unwrap();
    assert_eq!((found.end, met), (SearchEnd::Generator, CONFIRMING as usize));
    assert!((7_000.0 / 1.42..=7_000.0).contains(&rate), "{rate}");
    assert!(found.rounds_run.iter().all(|(_, verdict)| *verdict != SloVerdict::Missed));
    let nowhere = run_search(1, |_| SloVerdict::Generator);
    assert_eq!((nowhere.end, nowhere.confirmed()), (SearchEnd::Generator, None));
}

#[test]
fn target_limit_below_the_generator_limit_is_found() {
    let found = run_search(1, |rate| if rate <= 8_000.0 { cliff(6_000.0)(rate) } else { SloVerdict::Generator });
    assert_eq!(found.end, SearchEnd::Target);
    assert!((5_500.0..=6_000.0).contains(&found.confirmed().unwrap().0));
}

#[test]
fn disturbed_round_is_repeated() {
    let mut rounds = 0_u32;
    let found = run_search(1, |rate| {
        rounds += 1;
        if rounds.is_multiple_of(4) { SloVerdict::Generator } else { cliff(3_000.0)(rate) }
    });
    assert_eq!(found.end, SearchEnd::Target);
    assert!((2_760.0..=3_000.0).contains(&found.confirmed().unwrap().0));
}

#[test]
fn target_that_never_settles_meets_no_rate() {
    let found = run_search(1, |rate| if rate <= 3_000.0 { SloVerdict::Met } else { SloVerdict::Unsettled });
    assert_eq!(found.end, SearchEnd::Target);
    assert!((2_760.0..=3_000.0).contains(&found.confirmed().unwrap().0));
}

#[test]
fn target_that_fails_at_the_lowest_rate_meets_no_rate() {
    let found = run_search(1, |_| SloVerdict::Missed);
    assert_eq!((found.end, found.confirmed()), (SearchEnd::NothingMet, None));
    let lowest = found.rounds_run.last().unwrap().0;
    assert!((lowest.rate_rps - bounds().lowest_rps).abs() < 1e-9 && lowest.duration_s <= 20.0 + 1e-9, "{lowest:?}");
}

#[test]
fn unconfirmed_rate_is_replaced_by_a_lower_one() {
    // Its capacity falls during the search.
    let mut rounds = 0;
    let found = run_search(1, |rate| {
        rounds += 1;
        cliff(if rounds < 48 { 5_000.0 } else { 4_300.0 })(rate)
    });
    let attempts = |request: &RoundRequest| matches!(request.step, SearchStep::Confirmation { attempt } if attempt > 0);
    assert!(found.rounds_run.iter().any(|(request, _)| attempts(request)), "it stepped down");
    let (rate, met) = found.confirmed().unwrap();
    assert!(rate <= 4_300.0 && met >= CONFIRMED_BY as usize, "{rate}, {met}");
}

#[test]
fn grid_order_differs_in_every_block() {
    let found = run_search(1, cliff(3_000.0));
    let order = |block: u32| -> Vec<u64> {
        let of_step = found.rounds_run.iter().filter(|(request, _)| request.step == SearchStep::Grid { block });
        of_step.map(|(request, _)| request.rate_rps as u64).collect()
    };
    let sorted = |block: u32| {
        let mut rates = order(block);
        rates.sort_unstable();
        rates
    };
    assert_eq!(order(2).len(), GRID_RATES as usize);
    assert_eq!(sorted(2), sorted(3));
    assert!((2..5).any(|block| order(block) != order(block + 1)));
}

#[test]
fn search_ends_when_its_time_is_used_up() {
    let mut rounds = 0;
    let found = run_search(1, |_| {
        rounds += 1;
        if rounds % 2 == 0 { SloVerdict::Missed } else { SloVerdict::Met }
    });
    assert!(found.rounds_run.len() <= bounds().max_rounds as usize);
    let short = Bounds { max_total_s: 20.0, ..bounds() };
    let Ok(end) = search(&short, 1, |request| Ok::<_, Infallible>(cliff(3_000.0)(request.rate_rps)));
    assert_eq!(end, SearchEnd::OutOfTime);
}
