//! The versions that a gate compares: binaries, built from a revision if need be, or counts of an earlier run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use contract::Scheme;
use engine::record::{CountersExperiment, GateExperiment, Record};

use crate::exit::Failure;
use crate::gate_build::{Checkout, TemporaryFolder};

/// A version of the servers.
pub(crate) struct Version {
    /// As it is called in reports.
    pub(crate) name: String,
    /// The commit, if it is one without changes.
    pub(crate) commit: Option<String>,
    /// Where its counts come from.
    pub(crate) source: Source,
}

/// Where the counts of a version come from.
pub(crate) enum Source {
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

/// Finds a version: an existing folder of binaries, an existing run, or else a revision, which is built unless it was built
/// before. Without a text, it is the working tree.
pub(crate) fn resolve(text: Option<&str>, schemes: &[Scheme], stop: &Arc<AtomicBool>) -> Result<Version, Failure> {
    let Some(text) = text else { return Checkout::find()?.build_working_tree(stop) };
    let path = Path::new(text);
    if is_program_folder(path) {
        return programs(path, schemes);
    }
    if path.is_file() || record_file::find(path).is_file() {
        return counted(path);
    }
    if path.is_dir() {
        return Err(Failure::Usage(format!("{text}: this folder has neither servers' binaries nor a record.json")));
    }
    Checkout::find()?.build_revision(text, stop)
}

fn is_program_folder(path: &Path) -> bool {
    Scheme::all().any(|scheme| path.join(scheme.binary()).is_file())
}

fn programs(path: &Path, schemes: &[Scheme]) -> Result<Version, Failure> {
    if let Some(scheme) = schemes.iter().find(|scheme| !path.join(scheme.binary()).is_file()) {
        let (path, binary) = (path.display(), scheme.binary());
        return Err(Failure::Usage(format!(
            "{path} has no {binary}, which {scheme} needs; add it or change --schemes"
        )));
    }
    // A process may be started from another folder.
    let folder = path.canonicalize().map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    let source = Source::Programs(ProgramFolder { path: folder, _temporary: None });
    Ok(Version { name: path.display().to_string(), commit: None, source })
}

fn counted(path: &Path) -> Result<Version, Failure> {
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
    Ok(Version { name, commit, source: Source::Run(Box::new(Run { record, counters })) })
}
