//! How a child is started: its output, its processors and its tie to this program.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

use super::log::Log;
use super::{Child, spawner};
use crate::cpu_quota::CpuQuota;
use crate::placement::cpu_set;
use crate::signals::restore_defaults;

/// What the names of this workspace's own environment variables begin with.
pub const ENV_PREFIX: &str = "AUTHBENCH_";

/// What to start, where and with which log.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What errors call it.
    pub name: String,
    /// The program: a path, or a name to be found in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Additions to its environment, which it otherwise inherits except for the variables that would
    /// change its settings: those whose names begin with [`ENV_PREFIX`].
    pub env: Vec<(OsString, OsString)>,
    /// What it and all it starts may use.
    pub bounds: Bounds,
    /// The file that its standard output and standard error are appended to.
    pub log: PathBuf,
    /// The user that it runs as, if not that of this program.
    pub user: Option<Account>,
    /// The signal that requests a graceful shutdown.
    pub stop_signal: Signal,
}

/// What a process may use of the machine.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// The logical processors it is kept on; with none it gets those of the thread that started the first child.
    pub cpus: Vec<u32>,
    /// Its CPU quota; none leaves it unrestricted.
    pub cpu_quota: Option<Arc<CpuQuota>>,
}

impl Bounds {
    /// All the time of these processors.
    #[must_use]
    pub fn on(cpus: &[u32]) -> Self {
        Self { cpus: cpus.to_owned(), cpu_quota: None }
    }
}

/// A user of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// A process cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Its log cannot be written.
    #[error("cannot write {path}, the log of {name}: {source}; free disk space or choose another directory")]
    Log {
        /// What should have been started.
        name: String,
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program cannot be executed, or not on these processors.
    #[error("cannot start {name} as {program} (CPUs {cpus:?}): {source}")]
    Spawn {
        /// What should have been started.
        name: String,
        /// The program.
        program: PathBuf,
        /// The processors it should run on.
        cpus: Vec<u32>,
        /// Why.
        source: io::Error,
    },
}

impl Launch {
    /// This program without arguments, wherever the kernel lets it run, as this user, ended by SIGTERM.
    #[must_use]
    pub fn new(name: &str, program: PathBuf, log: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program,
            args: Vec::new(),
            env: Vec::new(),
            bounds: Bounds::default(),
            log,
            user: None,
            stop_signal: Signal::SIGTERM,
        }
    }

    /// Starts the process. It has no standard input, and ends with this program at the latest.
    pub fn start(self) -> Result<Child, LaunchError> {
        let (log, output) = Log::open(&self.log).map_err(|source| LaunchError::Log {
            name: self.name.clone(),
            path: self.log.clone(),
            source,
        })?;
        let spawned = self.command(output).and_then(spawner::spawn);
        let process = spawned.map_err(|source| LaunchError::Spawn {
            name: self.name.clone(),
            program: self.program,
            cpus: self.bounds.cpus.clone(),
            source,
        })?;
        Ok(Child {
            name: self.name,
            pid: process.id(),
            process: Mutex::new(process),
            exit_expected: AtomicBool::new(false),
            log,
            stop_signal: self.stop_signal,
            _cpu_quota: self.bounds.cpu_quota,
        })
    }

    fn command(&self, output: std::fs::File) -> io::Result<Command> {
        let (program, args) = match &self.bounds.cpu_quota {
            Some(cpu_quota) => cpu_quota.wrap(self.program.clone().into(), self.args.clone()),
            None => (self.program.clone().into(), self.args.clone()),
        };
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        if let Some(Account { uid, gid }) = self.user {
            // It may not be let into the folder that this program was started in.
            command.uid(uid).gid(gid).current_dir("/");
        }
        for name in authbench_variables() {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let cpus = if self.bounds.cpus.is_empty() { None } else { Some(cpu_set(&self.bounds.cpus)?) };
        prepare_child(&mut command, cpus, [Signal::SIGTERM, self.stop_signal]);
        self.bounds.cpu_quota.as_ref().map_or(Ok(()), |cpu_quota| cpu_quota.enter(&mut command))?;
        Ok(command)
    }
}

/// Starts a program in a process group of its own, which the kernel kills when this program ends. The program has to be
/// waited for, and what it starts itself is not killed with it.
pub fn start_dependent(mut command: Command) -> io::Result<process::Child> {
    command.process_group(0);
    prepare_child(&mut command, None, [Signal::SIGTERM; 2]);
    spawner::spawn(command)
}

/// A setting left in the user's shell would go unrecorded into every number.
fn authbench_variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(ENV_PREFIX.as_bytes()))
}

/// Ties the process to this program and to its processors. The signals that stop it do so even where this program was
/// started with them ignored, which a child inherits.
#[expect(unsafe_code, reason = "std has no other way to run code between fork and exec")]
fn prepare_child(command: &mut Command, cpus: Option<CpuSet>, stop_signals: [Signal; 2]) {
    let parent = Pid::this();
    // SAFETY: between fork and exec in a process with threads only async-signal-safe calls are
    // allowed. `kill_with_parent`, `restore_defaults` and `sched_setaffinity` make system calls on values made
    // beforehand; they take no lock and no memory, nor do their errors.
    unsafe {
        command.pre_exec(move || {
            kill_with_parent(parent)?;
            restore_defaults(&stop_signals)?;
            cpus.map_or(Ok(()), |cpus| Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?))
        });
    }
}

/// Has the kernel kill this process when its parent ends, and fails if that has happened already.
fn kill_with_parent(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent { Ok(()) } else { Err(nix::errno::Errno::ESRCH.into()) }
}
