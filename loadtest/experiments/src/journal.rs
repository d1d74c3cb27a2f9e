//! The journal: the record of the run so far, written to disk as rounds finish.
//!
//! The whole record is written each time, and it grows with every round: writing it after each of them would take time
//! in proportion to the square of their number, which is thousands in a long run. Therefore the journal pauses after
//! each write, in proportion to the time that the write took.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::clock::SchedulingClass;
use engine::record::{Conformance, Data, Measurement, Omission, Record, Round, Status};
use record_file::WriteError;

/// A record that is written to its folder as results are added. A run that is killed (SIGKILL, power loss) loses at
/// most the results of the ten seconds after the last write, and far less while the record is small, but no results of
/// a finished experiment. A run that ends in any other way loses nothing.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    record: Record,
    pause: Pause,
    /// Whether the whole record is on disk.
    is_written: bool,
}

/// The pause after a write.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
}

impl Pause {
    /// The pause in multiples of the duration of the write: writing takes at most a fiftieth of a run's time.
    const SHARE: u32 = 50;
    /// The longest pause, which bounds the loss.
    const MAX: Duration = Duration::from_secs(10);

    fn after(began: Instant, ended: Instant) -> Self {
        Self { until: ended + (ended.duration_since(began) * Self::SHARE).min(Self::MAX) }
    }

    fn is_over(self, now: Instant) -> bool {
        now >= self.until
    }
}

impl Journal {
    /// Begins a journal in an existing folder, and writes the record for the first time.
    pub fn begin(folder: PathBuf, record: Record) -> Result<Self, WriteError> {
        let mut journal = Self { folder, record, pause: Pause { until: Instant::now() }, is_written: false };
        journal.write()?;
        Ok(journal)
    }

    /// Returns the record so far.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Returns whether the record has no measurement and no result of the conformance suite.
    #[must_use]
    pub fn has_measured_nothing(&self) -> bool {
        self.record.conformance.is_empty() && self.record.experiments.iter().all(Measurement::is_empty)
    }

    /// Returns the folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder for the logs of the processes.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Records that a requested part is left out.
    pub fn omit(&mut self, what: &str, reason: &str) -> Result<(), WriteError> {
        self.changed().omitted.push(Omission { what: what.to_owned(), reason: reason.to_owned() });
        self.save()
    }

    /// Records the conformance result of a server.
    pub fn conformance(&mut self, conformance: Conformance) -> Result<(), WriteError> {
        self.changed().conformance.push(conformance);
        self.save()
    }

    /// Records the version of a program that takes part.
    pub fn software(&mut self, name: &str, version: &str) {
        self.changed().software.insert(name.to_owned(), version.to_owned());
    }

    /// Records the self-description of a server, once per scheme.
    pub fn describe(&mut self, descriptor: contract::SchemeDescriptor) {
        if !self.record.schemes.iter().any(|known| known.scheme == descriptor.scheme) {
            self.changed().schemes.push(descriptor);
        }
    }

    /// Records the scheduling class of the generator's threads in this round, if it was an open loop.
    pub fn generator_class(&mut self, round: &Round, class: SchedulingClass) {
        if round.planned_rps.is_some() {
            self.changed().placement.generator_class = class.to_string();
        }
    }

    /// Adds to the data of an experiment, which are empty at first.
    pub fn measured<D: Data>(&mut self, change: impl FnOnce(&mut D)) -> Result<(), WriteError> {
        change(self.changed().data_or_new());
        self.save()
    }

    /// Ends the journal: complete, or incomplete for this reason.
    pub fn end(&mut self, incomplete: Option<&str>) -> Result<(), WriteError> {
        let run = &mut self.changed().run;
        run.finished_at = Some(crate::now());
        run.status = match incomplete {
            None => Status::Complete,
            Some(reason) => Status::Incomplete { reason: reason.to_owned() },
        };
        self.write()
    }

    /// Writes the record if it has unwritten changes.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        if self.is_written { Ok(()) } else { self.write() }
    }

    fn changed(&mut self) -> &mut Record {
        self.is_written = false;
        &mut self.record
    }

    /// Writes the record, unless the pause after the last write is not over.
    fn save(&mut self) -> Result<(), WriteError> {
        if self.pause.is_over(Instant::now()) { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), WriteError> {
        let began = Instant::now();
        record_file::write(&self.folder, &self.record)?;
        self.pause = Pause::after(began, Instant::now());
        self.is_written = true;
        Ok(())
    }
}

/// A journal that is dropped without an end belongs to a panicking run.
impl Drop for Journal {
    fn drop(&mut self) {
        // An error cannot be reported any more.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_between_writes_is_proportional_and_bounded() {
        let began = Instant::now();
        let after = |took_ms| Pause::after(began, began + Duration::from_millis(took_ms));
        let is_over = |pause: Pause, ms| pause.is_over(began + Duration::from_millis(ms));
        assert!(!is_over(after(10), 509) && is_over(after(10), 510));
        assert!(!is_over(after(1_000), 10_999) && is_over(after(1_000), 11_000));
    }
}
