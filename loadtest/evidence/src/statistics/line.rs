//! A straight line through points, by least squares.
//!
//! Least squares and not the Theil-Sen median of slopes, because it is linear in the measured
//! values: the slopes of server and store add up to the slope of their sum.

use super::{Estimate, student};

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The increase per step. The interval is Student's t over the points' distances from the line;
    /// `samples` are the points.
    pub slope: Estimate,
    /// The value at 0.
    pub intercept: f64,
    /// The share of the values' variance that the line explains, 0 to 1.
    pub r_squared: f64,
}

/// Fits the line through points (x, value). None for fewer than two different x.
#[must_use]
pub fn least_squares(points: &[(f64, f64)], confidence: f64) -> Option<Line> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread_x: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let spread_y: f64 = points.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = (spread_x > 0.0).then(|| covariance / spread_x)?;
    let residual: f64 = points.iter().map(|(x, y)| (y - mean_y - slope * (x - mean_x)).powi(2)).sum();
    let error = (residual / (count - 2.0) / spread_x).sqrt();
    let interval = student::t_interval(slope, error, count - 2.0, confidence);
    let slope = Estimate { value: slope, interval, samples: points.len() };
    let r_squared = if spread_y > 0.0 { 1.0 - residual / spread_y } else { 1.0 };
    Some(Line { intercept: mean_y - slope.value * mean_x, slope, r_squared })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_matches_r() {
        // lm(y ~ x), confint
        let line = least_squares(&[(0.0, 1020.0), (1e3, 6150.0), (2e3, 11080.0), (1e4, 51230.0)], 0.95).unwrap();
        let interval = line.slope.interval.unwrap();
        assert!((line.slope.value - 5.016_733_067_728_92).abs() < 1e-9, "{line:?}");
        assert!((line.intercept - 1_065.617_529_880_25).abs() < 1e-6, "{line:?}");
        assert!((interval.low - 4.984_529_743_17).abs() < 1e-6, "{line:?}");
        assert!((interval.high - 5.048_936_392_29).abs() < 1e-6, "{line:?}");
        assert!((line.r_squared - 0.999_995_548_413).abs() < 1e-9, "{line:?}");
    }

    #[test]
    fn slopes_of_parts_add_up() {
        let server = [(0.0, 7.0), (1.0, 9.0), (2.0, 15.0), (4.0, 18.0)];
        let store = [(0.0, 1.0), (1.0, 1.5), (2.0, 4.0), (4.0, 4.5)];
        let sum: Vec<_> = server.iter().zip(store).map(|((x, a), (_, b))| (*x, a + b)).collect();
        let slope = |points: &[(f64, f64)]| least_squares(points, 0.95).unwrap().slope.value;
        assert!((slope(&server) + slope(&store) - slope(&sum)).abs() < 1e-12);
    }

    #[test]
    fn fewer_than_two_different_x_give_no_line() {
        assert_eq!(least_squares(&[(3.0, 1.0), (3.0, 2.0)], 0.95), None);
        assert_eq!(least_squares(&[], 0.95), None);
        assert_eq!(least_squares(&[(0.0, 1.0), (1.0, 3.0)], 0.95).unwrap().slope.interval, None);
    }
}
