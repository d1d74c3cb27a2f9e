//! What the tests of evidence do with a record.

use engine::record::{Record, Validity};
use evidence::Evidence;

pub fn of(record: &Record) -> Evidence {
    Evidence::of(record).unwrap()
}

#[track_caller]
pub fn near(found: f64, truth: f64, tolerance: f64) {
    assert!((found - truth).abs() <= tolerance, "{found} is not within {tolerance} of {truth}");
}

pub fn invalidate(validity: &mut Validity) {
    *validity = invalid();
}

pub fn invalid() -> Validity {
    Validity::from_reasons(vec!["spoilt on purpose".to_owned()])
}
