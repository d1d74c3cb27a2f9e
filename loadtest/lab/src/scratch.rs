//! A temporary directory of a run, which does not stay for long if the run is killed.
//!
//! Its owner holds a lock on a file inside. The kernel releases the lock when the owner exits, however
//! it exits; the next start finds the lock free and removes the directory. The lock file gets
//! its name only when it is locked, so a directory that is being created is never mistaken for a stale one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

const PREFIX: &str = "authbench-";
const LOCK: &str = "lock";
/// A folder without a lock is being made, which takes microseconds, or was abandoned in the middle of that.
const UNLOCKED_IS_ABANDONED: Duration = Duration::from_mins(1);

/// A folder of our own, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Held for as long as the folder is there.
    _lock: File,
}

/// The scratch folder cannot be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot create a temporary directory in {parent}: {source}; free disk space or set TMPDIR to another directory"
)]
pub struct ScratchError {
    /// Where.
    pub parent: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl Scratch {
    /// Makes one in the system's folder for temporary files, readable by its owner alone.
    pub fn new() -> Result<Self, ScratchError> {
        Self::new_in(&std::env::temp_dir())
    }

    /// Makes one in `parent`.
    pub fn new_in(parent: &Path) -> Result<Self, ScratchError> {
        make(parent).map_err(|source| ScratchError { parent: parent.to_owned(), source })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes what killed runs of the same user left in the system's directory for temporary files, and returns
    /// the removed paths.
    #[must_use]
    pub fn reclaim() -> Vec<PathBuf> {
        Self::reclaim_in(&std::env::temp_dir())
    }

    /// Removes what killed runs of the same user left in `parent`, and returns the removed paths. What cannot be
    /// removed stays, which does no harm.
    #[must_use]
    pub fn reclaim_in(parent: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| is_ours(path) && remove_stale(path).unwrap_or(false)).collect()
    }
}

fn make(parent: &Path) -> io::Result<Scratch> {
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent)?;
    let unready = folder.path().join("lock.new");
    let lock = File::create_new(&unready)?;
    lock.lock()?;
    fs::rename(unready, folder.path().join(LOCK))?;
    Ok(Scratch { folder, _lock: lock })
}

/// A real folder, with a name that only we give, of the user that we are.
fn is_ours(path: &Path) -> bool {
    let named = path.file_name().and_then(|name| name.to_str()).is_some_and(is_our_name);
    let owned = |metadata: fs::Metadata| metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw();
    named && fs::symlink_metadata(path).is_ok_and(owned)
}

/// `authbench-`, the process id, and what `tempfile` adds.
fn is_our_name(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(pid, random)| {
        pid.parse::<u32>().is_ok() && !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Removes the directory if it has no owner. The remover holds its lock meanwhile.
fn remove_stale(folder: &Path) -> io::Result<bool> {
    let stale = match File::open(folder.join(LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Some(lock),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_abandoned(folder)? => None,
        Err(error) => return Err(error),
    };
    fs::remove_dir_all(folder)?;
    drop(stale);
    Ok(true)
}

fn is_abandoned(folder: &Path) -> io::Result<bool> {
    let age = fs::symlink_metadata(folder)?.modified()?.elapsed().unwrap_or_default();
    Ok(age >= UNLOCKED_IS_ABANDONED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_authbench_names_are_recognised() {
        assert!(is_our_name("authbench-1234-aB3xYz"));
        for name in [
            "authbench",
            "authbench-",
            "authbench-12",
            "authbench-12-",
            "authbench-x-aB3",
            "authbench-12-a/b",
            "bench-12-a",
        ] {
            assert!(!is_our_name(name), "{name}");
        }
    }
}
