//! The median, with an interval between two order statistics.
//!
//! It makes no assumption about the distribution: each sample lies below the true median with
//! probability one half, so the number that do is binomial (Conover, *Practical Nonparametric
//! Statistics*, section 3.2). This suits percentiles of rounds, which are skewed.

use engine::median::median_of_sorted;
use statrs::distribution::{Binomial, DiscreteCDF as _};

use super::{Estimate, Interval};

/// Returns the median. None without samples.
#[must_use]
pub fn median(samples: &[f64], confidence: f64) -> Option<Estimate> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let value = median_of_sorted(&sorted)?;
    Some(Estimate { value, interval: interval(&sorted, confidence), samples: sorted.len() })
}

fn interval(sorted: &[f64], confidence: f64) -> Option<Interval> {
    let count = sorted.len();
    let deepest = (1..=count / 2).take_while(|&depth| level_at_depth(depth, count) >= confidence).last()?;
    Some(Interval { low: sorted[deepest - 1], high: sorted[count - deepest], level: level_at_depth(deepest, count) })
}

/// Returns the level of the interval between the samples that are `depth` places in from both ends.
fn level_at_depth(depth: usize, samples: usize) -> f64 {
    let below = Binomial::new(0.5, samples as u64).expect("one half is a probability");
    1.0 - 2.0 * below.cdf(depth as u64 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_ends_are_order_statistics() {
        // 1 - 2 * pbinom(1, 9, 0.5) in R: the second from either side
        let found = median(&[16.8, 17.1, 16.2, 18.4, 17.9, 16.6, 17.3, 16.9, 25.0], 0.95).unwrap();
        let interval = found.interval.unwrap();
        assert_eq!((found.value, interval.low, interval.high), (17.1, 16.6, 18.4));
        assert!((interval.level - 0.960_937_5).abs() < 1e-12, "{interval:?}");
    }

    #[test]
    fn hundred_samples_use_the_fortieth_from_either_side() {
        let samples: Vec<f64> = (1..=100).map(f64::from).collect();
        let interval = median(&samples, 0.95).unwrap().interval.unwrap();
        // 1 - 2 * pbinom(39, 100, 0.5)
        assert_eq!((interval.low, interval.high), (40.0, 61.0));
        assert!((interval.level - 0.964_799_799_782_3).abs() < 1e-10, "{interval:?}");
    }

    #[test]
    fn too_few_samples_give_a_median_without_an_interval() {
        let found = median(&[1.0, 4.0, 2.0, 3.0, 6.0], 0.95).unwrap();
        assert_eq!((found.value, found.interval, found.samples), (3.0, None, 5));
        assert_eq!(median(&[], 0.95), None);
    }
}
