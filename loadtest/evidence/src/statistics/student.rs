//! Student's t: the mean of a few values, with its interval.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{Estimate, Interval};

/// Returns the mean. None without values; no interval for a single one.
#[must_use]
pub fn mean(values: &[f64], confidence: f64) -> Option<Estimate> {
    let count = values.len();
    let value = (count > 0).then(|| values.iter().sum::<f64>() / count as f64)?;
    let squares: f64 = values.iter().map(|each| (each - value).powi(2)).sum();
    let freedom = count as f64 - 1.0;
    let error = (squares / freedom / count as f64).sqrt();
    Some(Estimate { value, interval: t_interval(value, error, freedom, confidence), samples: count })
}

/// Returns the interval about a value whose standard error has this many degrees of freedom.
pub(super) fn t_interval(value: f64, error: f64, freedom: f64, confidence: f64) -> Option<Interval> {
    let student = (freedom >= 1.0).then(|| StudentsT::new(0.0, 1.0, freedom).expect("the freedom is positive"))?;
    let reach = student.inverse_cdf(f64::midpoint(1.0, confidence)) * error;
    Some(Interval { low: value - reach, high: value + reach, level: confidence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_matches_r() {
        // t.test(c(612.3, 618.9, 607.4))
        let found = mean(&[612.3, 618.9, 607.4], 0.95).unwrap();
        let interval = found.interval.unwrap();
        assert!((found.value - 612.866_666_666_7).abs() < 1e-9);
        assert!((interval.low - 598.530_946_333).abs() < 1e-6, "{interval:?}");
        assert!((interval.high - 627.202_387_001).abs() < 1e-6, "{interval:?}");
    }

    #[test]
    fn interval_of_few_values_matches_r() {
        // qt(0.975, c(1, 2, 3, 4, 5, 8, 20))
        let wanted = [
            (1.0, 12.706_204_736_17),
            (2.0, 4.302_652_729_75),
            (3.0, 3.182_446_305_28),
            (4.0, 2.776_445_105_20),
            (5.0, 2.570_581_835_64),
            (8.0, 2.306_004_135_20),
            (20.0, 2.085_963_447_27),
        ];
        for (freedom, reach) in wanted {
            let found = t_interval(0.0, 1.0, freedom, 0.95).unwrap().high;
            assert!((found - reach).abs() < 1e-6, "{freedom}: {found}");
        }
    }

    #[test]
    fn one_value_has_no_interval() {
        let found = mean(&[5.0], 0.95).unwrap();
        assert_eq!((found.value, found.interval, found.samples), (5.0, None, 1));
        assert_eq!(mean(&[], 0.95), None);
    }
}
