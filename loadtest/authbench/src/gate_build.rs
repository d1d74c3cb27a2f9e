//! Builds the servers of a revision, for the gate.
//!
//! Everything is in `target/gate` of the checkout: a worktree while a revision is built, the build output that all
//! revisions share, and the binaries of each revision, which are kept.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, TryLockError};
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use experiments::ExperimentError;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::exit::Failure;
use crate::gate_version::{ProgramFolder, Source, Version};
use crate::terminal;

/// The packages of the servers, and their binaries.
const SERVERS: [(&str, &str); 4] = [
    ("anonymous", "anonymous-server"),
    ("session", "session-server"),
    ("jwt", "jwt-server"),
    ("hybrid", "edge-server"),
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
                "{why}: a revision can be built only inside a checkout of authbench; change to one, or give folders of \
                 binaries or runs"
            ))
        };
        let output = Command::new("git").args(["rev-parse", "--show-toplevel"]).output();
        let output = output.map_err(|error| rejected(&format!("cannot run git ({error})")))?;
        if !output.status.success() {
            return Err(rejected("the current folder is not in a git repository"));
        }
        let root = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
        if !root.join("servers/session/Cargo.toml").is_file() {
            return Err(rejected(&format!("{} is another repository", root.display())));
        }
        Ok(Self { root })
    }

    /// Returns the servers of a revision; builds them unless that was done before.
    pub(crate) fn build_revision(&self, revision: &str, stop: &Arc<AtomicBool>) -> Result<Version, Failure> {
        let commit = self.commit(revision).map_err(|error| {
            Failure::Usage(format!(
                "{revision} is neither a folder, nor a run, nor a revision of this repository: {error}"
            ))
        })?;
        let name = format!("{revision} ({})", &commit[..commit.len().min(12)]);
        let path = self.built(&commit, &name, stop)?;
        let source = Source::Programs(ProgramFolder { path, _temporary: None });
        Ok(Version { name, commit: Some(commit), source })
    }

    /// Returns the servers of the working tree. Without changes, they are those of its commit.
    pub(crate) fn build_working_tree(&self, stop: &Arc<AtomicBool>) -> Result<Version, Failure> {
        let commit = self.commit("HEAD")?;
        let short = &commit[..commit.len().min(12)];
        if self.git(&["status", "--porcelain", "--untracked-files=all"])?.is_empty() {
            let path = self.built(&commit, "the working tree", stop)?;
            let source = Source::Programs(ProgramFolder { path, _temporary: None });
            return Ok(Version { name: format!("working tree ({short})"), commit: Some(commit), source });
        }
        let lock = self.lock(stop)?;
        let path = self.folder().join(format!("{WORK}{}", std::process::id()));
        let temporary = TemporaryFolder(path.clone());
        self.build(&self.root, "the working tree", &path, stop)?;
        drop(lock);
        let source = Source::Programs(ProgramFolder { path, _temporary: Some(temporary) });
        Ok(Version { name: format!("working tree ({short} with changes)"), commit: None, source })
    }

    fn folder(&self) -> PathBuf {
        self.root.join("target/gate")
    }

    /// Returns the full id of a commit.
    fn commit(&self, revision: &str) -> anyhow::Result<String> {
        self.git(&["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])
    }

    /// Returns the folder of a commit's binaries.
    fn built(&self, commit: &str, name: &str, stop: &Arc<AtomicBool>) -> anyhow::Result<PathBuf> {
        let path = self.folder().join(format!("{commit}-{:016x}", self.compiler()?));
        let _lock = self.lock(stop)?;
        if path.is_dir() {
            return Ok(path);
        }
        let worktree = Worktree::add(self, commit)?;
        self.build(&worktree.path, name, &path, stop)?;
        Ok(path)
    }

    /// Returns a number that differs for builds with another compiler or other flags.
    fn compiler(&self) -> anyhow::Result<u64> {
        let output = Command::new("rustc").arg("-vV").current_dir(&self.root).output().context("cannot run rustc")?;
        let mut hasher = DefaultHasher::new();
        (output.stdout, std::env::var_os("RUSTFLAGS"), std::env::var_os("CARGO_ENCODED_RUSTFLAGS")).hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Builds the servers of these sources, and copies them to `to`, which has all of them or does not exist.
    fn build(&self, sources: &Path, name: &str, to: &Path, stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
        terminal::progress(&format!("gate: building {name}"));
        let output = self.folder().join("build");
        // Otherwise cargo takes the output of another revision for that of this one, if its files are older.
        let packages = SERVERS.iter().flat_map(|(package, _)| ["-p", package]);
        let clean = ["clean", "--quiet", "--release", "--workspace"];
        let build: Vec<&str> = ["build", "--release", "--locked", "--bins"].into_iter().chain(packages).collect();
        for arguments in [&clean[..], &build] {
            let status = run_cargo(arguments, sources, &output, stop)?;
            if !status.success() {
                bail!("cannot build {name}: cargo ended with {status}; see above");
            }
        }
        let partial = TemporaryFolder(to.with_extension("partial"));
        let copied = || -> io::Result<()> {
            fs::create_dir_all(&partial.0)?;
            for (_, binary) in SERVERS {
                fs::copy(output.join("release").join(binary), partial.0.join(binary))?;
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
        let output = Command::new("git").args(arguments).current_dir(&self.root).output().context("cannot run git")?;
        if !output.status.success() {
            bail!("git: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
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
        checkout.git(&["worktree", "add", "--quiet", "--force", "--detach", &path, commit])?;
        Ok(worktree)
    }

    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.path);
        let _ = self.checkout.git(&["worktree", "prune"]);
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

/// Runs cargo to its end; ends it, with its compilers, if this run is to end.
fn run_cargo(arguments: &[&str], sources: &Path, output: &Path, stop: &Arc<AtomicBool>) -> anyhow::Result<ExitStatus> {
    let mut cargo = Command::new("cargo");
    // Symbols say in which crate the work is.
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    cargo.args(arguments).arg("--target-dir").arg(output).current_dir(sources);
    // stdout is for the result. A process group can be ended with all compilers in it.
    cargo.stdin(Stdio::null()).stdout(io::stderr()).process_group(0);
    let mut cargo = cargo.spawn().context("cannot run cargo; install a Rust toolchain, see https://rustup.rs")?;
    loop {
        if let Some(status) = cargo.try_wait()? {
            return Ok(status);
        }
        if let Err(stopped) = check_stop(stop) {
            killpg(Pid::from_raw(cargo.id().cast_signed()), Signal::SIGTERM)?;
            cargo.wait()?;
            return Err(stopped);
        }
        sleep(POLL);
    }
}
