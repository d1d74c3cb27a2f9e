//! Searches of known targets.

use std::convert::Infallible;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// All rounds of a search, and its end.
struct Found {
    asked: Vec<(Ask, SloVerdict)>,
    end: SearchEnd,
}

impl Found {
    fn fit(&self) -> SloFit {
        let judged = self.asked.iter().filter_map(|(ask, verdict)| {
            let SearchStep::Grid { block } = ask.step else { return None };
            Some(ConclusiveRound { block, rate_rps: ask.rate_rps, met: *verdict == SloVerdict::Met })
        });
        SloFit::of(&judged.collect::<Vec<_>>()).unwrap()
    }

    /// Returns the last rate that was to be confirmed, and how many rounds met the objectives there.
    fn confirmed(&self) -> Option<(f64, usize)> {
        let last = self.asked.last().map(|(ask, _)| *ask)?;
        matches!(last.step, SearchStep::Confirmation { .. }).then(|| {
            let own = self.asked.iter().filter(|(ask, _)| ask.step == last.step);
            (last.rate_rps, own.filter(|(_, verdict)| *verdict == SloVerdict::Met).count())
        })
    }
}

fn bounds() -> Bounds {
    Bounds::of(&["p99=10ms".parse().unwrap()], 2.0)
}

fn searched(seed: u64, mut target: impl FnMut(f64) -> SloVerdict) -> Found {
    let mut asked = Vec::new();
    let round = |ask: Ask| {
        let verdict = target(ask.rate_rps);
        asked.push((ask, verdict));
        Ok::<_, Infallible>(verdict)
    };
    let Ok(end) = search(&bounds(), seed, round);
    Found { asked, end }
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
        let found = searched(1, cliff(at));
        let (rate, met) = found.confirmed().unwrap();
        assert_eq!((found.end, met), (SearchEnd::Target, CONFIRMING as usize), "{at}");
        assert!((0.92 * at..=at).contains(&rate), "{rate} of {at}");
        let interval = found.fit().interval.unwrap();
        assert!(interval.low < at && interval.high >= at * 0.999, "{interval:?} of {at}");
        assert!(interval.high / interval.low < 1.2, "{interval:?} of {at}");
        assert!(found.asked.len() < 70, "{} rounds", found.asked.len());
    }
}

#[test]
fn slope_is_found_within_its_interval() {
    // Half of the rounds meet the objectives at 5,000 requests/s, nine of ten at 4,580.
    let law = |rate: f64| 1.0 / (1.0 + (25.0 * (rate / 5_000.0).ln()).exp());
    let truth = 5_000.0 * (-(9.0_f64).ln() / 25.0).exp();
    let (mut held, mut confirmed) = (0, 0);
    for seed in 0..40 {
        let found = searched(seed, chance(seed + 1_000, law));
        assert_eq!(found.end, SearchEnd::Target);
        held += usize::from(found.fit().interval.is_some_and(|interval| interval.contains(truth)));
        let (rate, met) = found.confirmed().unwrap();
        confirmed += usize::from(met >= CONFIRMED_BY as usize);
        assert!((0.6 * truth..1.15 * truth).contains(&rate), "{rate}");
    }
    // Expected are 38 of 40 at 95 %; the bound is at most three deviations below.
    assert!(held >= 34, "{held} of 40 intervals hold the truth");
    assert!(confirmed >= 38, "{confirmed} of 40 are confirmed");
}

#[test]
fn single_outlier_does_not_set_the_limit() {
    // The one round that is missed at 1,250 requests/s would end the doubling far too low.
    let mut rounds = 0;
    let found = searched(1, |rate| {
        rounds += 1;
        if rounds == 2 { SloVerdict::Missed } else { cliff(9_000.0)(rate) }
    });
    let (rate, _) = found.confirmed().unwrap();
    assert!((8_200.0..=9_000.0).contains(&rate), "{rate}");
}

