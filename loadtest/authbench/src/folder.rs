//! The folder of a run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use experiments::Journal;

/// The subfolder for the logs of the processes.
const LOGS: &str = "logs";

/// Creates the folder of a run: `out`, or else a new one with this suffix in `results/runs`.
pub(crate) fn create(out: Option<&Path>, suffix: &str) -> anyhow::Result<PathBuf> {
    let utc = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let folder = out.map_or_else(|| Path::new("results/runs").join(format!("{utc}-{suffix}")), Path::to_owned);
    let what = || format!("cannot create the folder {} for the run; choose another with --out", folder.display());
    fs::create_dir_all(&folder).with_context(what)?;
    if fs::read_dir(&folder).with_context(what)?.next().is_some() {
        bail!(
            "the folder {} is not empty, and authbench does not overwrite files; choose another with --out",
            folder.display()
        );
    }
    fs::create_dir(folder.join(LOGS)).with_context(what)?;
    folder.canonicalize().with_context(what)
}

/// Fails if [`create`] would. Called before work that takes minutes; what exists stays as it is.
pub(crate) fn check(out: Option<&Path>, suffix: &str) -> anyhow::Result<()> {
    let existed = out.is_some_and(Path::exists);
    let folder = create(out, suffix)?;
    fs::remove_dir(folder.join(LOGS))?;
    if existed { Ok(()) } else { Ok(fs::remove_dir(folder)?) }
}

/// Removes the folder of a run that has measured nothing. Returns whether it was removed.
pub(crate) fn remove_if_nothing_measured(journal: &Journal) -> bool {
    journal.has_measured_nothing() && remove_unused(journal.folder())
}

/// Removes the folder unless it contains more than a record and empty logs.
fn remove_unused(folder: &Path) -> bool {
    let logs = folder.join(LOGS);
    let is_empty = |log: &PathBuf| fs::metadata(log).is_ok_and(|log| log.is_file() && log.len() == 0);
    let Some(log_files) = entries(&logs).filter(|logs| logs.iter().all(is_empty)) else { return false };
    let removable = [logs.clone(), folder.join(record_file::FILE_NAME)];
    if !entries(folder).is_some_and(|entries| entries.iter().all(|entry| removable.contains(entry))) {
        return false;
    }
    let removed = log_files.iter().chain(&removable[1..]).try_for_each(fs::remove_file);
    removed.and_then(|()| fs::remove_dir(logs)).and_then(|()| fs::remove_dir(folder)).is_ok()
}

fn entries(folder: &Path) -> Option<Vec<PathBuf>> {
    fs::read_dir(folder).ok()?.map(|entry| Some(entry.ok()?.path())).collect()
}
