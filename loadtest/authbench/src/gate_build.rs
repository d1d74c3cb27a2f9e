//! Builds the servers of a revision, for the gate.
//!
//! Everything is in `target/gate` of the checkout: a worktree while a revision is built, the build output that all
//! revisions share, and the binaries of each revision, which are kept.

mod cargo;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use experiments::ExperimentError;

use crate::exit::Failure;
use crate::gate_version::ProgramFolder;
use crate::terminal;

/// The packages of the servers.
const SERVERS: [&str; 4] = ["anonymous", "session", "jwt", "hybrid"];
/// Variables that lead git to another repository or index: `git rev-parse --local-env-vars`. A hook that runs the gate has
/// them, and a checkout into its index would change the user's commit.
const GIT_VARIABLES: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];
/// How often a build is checked for its end, and a lock for its release.
const POLL: Duration = Duration::from_millis(50);
/// What the folder of a working tree's binaries begins with; the id of the process that uses it follows.
const WORK: &str = "work-";

/// A checkout of authbench.
pub(crate) struct Checkout {
    root: PathBuf,
}

/// A folder that is removed when it is no longer needed.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(PathBuf);

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What is left is removed by the next gate.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Checkout {
    /// Finds the checkout that contains the current folder.
    pub(crate) fn find() -> Result<Self, Failure> {
        let rejected = |why: &str| {
            Failure::Usage(format!(
                "a revision can be built only inside a checkout of authbench ({why}); change to one, or give folders of \
                 binaries or runs"
            ))
        };
        let output = command("git").args(["rev-parse", "--show-toplevel"]).output();
        let output = output.map_err(|error| rejected(&format!("cannot run git ({error})")))?;
        if !output.status.success() {
            return Err(rejected(&format!("git: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        let root = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
        if !root.join("servers/session/Cargo.toml").is_file() {
            return Err(rejected(&format!("{} is another repository", root.display())));
        }
        Ok(Self { root })
    }

    /// Finds a revision. Returns its name and its commit, too.
    pub(crate) fn revision(self, revision: &str) -> Result<(String, String, Unbuilt), Failure> {
        let commit = self.commit(revision).map_err(|error| {
            Failure::Usage(format!(
                "{revision} is neither a folder, nor a run, nor a revision of this repository: {error}; in a shallow clone, \
                 fetch it first, for example with `git fetch --unshallow`"
            ))
        })?;
        let name = format!("{revision} ({})", short(&commit));
        Ok((name, commit.clone(), Unbuilt { checkout: self, commit: Some(commit) }))
    }

    /// Returns the working tree with its name and, if it has no changes, its commit.
    pub(crate) fn working_tree(self) -> Result<(String, Option<String>, Unbuilt), Failure> {
        let commit = self.commit("HEAD")?;
        let has_changes = !self.git(&["status", "--porcelain", "--untracked-files=all"])?.is_empty();
        let changes = if has_changes { " with changes" } else { "" };
        let name = format!("working tree ({}{changes})", short(&commit));
        let commit = (!has_changes).then_some(commit);
        Ok((name, commit.clone(), Unbuilt { checkout: self, commit }))
    }

    fn folder(&self) -> PathBuf {
        self.root.join("target/gate")
    }

    /// Returns the full id of a commit.
    fn commit(&self, revision: &str) -> anyhow::Result<String> {
        self.git(&["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])
    }

    /// Builds the servers of these sources, and copies them to `to`, which has all of them or does not exist.
    fn build(&self, sources: &Path, name: &str, to: &Path, stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
        terminal::progress(&format!("gate: building {name}"));
        let output = self.folder().join("build");
        // Otherwise cargo takes the output of another revision for that of this one, if its files are older.
        let packages = SERVERS.into_iter().flat_map(|package| ["-p", package]);
        let clean = ["clean", "--quiet", "--release", "--workspace"];
        let build = ["build", "--release", "--locked", "--bins", "--message-format=json-render-diagnostics"];
        let build: Vec<&str> = build.into_iter().chain(packages).collect();
        cargo::run(&clean, name, sources, &output, stop)?;
        let binaries = cargo::executables(&cargo::run(&build, name, sources, &output, stop)?);
        let partial = TemporaryFolder(to.with_extension("partial"));
        let copied = || -> io::Result<()> {
            // A killed gate may have left it.
            let _ = fs::remove_dir_all(to);
            fs::create_dir_all(&partial.0)?;
            for (name, path) in &binaries {
                fs::copy(path, partial.0.join(name))?;
            }
            fs::rename(&partial.0, to)
        };
        copied().with_context(|| format!("cannot copy the servers to {}; free disk space", to.display()))
    }

    /// Waits until no other gate builds in this checkout, and removes what killed ones left.
    fn lock(&self, stop: &Arc<AtomicBool>) -> anyhow::Result<File> {
        let path = self.folder().join("lock");
        let opened = fs::create_dir_all(self.folder()).and_then(|()| File::create(&path));
        let file = opened.with_context(|| format!("cannot create {}; make it writable", path.display()))?;
        let mut waits = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut waits, true) {
                        terminal::progress("gate: waiting for another gate that builds in this checkout");
                    }
                    check_stop(stop)?;
                    sleep(POLL);
                }
                Err(TryLockError::Error(error)) => {
                    return Err(anyhow!("cannot lock {}: {error}", path.display()));
                }
            }
        }
        // What they still write would be taken for the output of another revision.
        while cargo::has_compilers(&self.folder().join("build")) {
            if !std::mem::replace(&mut waits, true) {
                terminal::progress("gate: waiting for the compilers of a killed gate");
            }
            check_stop(stop)?;
            sleep(POLL);
        }
        for entry in fs::read_dir(self.folder()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name.strip_prefix(WORK).and_then(|pid| pid.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) || name.ends_with(".partial")
            {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(file)
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = command("git").args(arguments).current_dir(&self.root).output().context("cannot run git")?;
        if !output.status.success() {
            bail!("git: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Sources that are not built yet, or were built by an earlier gate.
pub(crate) struct Unbuilt {
    checkout: Checkout,
    /// None for a working tree with changes.
    commit: Option<String>,
}

impl Unbuilt {
    /// Returns the servers. Those of a commit are built once, those of a working tree with changes each time.
    pub(crate) fn build(&self, name: &str, stop: &Arc<AtomicBool>) -> anyhow::Result<ProgramFolder> {
        let checkout = &self.checkout;
        let _lock = checkout.lock(stop)?;
        let Some(commit) = &self.commit else {
            let path = checkout.folder().join(format!("{WORK}{}", std::process::id()));
            let temporary = TemporaryFolder(path.clone());
            checkout.build(&checkout.root, name, &path, stop)?;
            return Ok(ProgramFolder { path, _temporary: Some(temporary) });
        };
        let path = checkout.folder().join(format!("{commit}-{:016x}", cargo::configuration(&checkout.root)?));
        if !path.is_dir() {
            let worktree = Worktree::add(checkout, commit)?;
            checkout.build(&worktree.path, name, &path, stop)?;
        }
        Ok(ProgramFolder { path, _temporary: None })
    }
}

/// A program that finds the repository by its working folder alone.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in GIT_VARIABLES {
        command.env_remove(name);
    }
    command
}

/// Abbreviates a commit.
fn short(commit: &str) -> &str {
    &commit[..commit.len().min(12)]
}

/// A worktree of a commit, which lasts until this is dropped.
struct Worktree<'a> {
    checkout: &'a Checkout,
    path: PathBuf,
}

impl<'a> Worktree<'a> {
    fn add(checkout: &'a Checkout, commit: &str) -> anyhow::Result<Self> {
        let worktree = Self { checkout, path: checkout.folder().join("worktree") };
        // A killed gate may have left one.
        worktree.remove();
        let path = worktree.path.to_string_lossy();
        // The hooks are the user's, for the user's work.
        checkout.git(&[
            "-c",
            "core.hooksPath=/dev/null",
            "worktree",
            "add",
            "--quiet",
            "--force",
            "--detach",
            &path,
            commit,
        ])?;
        Ok(worktree)
    }

    fn remove(&self) {
        let _ = self.checkout.git(&["worktree", "remove", "--force", "--force", &self.path.to_string_lossy()]);
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

fn check_stop(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    if stop.load(Ordering::SeqCst) { Err(ExperimentError::Interrupted.into()) } else { Ok(()) }
}
