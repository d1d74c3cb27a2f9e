//! `authbench load`: response times of one target under one load, and their course over time.

use engine::record::{LoadExperiment, Record};

use crate::group::{Group, groups};
use crate::latency::LatencyTable;
use crate::timeline::Timeline;
use crate::{Analyse, EvidenceError, Warning, warnings};

/// Response times under one load.
#[derive(Clone, Debug)]
pub struct LoadTable {
    /// Response times of all rounds together.
    pub latency: LatencyTable,
    /// The course of each round, interval by interval.
    pub timelines: Vec<Timeline>,
}

impl Analyse for LoadExperiment {
    type Table = LoadTable;

    fn analyse(&self, record: &Record) -> Result<Option<LoadTable>, EvidenceError> {
        let latency = LatencyTable::of(Self::EXPERIMENT, &groups(record, &self.rounds))?;
        let timelines = self.rounds.iter().map(Timeline::of).collect::<Result<_, _>>()?;
        Ok(Some(LoadTable { latency, timelines }))
    }

    fn warnings(&self, record: &Record, table: Option<&LoadTable>) -> Vec<Warning> {
        let mut warnings = warnings::for_groups(Self::EXPERIMENT, &self.groups(record));
        warnings.extend(table.into_iter().flat_map(|table| warnings::for_latency(&table.latency)));
        warnings
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        groups(record, &self.rounds)
    }
}
