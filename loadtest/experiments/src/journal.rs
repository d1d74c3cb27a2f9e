//! The journal: the record of the run so far, on disk after every round.

use std::path::{Path, PathBuf};

use engine::clock::SchedulingClass;
use engine::record::{
    self, Conformance, Experiment, LoadExperiment, MemoryExperiment, MemoryPoint, Omission, Record, Round, Status,
    WireExperiment, WirePoint, WriteError,
};

/// Which experiment a round of load belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// `authbench load`.
    Load,
    /// The experiment `cost`.
    Cost,
    /// The experiment `latency`.
    Latency,
}

/// A record that is written to its folder whenever something is added.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    record: Record,
}

impl Journal {
    /// Begins a journal in a folder that exists, and writes the record for the first time.
    pub fn begin(folder: PathBuf, record: Record) -> Result<Self, WriteError> {
        let journal = Self { folder, record };
        journal.save()?;
        Ok(journal)
    }

    /// The record so far.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The run's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the processes' logs go.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Notes that something asked for is left out.
    pub fn omit(&mut self, what: &str, reason: &str) -> Result<(), WriteError> {
        self.record.omitted.push(Omission { what: what.to_owned(), reason: reason.to_owned() });
        self.save()
    }

    /// Notes how a server did in the conformance suite.
    pub fn conformance(&mut self, found: Conformance) -> Result<(), WriteError> {
        self.record.conformance.push(found);
        self.save()
    }

    /// Notes the version of a program that takes part.
    pub fn software(&mut self, name: &str, version: &str) {
        self.record.software.insert(name.to_owned(), version.to_owned());
    }

    /// Notes how a server describes itself, once a scheme.
    pub fn describe(&mut self, descriptor: contract::SchemeDescriptor) {
        if !self.record.schemes.iter().any(|known| known.scheme == descriptor.scheme) {
            self.record.schemes.push(descriptor);
        }
    }

    /// Adds a round of load, whose generator's threads ran in this class.
    pub fn round(&mut self, experiment: Rounds, round: Round, class: SchedulingClass) -> Result<(), WriteError> {
        if round.planned_rps.is_some() {
            self.record.placement.generator_class = class.to_string();
        }
        let new = match experiment {
            Rounds::Load => Experiment::Load,
            Rounds::Cost => Experiment::Cost,
            Rounds::Latency => Experiment::Latency,
        };
        match self.experiment(|| new(LoadExperiment::default())) {
            Experiment::Load(load) | Experiment::Cost(load) | Experiment::Latency(load) => load.rounds.push(round),
            Experiment::Memory(_) | Experiment::Wire(_) => unreachable!("it was asked for by its own name"),
        }
        self.save()
    }

    /// Adds a point of the experiment `memory`.
    pub fn memory(&mut self, point: MemoryPoint) -> Result<(), WriteError> {
        if let Experiment::Memory(memory) = self.experiment(|| Experiment::Memory(MemoryExperiment::default())) {
            memory.points.push(point);
        }
        self.save()
    }

    /// Adds a point of the experiment `wire`.
    pub fn wire(&mut self, point: WirePoint) -> Result<(), WriteError> {
        if let Experiment::Wire(wire) = self.experiment(|| Experiment::Wire(WireExperiment::default())) {
            wire.points.push(point);
        }
        self.save()
    }

    /// Ends the journal: complete, or for a reason not.
    pub fn end(&mut self, incomplete: Option<&str>) -> Result<(), WriteError> {
        self.record.run.finished_at = Some(crate::now());
        self.record.run.status = match incomplete {
            None => Status::Complete,
            Some(reason) => Status::Incomplete { reason: reason.to_owned() },
        };
        self.save()
    }

    /// The experiment of the same name, begun if need be.
    fn experiment(&mut self, new: impl FnOnce() -> Experiment) -> &mut Experiment {
        let new = new();
        let experiments = &mut self.record.experiments;
        let at = experiments.iter().position(|known| known.name() == new.name()).unwrap_or_else(|| {
            experiments.push(new);
            experiments.len() - 1
        });
        &mut experiments[at]
    }

    fn save(&self) -> Result<(), WriteError> {
        record::write(&self.folder, &self.record).map(drop)
    }
}
