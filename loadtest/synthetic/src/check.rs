//! Helpers for tests of evidence.

use engine::record::{Record, Validity};
use evidence::Evidence;

pub fn of(record: &Record) -> Evidence {
    Evidence::of(record).unwrap()
}

#[track_caller]
pub fn assert_near(found: f64, truth: f64, tolerance: f64) {
    assert!((found - truth).abs() <= tolerance, "{found} is not within {tolerance} of {truth}");
}

pub fn invalidate(validity: &mut Validity) {
    *validity = invalid();
}

pub fn invalid() -> Validity {
    Validity::from_reasons(vec!["invalid on purpose".to_owned()])
}

/// Returns the number of caveats that contain all of these words.
pub fn count_warnings(evidence: &Evidence, words: &[&str]) -> usize {
    let holds = |text: &str| words.iter().all(|word| text.contains(word));
    evidence.warnings.iter().filter(|warning| holds(&warning.text)).count()
}
