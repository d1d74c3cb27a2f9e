//! The toy experiment.

use engine::record::{Record, ToyExperiment, ToyPoint};

use crate::{Analyse, EvidenceError, Topic, Warning};

/// The responses of the servers.
#[derive(Clone, Debug)]
pub struct ToyTable {
    /// One row per scheme.
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
