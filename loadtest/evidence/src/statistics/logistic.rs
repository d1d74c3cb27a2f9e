//! Logistic regression of the share of good outcomes on the logarithm of a positive quantity, such
//! as a rate.
//!
//! The curve maximizes Firth's penalised likelihood (Biometrika 80, 1993), because the plain
//! likelihood has no maximum if every outcome below some value is good and every one above it is
//! bad: the curve would be infinitely steep. The interval of the value with a given share is that
//! of the plain profile likelihood, which is finite even then and contains the whole gap; the
//! penalty would exclude the steepest curves, and so the upper end of the gap.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::Interval;

/// Newton steps; about ten are enough.
const MAX_NEWTON_STEPS: usize = 100;
/// The search range for the ends of an interval, in standard deviations of the logarithms from the
/// mean.
const SEARCH_RANGE: f64 = 6.0;
/// Grid points in that range for the search of the maximum.
const GRID_POINTS: u32 = 300;
/// The flattest and the steepest slope that a profile tries, per standard deviation.
const SLOPE_RANGE: (f64, f64) = (0.05, 400.0);

/// The share at x is 1 / (1 + exp(-(intercept + slope ln x))).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// The log odds at 1.
    pub intercept: f64,
    /// The growth while x grows e-fold.
    pub slope: f64,
}

impl Logistic {
    /// Fits the curve through outcomes (x, good), by penalised likelihood. None for fewer than two
    /// different x.
    #[must_use]
    pub fn fit(outcomes: &[(f64, bool)]) -> Option<Self> {
        let scaled = Scaled::of(outcomes)?;
        Some(scaled.unscaled(scaled.fit()?))
    }

    /// Returns the share of good outcomes at x.
    #[must_use]
    pub fn share(&self, x: f64) -> f64 {
        probability(self.intercept + self.slope * x.ln())
    }

    /// Returns the x with this share, between 0 and 1; not finite if the curve is flat.
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        ((log_odds(share) - self.intercept) / self.slope).exp()
    }
}

/// Returns the interval of the x at which the curve has this share, by profile likelihood.
///
/// None if it is open on one side. The curve is taken to rise or to fall as [`Logistic::fit`] does.
#[must_use]
pub fn profile_interval(outcomes: &[(f64, bool)], share: f64, confidence: f64) -> Option<Interval> {
    let scaled = Scaled::of(outcomes)?;
    let sign = scaled.fit()?[1].signum();
    let profile = |at: f64| scaled.profile(at, share, sign);
    let positions =
        (0..=GRID_POINTS).map(|place| SEARCH_RANGE * (2.0 * f64::from(place) / f64::from(GRID_POINTS) - 1.0));
    let profiles: Vec<(f64, f64)> = positions.map(|at| (at, profile(at))).collect();
    let &(middle, best) = profiles.iter().max_by(|one, other| one.1.total_cmp(&other.1))?;
    let least = best - ChiSquared::new(1.0).ok()?.inverse_cdf(confidence) / 2.0;
    let end = |side: f64| bisect(middle, side * SEARCH_RANGE, |at| profile(at) >= least).map(|at| scaled.x(at));
    Some(Interval { low: end(-1.0)?, high: end(1.0)?, level: confidence })
}

