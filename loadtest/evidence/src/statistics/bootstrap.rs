//! Intervals by resampling (Efron and Tibshirani, *An Introduction to the Bootstrap*, chapter 13),
//! for statistics without a formula for an interval.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Estimate, Interval};

/// Resamples: each end of a 95 % interval then rests on fifty of them.
const RESAMPLES: usize = 2_000;
/// Fewer samples repeat too often within a resample to show their scatter.
const MIN_SAMPLES: usize = 5;
/// The seed is fixed: a report is a function of its record.
const SEED: u64 = 1;

/// Estimates several statistics, each with its percentile interval.
///
/// None if `of` finds no value in the samples themselves. A resample without a value is left out.
/// There are no intervals for fewer than five samples, or if most resamples have no value. Estimate
/// and interval come from the same function, and the interval is extended to contain the estimate:
/// with skewed or bounded values, the percentile interval alone may miss it.
#[must_use]
pub fn bootstrap<Sample, const N: usize>(
    samples: &[Sample],
    confidence: f64,
    of: impl Fn(&[&Sample]) -> Option<[f64; N]>,
) -> Option<[Estimate; N]> {
    let values = of(&samples.iter().collect::<Vec<_>>())?;
    let resampled = resample(samples, of);
    Some(std::array::from_fn(|number| Estimate {
        value: values[number],
        interval: resampled
            .as_deref()
            .map(|resampled| interval(resampled, number, confidence).extended_to(values[number])),
        samples: samples.len(),
    }))
}

/// Returns the values of the resamples; none for too few samples, or too few resamples with a
/// value.
fn resample<Sample, const N: usize>(
    samples: &[Sample],
    of: impl Fn(&[&Sample]) -> Option<[f64; N]>,
) -> Option<Vec<[f64; N]>> {
    if samples.len() < MIN_SAMPLES {
        return None;
    }
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut draw =
        || -> Vec<&Sample> { samples.iter().map(|_| &samples[random.random_range(0..samples.len())]).collect() };
    let found: Vec<[f64; N]> = (0..RESAMPLES).filter_map(|_| of(&draw())).collect();
    (found.len() > RESAMPLES / 2).then_some(found)
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
    fn interval_of_a_mean_is_close_to_the_formula() {
        let samples: Vec<f64> = (0..100).map(|number| f64::from(number * 37 % 100)).collect();
        let [found] = bootstrap(&samples, 0.95, mean).unwrap();
        let interval = found.interval.unwrap();
        assert!((found.value - 49.5).abs() < 1e-9, "{found:?}");
        // 49.5 and 1.96 times 29.01 / 10.
        assert!((interval.low - 43.8).abs() < 0.6, "{interval:?}");
        assert!((interval.high - 55.2).abs() < 0.6, "{interval:?}");
        assert_eq!(bootstrap(&samples, 0.95, mean), Some([found]), "it draws the same again");
    }

    #[test]
    fn few_samples_or_failing_resamples_give_no_interval() {
        let [few] = bootstrap(&[1.0, 2.0, 3.0, 4.0], 0.95, mean).unwrap();
        assert_eq!((few.value, few.interval), (2.5, None));
        assert_eq!(bootstrap(&[1.0; 10], 0.95, |_| None::<[f64; 1]>), None);
        let only_if_exact = |samples: &[&f64]| mean(samples).filter(|[mean]| mean.total_cmp(&4.5).is_eq());
        let [whole] = bootstrap(&(0..10).map(f64::from).collect::<Vec<_>>(), 0.95, only_if_exact).unwrap();
        assert_eq!((whole.value, whole.interval), (4.5, None), "most draws find nothing");
    }

    #[test]
    fn interval_contains_an_estimate_outside_the_resamples() {
        // A draw repeats samples, so that it has fewer different ones than there are.
        let different = |samples: &[&f64]| {
            let mut all: Vec<u64> = samples.iter().map(|sample| sample.to_bits()).collect();
            all.sort_unstable();
            all.dedup();
            Some([all.len() as f64])
        };
        let samples: Vec<f64> = (0..20).map(f64::from).collect();
        let [found] = bootstrap(&samples, 0.95, different).unwrap();
        let interval = found.interval.unwrap();
        assert!(interval.contains(20.0) && interval.low < 12.0, "{found:?}");
    }
}