#[test]
fn generator_limit_is_not_reported_as_target_limit() {
    let full = |rate: f64| if rate <= 7_000.0 { SloVerdict::Met } else { SloVerdict::Generator };
    let found = searched(1, full);
    let (rate, met) = found.confirmed().unwrap();
    assert_eq!((found.end, met), (SearchEnd::Generator, CONFIRMING as usize));
    assert!((7_000.0 / 1.42..=7_000.0).contains(&rate), "{rate}");
    assert!(found.asked.iter().all(|(_, verdict)| *verdict != SloVerdict::Missed));
    let nowhere = searched(1, |_| SloVerdict::Generator);
    assert_eq!((nowhere.end, nowhere.confirmed()), (SearchEnd::Generator, None));
}

#[test]
fn target_limit_below_the_generator_limit_is_found() {
    let found = searched(1, |rate| if rate <= 8_000.0 { cliff(6_000.0)(rate) } else { SloVerdict::Generator });
    assert_eq!(found.end, SearchEnd::Target);
    assert!((5_500.0..=6_000.0).contains(&found.confirmed().unwrap().0));
}

#[test]
fn disturbed_round_is_repeated() {
    let mut rounds = 0_u32;
    let found = searched(1, |rate| {
        rounds += 1;
        if rounds.is_multiple_of(4) { SloVerdict::Generator } else { cliff(3_000.0)(rate) }
    });
    assert_eq!(found.end, SearchEnd::Target);
    assert!((2_760.0..=3_000.0).contains(&found.confirmed().unwrap().0));
}

#[test]
fn target_that_never_settles_meets_no_rate() {
    let found = searched(1, |rate| if rate <= 3_000.0 { SloVerdict::Met } else { SloVerdict::Unsettled });
    assert_eq!(found.end, SearchEnd::Target);
    assert!((2_760.0..=3_000.0).contains(&found.confirmed().unwrap().0));
}

#[test]
fn target_that_fails_at_the_lowest_rate_meets_no_rate() {
    let found = searched(1, |_| SloVerdict::Missed);
    assert_eq!((found.end, found.confirmed()), (SearchEnd::NothingMet, None));
    let lowest = found.asked.last().unwrap().0;
    assert!((lowest.rate_rps - bounds().lowest_rps).abs() < 1e-9 && lowest.duration_s <= 20.0 + 1e-9, "{lowest:?}");
}

#[test]
fn unconfirmed_rate_is_replaced_by_a_lower_one() {
    // Its capacity falls during the search.
    let mut rounds = 0;
    let found = searched(1, |rate| {
        rounds += 1;
        cliff(if rounds < 48 { 5_000.0 } else { 4_300.0 })(rate)
    });
    let attempts = |ask: &Ask| matches!(ask.step, SearchStep::Confirmation { attempt } if attempt > 0);
    assert!(found.asked.iter().any(|(ask, _)| attempts(ask)), "it stepped down");
    let (rate, met) = found.confirmed().unwrap();
    assert!(rate <= 4_300.0 && met >= CONFIRMED_BY as usize, "{rate}, {met}");
}

#[test]
fn grid_order_differs_in_every_block() {
    let found = searched(1, cliff(3_000.0));
    let order = |wanted: u32| -> Vec<u64> {
        let own = found.asked.iter().filter(|(ask, _)| ask.step == SearchStep::Grid { block: wanted });
        own.map(|(ask, _)| ask.rate_rps as u64).collect()
    };
    let sorted = |block: u32| {
        let mut rates = order(block);
        rates.sort_unstable();
        rates
    };
    assert_eq!(order(2).len(), RATES as usize);
    assert_eq!(sorted(2), sorted(3));
    assert!((2..5).any(|block| order(block) != order(block + 1)));
}

#[test]
fn search_ends_when_its_time_is_used_up() {
    let mut rounds = 0;
    let found = searched(1, |_| {
        rounds += 1;
        if rounds % 2 == 0 { SloVerdict::Missed } else { SloVerdict::Met }
    });
    assert!(found.asked.len() <= bounds().most_rounds as usize);
    let short = Bounds { most_s: 20.0, ..bounds() };
    let Ok(end) = search(&short, 1, |ask| Ok::<_, Infallible>(cliff(3_000.0)(ask.rate_rps)));
    assert_eq!(end, SearchEnd::OutOfTime);
}