/// Returns the boundary of a condition that holds at `inside` and not at `outside`, by bisection.
fn bisect(mut inside: f64, mut outside: f64, condition: impl Fn(f64) -> bool) -> Option<f64> {
    if condition(outside) {
        return None;
    }
    for _ in 0..40 {
        let middle = f64::midpoint(inside, outside);
        *(if condition(middle) { &mut inside } else { &mut outside }) = middle;
    }
    Some(inside)
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

fn log_odds(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

/// Logarithms scaled to mean 0 and deviation 1, so that steps and bounds mean the same for all
/// data.
struct Scaled {
    outcomes: Vec<(f64, f64)>,
    mean: f64,
    deviation: f64,
}

impl Scaled {
    fn of(outcomes: &[(f64, bool)]) -> Option<Self> {
        let count = outcomes.len() as f64;
        let mean = outcomes.iter().map(|(x, _)| x.ln()).sum::<f64>() / count;
        let square = outcomes.iter().map(|(x, _)| (x.ln() - mean).powi(2)).sum::<f64>() / count;
        let deviation = square.sqrt();
        let scale = |&(x, good): &(f64, bool)| ((x.ln() - mean) / deviation, f64::from(u8::from(good)));
        (deviation > 1e-9).then(|| Self { outcomes: outcomes.iter().map(scale).collect(), mean, deviation })
    }

    fn x(&self, scaled: f64) -> f64 {
        (self.mean + self.deviation * scaled).exp()
    }

    fn unscaled(&self, [intercept, slope]: [f64; 2]) -> Logistic {
        let slope = slope / self.deviation;
        Logistic { intercept: intercept - slope * self.mean, slope }
    }

    /// Fits by Newton steps on the penalised score, halved while they decrease the likelihood.
    fn fit(&self) -> Option<[f64; 2]> {
        let mut at = [0.0, 0.0];
        for _ in 0..MAX_NEWTON_STEPS {
            let step = self.step(at)?;
            let here = self.penalised_likelihood(at);
            let moved = |share: f64| [at[0] + share * step[0], at[1] + share * step[1]];
            let shares = (0..30).map(|halvings| 0.5_f64.powi(halvings));
            let next = shares.map(moved).find(|&next| self.penalised_likelihood(next) >= here);
            let Some(next) = next else { return Some(at) };
            let length = (next[0] - at[0]).hypot(next[1] - at[1]);
            at = next;
            if length < 1e-9 {
                return Some(at);
            }
        }
        Some(at)
    }

    /// Returns the entries of the information matrix: intercept, both, slope.
    fn information(&self, [intercept, slope]: [f64; 2]) -> [f64; 3] {
        self.outcomes.iter().fold([0.0; 3], |[one, both, square], (x, _)| {
            let share = probability(intercept + slope * x);
            let weight = share * (1.0 - share);
            [one + weight, both + weight * x, square + weight * x * x]
        })
    }

    fn step(&self, at: [f64; 2]) -> Option<[f64; 2]> {
        let [one, both, square] = self.information(at);
        let determinant = one * square - both * both;
        if determinant <= 0.0 {
            return None;
        }
        let mut score = [0.0, 0.0];
        for (x, good) in &self.outcomes {
            let share = probability(at[0] + at[1] * x);
            let leverage = share * (1.0 - share) * (square - 2.0 * both * x + one * x * x) / determinant;
            let residual = good - share + leverage * (0.5 - share);
            score = [score[0] + residual, score[1] + residual * x];
        }
        Some([(square * score[0] - both * score[1]) / determinant, (one * score[1] - both * score[0]) / determinant])
    }

    /// Returns the log-likelihood.
    fn log_likelihood(&self, [intercept, slope]: [f64; 2]) -> f64 {
        let term = |(x, good): &(f64, f64)| {
            let log_odds = intercept + slope * x;
            // The logarithm of a share and of its complement, without losing digits near 0.
            -(if *good > 0.5 { -log_odds } else { log_odds }).exp().ln_1p()
        };
        self.outcomes.iter().map(term).sum::<f64>()
    }

    /// Returns the log-likelihood plus half of the log-determinant of the information: Jeffreys'
    /// prior.
    fn penalised_likelihood(&self, at: [f64; 2]) -> f64 {
        let [one, both, square] = self.information(at);
        let sum = self.log_likelihood(at) + 0.5 * (one * square - both * both).ln();
        if sum.is_nan() { f64::NEG_INFINITY } else { sum }
    }

    /// Returns the maximum likelihood of the curves with this share there and this sign of slope.
    ///
    /// Uses golden-section search over the logarithm of the slope.
    fn profile(&self, at: f64, share: f64, sign: f64) -> f64 {
        let likelihood = |log_slope: f64| {
            let slope = sign * log_slope.exp();
            self.log_likelihood([log_odds(share) - slope * at, slope])
        };
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut low, mut high) = (SLOPE_RANGE.0.ln(), SLOPE_RANGE.1.ln());
        for _ in 0..40 {
            let width = golden * (high - low);
            if likelihood(high - width) < likelihood(low + width) { low = high - width } else { high = low + width }
        }
        likelihood(f64::midpoint(low, high))
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::E;

    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn outcomes(counted: &[(f64, usize, usize)]) -> Vec<(f64, bool)> {
        let of = |&(x, good, all): &(f64, usize, usize)| (0..all).map(move |number| (x, number < good));
        counted.iter().flat_map(of).collect()
    }

    #[test]
    fn two_values_get_half_an_outcome_added_to_each_cell() {
        // The known answer of Firth's penalty for a table of four cells: one half is added to each.
        let found = Logistic::fit(&outcomes(&[(1.0, 4, 4), (E, 0, 4)])).unwrap();
        assert!((found.share(1.0) - 4.5 / 5.0).abs() < 1e-6, "{found:?}");
        assert!((found.share(E) - 0.5 / 5.0).abs() < 1e-6, "{found:?}");
        let found = Logistic::fit(&outcomes(&[(1.0, 7, 9), (E, 2, 6)])).unwrap();
        assert!((found.share(1.0) - 7.5 / 10.0).abs() < 1e-6, "{found:?}");
        assert!((found.share(E) - 2.5 / 7.0).abs() < 1e-6, "{found:?}");
        assert!((found.at(found.share(2.0)) - 2.0).abs() < 1e-9, "one is the other's inverse");
    }

    #[test]
    fn separated_outcomes_have_a_finite_curve_and_an_interval_with_the_gap() {
        let grid = [80.0, 90.0, 100.0, 110.0, 120.0, 130.0];
        let separated: Vec<_> = grid.iter().map(|&x| (x, if x < 105.0 { 5 } else { 0 }, 5)).collect();
        let separated = outcomes(&separated);
        let found = Logistic::fit(&separated).unwrap();
        assert!((100.0..110.0).contains(&found.at(0.5)), "{}", found.at(0.5));
        assert!(found.slope.is_finite() && found.slope < -20.0, "{found:?}");
        let interval = profile_interval(&separated, 0.5, 0.95).unwrap();
        assert!((95.0..100.5).contains(&interval.low), "{interval:?}");
        assert!((109.5..115.0).contains(&interval.high), "{interval:?}");
    }

    #[test]
    fn outcomes_independent_of_x_give_no_interval() {
        let same = outcomes(&[(80.0, 2, 4), (100.0, 2, 4), (120.0, 2, 4)]);
        assert!(Logistic::fit(&same).unwrap().slope.abs() < 1e-6);
        assert_eq!(profile_interval(&same, 0.9, 0.95), None);
        assert_eq!(Logistic::fit(&outcomes(&[(100.0, 3, 5)])), None);
        assert_eq!(Logistic::fit(&[]), None);
    }

    #[test]
    fn interval_coverage_matches_the_level() {
        let truth = Logistic { intercept: 25.0 * 1000.0_f64.ln(), slope: -25.0 };
        let grid: Vec<f64> = (0..7).map(|step| 850.0 * 1.06_f64.powi(step)).collect();
        let mut random = SmallRng::seed_from_u64(1);
        let mut covered = 0;
        for _ in 0..200 {
            let drawn = (0..6).flat_map(|_| &grid);
            let drawn: Vec<_> = drawn.map(|&x| (x, random.random_bool(truth.share(x)))).collect();
            let interval = profile_interval(&drawn, 0.9, 0.95);
            covered += usize::from(interval.is_some_and(|interval| interval.contains(truth.at(0.9))));
        }
        // Three deviations of a binomial with 200 draws are 4.6 %.
        assert!((180..=200).contains(&covered), "{covered} of 200");
    }
}
