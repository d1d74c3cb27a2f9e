//! The time allowed for filling servers.

use std::time::Duration;

/// The time for each fill, and the additional time for all together, in seconds.
pub(super) struct TimeBudget {
    pub(super) each_s: f64,
    pub(super) spare_s: f64,
}

impl TimeBudget {
    /// Returns why a fill of this duration is not allowed, if it is not.
    pub(super) fn reason_to_skip(&self, fill_s: f64) -> Option<String> {
        let Self { each_s, spare_s } = self;
        let spare =
            if *spare_s > 0.0 { format!(" plus the {spare_s:.0} s left of its extra time") } else { String::new() };
        (fill_s > each_s + spare_s).then(|| {
            format!("filling the store would take {fill_s:.0} s, more than the {each_s:.0} s that this profile allows{spare}")
        })
    }

    /// Subtracts the time that a fill took beyond its own allowance.
    pub(super) fn subtract(&mut self, fill: Duration) {
        self.spare_s -= (fill.as_secs_f64() - self.each_s).clamp(0.0, self.spare_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_fills_share_the_extra_time() {
        let mut time = TimeBudget { each_s: 30.0, spare_s: 100.0 };
        time.subtract(Duration::from_secs(20));
        assert_eq!(time.reason_to_skip(130.0), None, "a fill within its own time uses no extra time");
        time.subtract(Duration::from_secs(90));
        assert_eq!(time.reason_to_skip(70.0), None);
        let why = time.reason_to_skip(71.0).unwrap();
        assert!(
            why.contains("71 s") && why.contains("30 s") && why.contains("the 40 s left of its extra time"),
            "{why}"
        );
        time.subtract(Duration::from_secs(90));
        assert_eq!(time.reason_to_skip(30.0), None);
        assert!(time.reason_to_skip(31.0).unwrap().ends_with("this profile allows"));
    }
}
