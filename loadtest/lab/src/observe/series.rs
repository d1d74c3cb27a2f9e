//! Readings of a counter that only rises, and what it rose by between two instants.

use std::time::Instant;

/// Readings in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Series(Vec<(Instant, u64)>);

impl Series {
    pub(super) fn push(&mut self, at: Instant, value: u64) {
        self.0.push((at, value));
    }

    /// What the counter rose by; none unless both instants lie within the readings, in order.
    pub(super) fn increase(&self, from: Instant, to: Instant) -> Option<f64> {
        (from <= to).then_some(self.at(to)? - self.at(from)?)
    }

    /// The counter at an instant, on the straight line between the readings around it.
    fn at(&self, instant: Instant) -> Option<f64> {
        let after = self.0.partition_point(|&(at, _)| at < instant);
        let &(right, high) = self.0.get(after)?;
        if right == instant {
            return Some(high as f64);
        }
        let &(left, low) = self.0.get(after.checked_sub(1)?)?;
        let share = (instant - left).as_secs_f64() / (right - left).as_secs_f64();
        Some(low as f64 + share * (high as f64 - low as f64))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn readings() -> (Instant, Series) {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        (start, Series(vec![(at(0), 1000), (at(20), 2000), (at(40), 2000), (at(60), 5000)]))
    }

    #[test]
    fn counter_is_interpolated_between_readings() {
        let (start, series) = readings();
        let increase =
            |from, to| series.increase(start + Duration::from_millis(from), start + Duration::from_millis(to)).unwrap();
        for (from, to, expected) in
            [(0, 60, 4000.0), (0, 20, 1000.0), (5, 10, 250.0), (10, 50, 2000.0), (20, 40, 0.0), (7, 7, 0.0)]
        {
            assert!((increase(from, to) - expected).abs() < 1e-3, "{from}..{to}: {}", increase(from, to));
        }
    }

    #[test]
    fn counter_is_unknown_outside_the_readings() {
        let (start, series) = readings();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(series.increase(at(10), at(61)), None);
        assert_eq!(series.increase(start.checked_sub(Duration::from_nanos(1)).unwrap(), at(10)), None);
        assert_eq!(series.increase(at(20), at(10)), None);
        assert_eq!(Series::default().increase(start, start), None);
    }
}
