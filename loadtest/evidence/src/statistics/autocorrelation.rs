//! Correlation of neighbours in a series of rounds: rounds that resemble their neighbours are fewer samples than they seem.

/// The series is not merged into fewer samples than this, with which a one-sided test can still reject at 1 %.
const MIN_MERGED: usize = 8;
/// The standard normal quantile at 95 %.
const NORMAL_95: f64 = 1.644_853_626_951;

/// Returns the correlation of each value with the next one (Box, Jenkins and Reinsel, *Time Series Analysis*, chapter
/// 2). None for fewer than three values, or if all are equal.
#[must_use]
pub fn autocorrelation(series: &[f64]) -> Option<f64> {
    let count = series.len();
    let mean = series.iter().sum::<f64>() / count as f64;
    let variance: f64 = series.iter().map(|value| (value - mean).powi(2)).sum();
    let covariance: f64 = series.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    (count >= 3 && variance > 0.0).then(|| covariance / variance)
}

/// Merges neighbours pairwise into their means, until they are no longer correlated more than independent values are in
/// one of twenty series, or until fewer than eight would be left.
///
/// The rule is fixed before the measurement, and depends on the correlation only: it cannot favour a result. An odd
/// value at the end becomes part of the last mean.
#[must_use]
pub fn merge_correlated(series: &[f64]) -> Vec<f64> {
    let count = series.len();
    let bound = (NORMAL_95 * (count as f64).sqrt() - 1.0) / count as f64;
    let is_correlated = autocorrelation(series).is_some_and(|found| found > bound);
    if !is_correlated || count / 2 < MIN_MERGED {
        return series.to_vec();
    }
    merge_correlated(&merge_pairs(series))
}

fn merge_pairs(series: &[f64]) -> Vec<f64> {
    let (pairs, rest) = series.as_chunks::<2>();
    let mut merged: Vec<f64> = pairs.iter().map(|&[first, second]| f64::midpoint(first, second)).collect();
    if let ([last], [.., [first, second]]) = (rest, pairs) {
        let place = merged.len() - 1;
        merged[place] = (first + second + last) / 3.0;
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::nile::{DAM, NILE};

    #[test]
    fn correlation_matches_its_definition() {
        // 1, 2, 3, 4: deviations -1.5, -0.5, 0.5, 1.5; (0.75 - 0.25 + 0.75) / 5
        assert_eq!(autocorrelation(&[1.0, 2.0, 3.0, 4.0]), Some(0.25));
        assert_eq!(autocorrelation(&[1.0, 1.0, 1.0]), None);
        assert_eq!(autocorrelation(&[1.0, 2.0]), None);
    }

    #[test]
    fn independent_rounds_stay_as_they_are() {
        assert_eq!(merge_correlated(&NILE[..DAM]), NILE[..DAM]);
    }

    #[test]
    fn correlated_rounds_are_merged() {
        let steps: Vec<f64> = NILE[..DAM].iter().flat_map(|value| [*value; 4]).collect();
        assert_eq!(merge_correlated(&steps), NILE[..DAM]);
        let drift: Vec<f64> = (0..33).map(f64::from).collect();
        let merged = merge_correlated(&drift);
        assert_eq!(merged, [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.75]);
    }
}
