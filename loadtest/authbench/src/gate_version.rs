//! The versions that a gate compares: binaries, built from a revision if need be, or counts of an earlier run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use contract::Scheme;
use engine::record::{CountersExperiment, GateExperiment, Record};

use crate::exit::Failure;
use crate::gate_build::{Checkout, TemporaryFolder, Unbuilt};

/// A version of the servers.
pub(crate) struct Version<Source> {
    /// As it is called in reports.
    pub(crate) name: String,
    /// The commit, if it is one without changes.
    pub(crate) commit: Option<String>,
    /// Where its counts come from.
    pub(crate) source: Source,
}

impl Version<Found> {
    /// Builds its programs, if it has none yet. Fails if there is none for one of these schemes.
    pub(crate) fn build(self, schemes: &[Scheme], stop: &Arc<AtomicBool>) -> Result<Version<Ready>, Failure> {
        let source = match self.source {
            Found::Unbuilt(unbuilt) => {
                let folder = unbuilt.build(&self.name, stop)?;
                folder.check_has(schemes, &self.name)?;
                Ready::Programs(folder)
            }
            Found::Ready(ready) => ready,
        };
        Ok(Version { name: self.name, commit: self.commit, source })
    }

    /// Returns its commit, if it is built from one.
    pub(crate) fn unbuilt_commit(&self) -> Option<&str> {
        matches!(self.source, Found::Unbuilt(_)).then_some(self.commit.as_deref()).flatten()
    }

    /// Returns the run that it is.
    pub(crate) fn run(&self) -> Option<&Run> {
        if let Found::Ready(Ready::Run(run)) = &self.source { Some(run) } else { None }
    }

    /// Fails if it is a folder without the binary of one of these schemes.
    pub(crate) fn check_has(&self, schemes: &[Scheme]) -> Result<(), Failure> {
        let Found::Ready(Ready::Programs(folder)) = &self.source else { return Ok(()) };
        folder.check_has(schemes, &self.name)
    }
}

/// A version as it was found.
pub(crate) enum Found {
    /// Sources, which may have to be built.
    Unbuilt(Unbuilt),
    /// What needs no build.
    Ready(Ready),
}

/// Where the counts of a version come from.
pub(crate) enum Ready {
    /// From these binaries, which have yet to be run.
    Programs(ProgramFolder),
    /// From this run.
    Run(Box<Run>),
}

/// A folder of servers' binaries.
pub(crate) struct ProgramFolder {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Removed with this, if it belongs to this gate alone.
    pub(crate) _temporary: Option<TemporaryFolder>,
}

/// A run with counts.
pub(crate) struct Run {
    /// Its record.
    pub(crate) record: Record,
    /// The counts in it.
    pub(crate) counters: CountersExperiment,
}

/// Finds a version: an existing folder of binaries, an existing run, or else a revision. Without a text, it is the working
/// tree.
pub(crate) fn find(text: Option<&str>) -> Result<Version<Found>, Failure> {
    let Some(text) = text else {
        let (name, commit, unbuilt) = Checkout::find()?.working_tree()?;
        return Ok(Version { name, commit, source: Found::Unbuilt(unbuilt) });
    };
    let path = Path::new(text);
    if is_program_folder(path) {
        return programs(path);
    }
    if path.is_file() || record_file::find(path).is_file() {
        return counted(path);
    }
    if path.is_dir() {
        return Err(Failure::Usage(format!("{text}: this folder has neither servers' binaries nor a record.json")));
    }
    let checkout = Checkout::find().map_err(|failure| match failure {
        Failure::Usage(reason) => {
            Failure::Usage(format!("{text} is neither a folder of servers' binaries nor a run, and {reason}"))
        }
        other => other,
    })?;
    let (name, commit, unbuilt) = checkout.revision(text)?;
    Ok(Version { name, commit: Some(commit), source: Found::Unbuilt(unbuilt) })
}

impl ProgramFolder {
    fn check_has(&self, schemes: &[Scheme], name: &str) -> Result<(), Failure> {
        let Some(scheme) = schemes.iter().find(|scheme| !self.path.join(scheme.binary()).is_file()) else {
            return Ok(());
        };
        let binary = scheme.binary();
        Err(Failure::Usage(format!("{name} has no {binary}, which {scheme} needs; add it or change --schemes")))
    }
}

impl Run {
    /// Returns whether there are counts of this scheme.
    pub(crate) fn has_counted(&self, scheme: Scheme) -> bool {
        self.counters.segments.iter().any(|each| each.scheme == scheme.id())
    }
}

fn is_program_folder(path: &Path) -> bool {
    Scheme::all().any(|scheme| path.join(scheme.binary()).is_file())
}

fn programs(path: &Path) -> Result<Version<Found>, Failure> {
    // A process may be started from another folder.
    let folder = path.canonicalize().map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    let source = Found::Ready(Ready::Programs(ProgramFolder { path: folder, _temporary: None }));
    Ok(Version { name: path.display().to_string(), commit: None, source })
}

fn counted(path: &Path) -> Result<Version<Found>, Failure> {
    let record = record_file::read(path).map_err(Failure::usage)?;
    let (commit, counters) = if let Some(gate) = record.data::<GateExperiment>() {
        (gate.head.commit.clone(), gate.head.counters.clone())
    } else if let Some(counters) = record.data::<CountersExperiment>() {
        (record.run.revision.clone(), counters.clone())
    } else {
        return Err(Failure::Usage(format!(
            "{} has no counts; make a run with `authbench compare --experiments counters` or `authbench gate`",
            path.display()
        )));
    };
    let name = format!("run {}", record.run.id);
    Ok(Version { name, commit, source: Found::Ready(Ready::Run(Box::new(Run { record, counters }))) })
}
