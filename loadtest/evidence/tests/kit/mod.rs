//! What the tests of evidence have in common.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test uses a part of this module"
)]

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
