//! `toy`.

use engine::record::ToyExperiment;

use crate::testbed::{SCHEMES, measure, only};

#[test]
fn toy_records_the_size_of_one_response_per_scheme() {
    let record = measure(ToyExperiment::EXPERIMENT);
    let toy = only::<ToyExperiment>(&record);
    let schemes: Vec<&str> = toy.points.iter().map(|point| point.scheme.as_str()).collect();
    assert_eq!(schemes, SCHEMES);
    assert!(toy.points.iter().all(|point| point.body_bytes > 0), "{toy:?}");
}
