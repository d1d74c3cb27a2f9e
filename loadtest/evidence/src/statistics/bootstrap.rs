//! Intervals by drawing the samples anew (Efron and Tibshirani, *An Introduction to the Bootstrap*, chapter 13): for numbers that
//! no formula gives an interval for.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::Interval;

/// Draws: the ends of a 95 % interval then stand on fifty of them.
const DRAWS: usize = 2_000;
/// Fewer samples repeat one another too often to show how they scatter.
const FEWEST_SAMPLES: usize = 5;
/// The same for everybody: a report is a function of its record.
const SEED: u64 = 1;

/// The percentile intervals of several numbers that `of` finds in samples; a draw in which it finds none is left out. None
/// for fewer than five samples, and where most draws find nothing.
#[must_use]
pub fn bootstrap<Sample, const N: usize>(
    samples: &[Sample],
    confidence: f64,
    of: impl Fn(&[&Sample]) -> Option<[f64; N]>,
) -> Option<[Interval; N]> {
    if samples.len() < FEWEST_SAMPLES {
        return None;
    }
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut draw =
        || -> Vec<&Sample> { samples.iter().map(|_| &samples[random.random_range(0..samples.len())]).collect() };
    let found: Vec<[f64; N]> = (0..DRAWS).filter_map(|_| of(&draw())).collect();
    (found.len() > DRAWS / 2).then(|| std::array::from_fn(|number| interval(&found, number, confidence)))
}

fn interval<const N: usize>(found: &[[f64; N]], number: usize, confidence: f64) -> Interval {
    let mut values: Vec<f64> = found.iter().map(|numbers| numbers[number]).collect();
    values.sort_by(f64::total_cmp);
    let outside = ((1.0 - confidence) / 2.0 * values.len() as f64) as usize;
    Interval { low: values[outside], high: values[values.len() - 1 - outside], level: confidence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(samples: &[&f64]) -> Option<[f64; 1]> {
        (!samples.is_empty()).then(|| [samples.iter().copied().sum::<f64>() / samples.len() as f64])
    }

    #[test]
    fn the_interval_of_a_mean_is_about_that_of_the_formula() {
        let samples: Vec<f64> = (0..100).map(|number| f64::from(number * 37 % 100)).collect();
        let [interval] = bootstrap(&samples, 0.95, mean).unwrap();
        // 49.5 and 1.96 times 29.01 / 10.
        assert!((interval.low - 43.8).abs() < 0.6, "{interval:?}");
        assert!((interval.high - 55.2).abs() < 0.6, "{interval:?}");
        assert_eq!(bootstrap(&samples, 0.95, mean), Some([interval]), "it draws the same again");
    }

    #[test]
    fn few_samples_and_failing_draws_have_none() {
        assert_eq!(bootstrap(&[1.0, 2.0, 3.0, 4.0], 0.95, mean), None);
        assert_eq!(bootstrap(&[1.0; 10], 0.95, |_| None::<[f64; 1]>), None);
    }
}
