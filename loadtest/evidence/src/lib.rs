//! What a record shows: tables, statistics and warnings.
//!
//! Everything here is a pure function of a record: no files, no clock, no chance. Reports and
//! gates take their numbers from here, so that there is one place where a number is made.

pub mod statistics;

mod capacity;
mod cost;
mod group;
mod latency;
mod memory;
mod timeline;
mod warning;
mod warnings;
mod wire;
mod words;

pub use capacity::{Capacity, FULL_SHARE, Part};
pub use cost::{CostRow, CostTable, OverControl, is_control};
pub use group::{Group, Place, Rounds, groups, level_name};
pub use latency::{CpuPerRequest, Distribution, LatencyRow, LatencyTable};
pub use memory::{FEWEST_POPULATIONS, MemoryRow, MemoryTable, Slope, SlopeBasis};
pub use timeline::{Timeline, TimelinePoint};
pub use warning::{Topic, Warning};
pub use wire::{COOKIE_LIMIT_BYTES, WireRow, WireTable};
pub use words::grouped;

use engine::record::{Experiment, HistogramError, LoadExperiment, Record, Round};

/// All that a record shows.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// CPU time of a request.
    pub cost: Option<CostTable>,
    /// Response times at set rates.
    pub latency: Option<LatencyTable>,
    /// Response times of `authbench load`.
    pub load: Option<LatencyTable>,
    /// How `authbench load` went, second by second.
    pub timelines: Vec<Timeline>,
    /// Bytes a live credential takes.
    pub memory: Option<MemoryTable>,
    /// Bytes on the wire.
    pub wire: Option<WireTable>,
    /// What a reader must know before trusting any of it.
    pub warnings: Vec<Warning>,
}

/// A record holds something that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "a histogram of {experiment}, scheme {scheme}, block {block}, cannot be read: {source}; the record is damaged, make the run again"
)]
pub struct EvidenceError {
    experiment: &'static str,
    scheme: String,
    block: u32,
    source: UnusableHistogram,
}

/// Why a histogram cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableHistogram {
    /// It is not a histogram.
    #[error(transparent)]
    Encoding(#[from] HistogramError),
    /// It holds times beyond what authbench records.
    #[error("its values lie outside the bounds of authbench's histograms ({0})")]
    Bounds(#[from] hdrhistogram::AdditionError),
}

impl EvidenceError {
    fn new(experiment: &'static str, round: &Round, source: UnusableHistogram) -> Self {
        Self { experiment, scheme: round.scheme.clone(), block: round.block, source }
    }
}

impl Evidence {
    /// Draws it from a record.
    pub fn of(record: &Record) -> Result<Self, EvidenceError> {
        let mut evidence = Self {
            cost: None,
            latency: None,
            load: None,
            timelines: Vec::new(),
            memory: None,
            wire: None,
            warnings: Vec::new(),
        };
        for experiment in &record.experiments {
            evidence.take(record, experiment)?;
        }
        evidence.warnings = warnings::of(record, &evidence);
        Ok(evidence)
    }

    fn take(&mut self, record: &Record, experiment: &Experiment) -> Result<(), EvidenceError> {
        match experiment {
            Experiment::Load(load) => {
                self.load = Some(LatencyTable::of(record, experiment.name(), load)?);
                self.timelines = timelines(load)?;
            }
            Experiment::Cost(load) => self.cost = Some(CostTable::of(record, load)),
            Experiment::Latency(load) => self.latency = Some(LatencyTable::of(record, experiment.name(), load)?),
            Experiment::Memory(memory) => self.memory = Some(MemoryTable::of(record, memory)),
            Experiment::Wire(wire) => self.wire = Some(WireTable::of(record, wire)),
        }
        Ok(())
    }
}

fn timelines(load: &LoadExperiment) -> Result<Vec<Timeline>, EvidenceError> {
    load.rounds.iter().map(Timeline::of).collect()
}
