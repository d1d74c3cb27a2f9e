//! The journal: the record of the run so far, on disk as rounds finish.
//!
//! The whole record is written each time, and it grows with every round: written after each of them, it would take time in
//! proportion to the square of their number, which in a long run is thousands. So whoever writes pauses in proportion to
//! what writing took.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::clock::SchedulingClass;
use engine::record::{self, Conformance, Data, Measurement, Omission, Record, Round, Status, WriteError};

/// A record that is written to its folder as something is added. A run that is killed (SIGKILL, a loss of power) loses what
/// came within ten seconds after the last time, and far less while the record is small; nothing of an experiment that is
/// over. A run that ends in any other way loses nothing.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    record: Record,
    pause: Pause,
    /// Whether all of the record is on disk.
    is_written: bool,
}

/// How long the record rests after it was written.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
}

impl Pause {
    /// So many times as long as writing took: it takes at most a fiftieth of a run's time.
    const SHARE: u32 = 50;
    /// But never longer: so much may be lost.
    const MOST: Duration = Duration::from_secs(10);

    fn after(began: Instant, ended: Instant) -> Self {
        Self { until: ended + (ended.duration_since(began) * Self::SHARE).min(Self::MOST) }
    }

    fn is_over(self, now: Instant) -> bool {
        now >= self.until
    }
}

impl Journal {
    /// Begins a journal in a folder that exists, and writes the record for the first time.
    pub fn begin(folder: PathBuf, record: Record) -> Result<Self, WriteError> {
        let mut journal = Self { folder, record, pause: Pause { until: Instant::now() }, is_written: false };
        journal.write()?;
        Ok(journal)
    }

    /// The record so far.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Whether the record holds no measurement, and no outcome of the conformance suite.
    #[must_use]
    pub fn has_measured_nothing(&self) -> bool {
        self.record.conformance.is_empty() && self.record.experiments.iter().all(Measurement::is_empty)
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
        self.changed().omitted.push(Omission { what: what.to_owned(), reason: reason.to_owned() });
        self.save()
    }

    /// Notes how a server did in the conformance suite.
    pub fn conformance(&mut self, found: Conformance) -> Result<(), WriteError> {
        self.changed().conformance.push(found);
        self.save()
    }

    /// Notes the version of a program that takes part.
    pub fn software(&mut self, name: &str, version: &str) {
        self.changed().software.insert(name.to_owned(), version.to_owned());
    }

    /// Notes how a server describes itself, once a scheme.
    pub fn describe(&mut self, descriptor: contract::SchemeDescriptor) {
        if !self.record.schemes.iter().any(|known| known.scheme == descriptor.scheme) {
            self.changed().schemes.push(descriptor);
        }
    }

    /// Notes the class that the generator's threads got in this round, if it was an open loop.
    pub fn generator_class(&mut self, round: &Round, class: SchedulingClass) {
        if round.planned_rps.is_some() {
            self.changed().placement.generator_class = class.to_string();
        }
    }

    /// Adds to what an experiment has measured, which begins empty.
    pub fn measured<D: Data>(&mut self, change: impl FnOnce(&mut D)) -> Result<(), WriteError> {
        change(self.changed().data_or_new());
        self.save()
    }

    /// Ends the journal: complete, or for a reason not.
    pub fn end(&mut self, incomplete: Option<&str>) -> Result<(), WriteError> {
        let run = &mut self.changed().run;
        run.finished_at = Some(crate::now());
        run.status = match incomplete {
            None => Status::Complete,
            Some(reason) => Status::Incomplete { reason: reason.to_owned() },
        };
        self.write()
    }

    /// Writes what is not on disk yet.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        if self.is_written { Ok(()) } else { self.write() }
    }

    fn changed(&mut self) -> &mut Record {
        self.is_written = false;
        &mut self.record
    }

    /// Writes the record unless that was done just now.
    fn save(&mut self) -> Result<(), WriteError> {
        if self.pause.is_over(Instant::now()) { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), WriteError> {
        let began = Instant::now();
        record::write(&self.folder, &self.record)?;
        self.pause = Pause::after(began, Instant::now());
        self.is_written = true;
        Ok(())
    }
}

/// A journal that nobody has ended belongs to a run that panics.
impl Drop for Journal {
    fn drop(&mut self) {
        // Nobody is left to be told.
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
