//! The toy experiment.

use engine::record::{Record, ToyExperiment, ToyPoint};

use crate::{Analyse, EvidenceError, Topic, Warning};

/// What the servers answered.
#[derive(Clone, Debug)]
pub struct ToyTable {
    /// One a scheme.
    pub rows: Vec<ToyPoint>,
}

impl Analyse for ToyExperiment {
    type Table = ToyTable;

    fn analyse(&self, _: &Record) -> Result<Option<ToyTable>, EvidenceError> {
        Ok(Some(ToyTable { rows: self.points.clone() }))
    }

    fn warnings(&self, _: &Record, _: Option<&ToyTable>) -> Vec<Warning> {
        vec![Topic::Comparison.warning(format!("{}: it compares nothing.", Self::EXPERIMENT))]
    }
}
