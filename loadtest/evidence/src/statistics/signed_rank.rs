//! The Hodges-Lehmann estimate of a difference, with the interval from Wilcoxon's signed-rank test.
//!
//! The estimate is the median of the means of all pairs of differences (the Walsh averages). The
//! interval contains every shift that the two-sided test does not reject: its ends are Walsh
//! averages, counted in from both sides by the test's critical value (Hollander, Wolfe and Chicken,
//! *Nonparametric Statistical Methods*, section 3.3). It assumes that the differences are
//! symmetric, not that they are normal; one outlier moves it little.

use engine::median::median_of_sorted;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{Estimate, Interval};

/// Up to this size the exact distribution is used; above it, the normal approximation.
const MAX_EXACT_SAMPLES: usize = 50;

/// Returns the typical difference. None without differences.
#[must_use]
pub fn hodges_lehmann(differences: &[f64], confidence: f64) -> Option<Estimate> {
    let averages = walsh_averages(differences);
    let value = median_of_sorted(&averages)?;
    let samples = differences.len();
    Some(Estimate { value, interval: interval(&averages, samples, confidence), samples })
}

/// Returns the typical ratio, first to second, from differences of logarithms.
///
/// None without pairs, or if a value is not above zero.
#[must_use]
pub fn hodges_lehmann_ratio(pairs: &[(f64, f64)], confidence: f64) -> Option<Estimate> {
    let positive = pairs.iter().all(|(first, second)| *first > 0.0 && *second > 0.0);
    let logs: Vec<f64> = pairs.iter().map(|(first, second)| (first / second).ln()).collect();
    positive.then(|| hodges_lehmann(&logs, confidence))?.map(|log| log.map(f64::exp))
}

/// Returns the probability that differences without an effect are at least as far above zero as these: the p-value of the
/// one-sided signed-rank test. It is 1 without differences.
///
/// The statistic is the number of Walsh averages above zero, so that the test rejects exactly if the interval of the same
/// differences lies above zero. Averages of exactly zero count as not above.
#[must_use]
pub fn signed_rank_above(differences: &[f64]) -> f64 {
    let averages = walsh_averages(differences);
    let not_above = averages.iter().filter(|average| **average <= 0.0).count();
    Tail::of(differences.len()).at_most(not_above)
}

fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let pair_up = |(place, first): (usize, &f64)| {
        let first = *first;
        values[place..].iter().map(move |second| f64::midpoint(first, *second))
    };
    let mut averages: Vec<f64> = values.iter().enumerate().flat_map(pair_up).collect();
    averages.sort_by(f64::total_cmp);
    averages
}

fn interval(averages: &[f64], samples: usize, confidence: f64) -> Option<Interval> {
    let tail = Tail::of(samples);
    let deepest = (1..=averages.len() / 2).take_while(|&depth| level_at_depth(depth, &tail) >= confidence).last()?;
    let (low, high) = (averages[deepest - 1], averages[averages.len() - deepest]);
    Some(Interval { low, high, level: level_at_depth(deepest, &tail) })
}

/// Returns the level of the interval between the averages that are `depth` places in from both
/// ends.
fn level_at_depth(depth: usize, tail: &Tail) -> f64 {
    1.0 - 2.0 * tail.at_most(depth - 1)
}

/// The lower tail of the signed-rank statistic's distribution.
enum Tail {
    /// The number of subsets of the ranks 1 to n with each sum, and of all subsets.
    Exact { subsets: Vec<f64>, all: f64 },
    /// Mean and deviation of the statistic.
    Normal { mean: f64, deviation: f64 },
}

impl Tail {
    fn of(samples: usize) -> Self {
        if samples <= MAX_EXACT_SAMPLES { Self::exact(samples) } else { Self::normal(samples) }
    }

