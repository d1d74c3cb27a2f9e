//! The interval of a proportion.

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::Interval;

/// Returns Wilson's score interval of `hits` of `count`.
///
/// (*Probable inference, the law of succession, and statistical inference*, 1927.) It is meaningful
/// even if all or none were hits. None if `count` is 0.
#[must_use]
pub fn wilson(hits: u64, count: u64, confidence: f64) -> Option<Interval> {
    if count == 0 {
        return None;
    }
    let (share, count) = (hits as f64 / count as f64, count as f64);
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
    let (middle, scale) = (share + z * z / (2.0 * count), 1.0 + z * z / count);
    let reach = z * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
    let end = |value: f64| (value / scale).clamp(0.0, 1.0);
    // In exact arithmetic it contains the share; at 0 and 1 rounding may exclude it.
    Some(Interval { low: end(middle - reach), high: end(middle + reach), level: confidence }.extended_to(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_matches_r() {
        // prop.test(7, 50, correct = FALSE)
        let found = wilson(7, 50, 0.95).unwrap();
        assert!((found.low - 0.069_508_3).abs() < 1e-5 && (found.high - 0.261_861_9).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn zero_and_all_hits_have_an_interval_and_zero_count_has_none() {
        let none = wilson(0, 400, 0.95).unwrap();
        assert!(none.low < 1e-12 && (none.high - 0.009_512).abs() < 1e-5, "{none:?}");
        let all = wilson(400, 400, 0.95).unwrap();
        assert!(all.high > 1.0 - 1e-12 && (all.low - (1.0 - none.high)).abs() < 1e-12, "{all:?}");
        assert_eq!(wilson(0, 0, 0.95), None);
        for count in 1..400 {
            assert!(wilson(0, count, 0.95).unwrap().contains(0.0), "none of {count}");
            assert!(wilson(count, count, 0.95).unwrap().contains(1.0), "all of {count}");
        }
    }
}