    /// Counts below 2^50 are whole numbers in an `f64`.
    fn exact(samples: usize) -> Self {
        let most = samples * (samples + 1) / 2;
        let mut subsets = vec![0.0; most + 1];
        subsets[0] = 1.0;
        for rank in 1..=samples {
            for sum in (rank..=most).rev() {
                subsets[sum] += subsets[sum - rank];
            }
        }
        Self::Exact { subsets, all: (samples as f64).exp2() }
    }

    fn normal(samples: usize) -> Self {
        let n = samples as f64;
        Self::Normal { mean: n * (n + 1.0) / 4.0, deviation: (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt() }
    }

    /// Returns the probability of this sum of ranks or a smaller one.
    fn at_most(&self, sum: usize) -> f64 {
        match self {
            Self::Exact { subsets, all } => subsets.iter().take(sum + 1).sum::<f64>() / all,
            // Continuity correction: the statistic is discrete, the normal distribution is not.
            Self::Normal { mean, deviation } => Normal::standard().cdf((sum as f64 + 0.5 - mean) / deviation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::min_samples;

    #[expect(clippy::approx_constant, reason = "a patient's score, not a circle's")]
    const AFTER: [f64; 9] = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
    /// Depression scores before and after, from Hollander and Wolfe (1973), p. 29: the example of
    /// R's `wilcox.test`.
    const BEFORE: [f64; 9] = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];

    fn depression() -> Vec<f64> {
        BEFORE.iter().zip(AFTER).map(|(before, after)| before - after).collect()
    }

    /// As in `w <- sin((1:n)*1.7)*3 + (1:n)/20` in R.
    fn waves(count: u32) -> Vec<f64> {
        (1..=count).map(f64::from).map(|i| (i * 1.7).sin() * 3.0 + i / 20.0).collect()
    }

    #[track_caller]
    fn assert_estimate(found: Option<Estimate>, value: f64, low: f64, high: f64, tolerance: f64) -> f64 {
        let found = found.unwrap();
        let interval = found.interval.unwrap();
        let assert_near =
            |actual: f64, wanted: f64| assert!((actual - wanted).abs() <= tolerance, "{actual} is not {wanted}");
        assert_near(found.value, value);
        assert_near(interval.low, low);
        assert_near(interval.high, high);
        interval.level
    }

    #[test]
    fn estimate_matches_r_on_its_own_example() {
        // wilcox.test(x, y, paired = TRUE, conf.int = TRUE): 0.46 [0.010, 0.786]
        let level = assert_estimate(hodges_lehmann(&depression(), 0.95), 0.46, 0.010, 0.786, 1e-9);
        // 1 - 2 * psignrank(5, 9)
        assert!((level - 0.960_937_5).abs() < 1e-12, "{level}");
        let level = assert_estimate(hodges_lehmann(&depression(), 0.99), 0.46, -0.1135, 0.9870, 1e-9);
        assert!((level - 0.992_187_5).abs() < 1e-12, "{level}");
    }

    #[test]
    fn estimate_matches_r_at_the_last_exact_size_and_beyond() {
        // wilcox.test(w, conf.int = TRUE, exact = TRUE), n = 50
        assert_estimate(hodges_lehmann(&waves(50), 0.95), 1.301_887_753_8, 0.647_646_095_149, 1.982_251_268_876, 1e-9);
        // the same with n = 60: our normal interval is R's exact one there
        assert_estimate(hodges_lehmann(&waves(60), 0.95), 1.567_924_030_84, 0.945_702_779_57, 2.187_904_132_66, 1e-9);
    }

    #[test]
    fn distribution_matches_r() {
        // psignrank(c(10, 50, 100, 200, 434, 500), 50)
        let Tail::Exact { .. } = Tail::of(50) else { panic!("50 is exact") };
        let wanted = [
            (10, 3.819_167_204_71e-14),
            (50, 2.805_133_902_94e-11),
            (100, 4.485_199_767_15e-9),
            (200, 4.199_046_937_71e-6),
            (434, 2.472_320_340_03e-2),
            (500, 9.384_195_208_67e-2),
        ];
        for (sum, probability) in wanted {
            let found = Tail::of(50).at_most(sum);
            assert!((found / probability - 1.0).abs() < 1e-10, "{sum}: {found}");
        }
    }

    #[test]
    fn one_sided_test_matches_r() {
        // wilcox.test(x, y, paired = TRUE, alternative = "greater"): V = 40, p-value = 0.01953
        let above = signed_rank_above(&depression());
        assert!((above - 0.019_531_25).abs() < 1e-12, "{above}");
        // The same with alternative = "less": 1 - psignrank(39, 9)
        let below = signed_rank_above(&depression().iter().map(|difference| -difference).collect::<Vec<_>>());
        assert!((below - 0.986_328_125).abs() < 1e-12, "{below}");
        assert_eq!((signed_rank_above(&[]), signed_rank_above(&[0.0; 9])), (1.0, 1.0));
    }

    #[test]
    fn one_sided_test_rejects_exactly_if_the_interval_lies_above_zero() {
        for shift in (0..40).map(|step| f64::from(step) / 40.0) {
            let shifted: Vec<f64> = depression().iter().map(|difference| difference - shift).collect();
            let interval = hodges_lehmann(&shifted, 0.95).unwrap().interval.unwrap();
            let rejects = signed_rank_above(&shifted) <= (1.0 - interval.level) / 2.0 + 1e-12;
            assert_eq!(rejects, interval.low > 0.0, "shift {shift}: {interval:?}");
        }
    }

    #[test]
    fn too_few_pairs_give_an_estimate_without_an_interval() {
        assert_eq!((min_samples(0.95), min_samples(0.99)), (6, 8));
        let five = hodges_lehmann(&depression()[..5], 0.95).unwrap();
        assert_eq!((five.interval, five.samples), (None, 5));
        let six = hodges_lehmann(&depression()[..6], 0.95).unwrap().interval.unwrap();
        assert!((six.level - 0.968_75).abs() < 1e-12, "{six:?}");
        assert_eq!(hodges_lehmann(&[], 0.95), None);
    }

    #[test]
    fn ratio_is_symmetric_and_rejects_values_without_a_logarithm() {
        let pairs: Vec<_> = BEFORE.into_iter().zip(AFTER).collect();
        let swapped: Vec<_> = AFTER.into_iter().zip(BEFORE).collect();
        let (forward, backward) =
            (hodges_lehmann_ratio(&pairs, 0.95).unwrap(), hodges_lehmann_ratio(&swapped, 0.95).unwrap());
        assert!((forward.value * backward.value - 1.0).abs() < 1e-12);
        assert!((forward.interval.unwrap().low * backward.interval.unwrap().high - 1.0).abs() < 1e-12);
        // exp of wilcox.test(log(x / y), conf.int = TRUE)
        assert_estimate(Some(forward), R_RATIO.0, R_RATIO.1, R_RATIO.2, 1e-9);
        assert_eq!(hodges_lehmann_ratio(&[(1.0, 0.0)], 0.95), None);
    }

    const R_RATIO: (f64, f64, f64) = (1.384_683_821_924_9, 0.990_997_845_292_02, 1.986_968_511_867_78);

    /// The interval misses the true value at 95 % in at most 5 of 100 cases (here of 2,000, with
    /// three deviations of tolerance), and not so rarely that it is useless.
    #[test]
    fn interval_coverage_matches_the_level() {
        let mut state = 7_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let mut missed = 0;
        for _ in 0..2000 {
            let sample: Vec<f64> = (0..10).map(|_| 3.0 + uniform() + uniform()).collect();
            missed += u32::from(!hodges_lehmann(&sample, 0.95).unwrap().interval.unwrap().contains(3.0));
        }
        assert!((50..=130).contains(&missed), "{missed} of 2,000");
    }
}
