//! Processes that cannot outlive this program.
//!
//! | end of this program | what stops its children |
//! | --- | --- |
//! | normal, or a panic that unwinds | [`Child`]'s `Drop` |
//! | `exit`, abort, any signal, even SIGKILL | the kernel: `PR_SET_PDEATHSIG` |
//!
//! The kernel sends that signal when the *thread* that started the child ends, so every start goes
//! through one thread that lives as long as the program. A child has its own process group: a
//! Ctrl-C at the terminal reaches this program alone, which then decides.
//!
//! A child that exits unexpectedly, without this having been noticed, is detected when it is stopped, and reported by
//! [`take_unexpected_exits`].

mod launch;
mod log;
mod spawner;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use launch::{Account, Bounds, ENV_PREFIX, Launch, LaunchError, start_dependent};

use crate::cpu_quota::CpuQuota;
use crate::process_id;

use log::Log;

/// How long [`Child::stop`] waits between the stop signal and SIGKILL.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long `Drop` waits: this program is on its way out, perhaps with several children.
const DROP_TIMEOUT: Duration = Duration::from_millis(250);
/// How often an awaited event is checked for.
const POLL: Duration = Duration::from_millis(2);

/// Unexpected exits that have not been [returned](take_unexpected_exits) yet.
static UNEXPECTED_EXITS: Mutex<Vec<Exited>> = Mutex::new(Vec::new());

/// Returns the processes that had exited unexpectedly and unnoticed before they were stopped, since the last call.
pub fn take_unexpected_exits() -> Vec<Exited> {
    std::mem::take(&mut UNEXPECTED_EXITS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A process that this program started. Dropping it stops it.
///
/// Its id stays its own until it is dropped, because only [`Child`] reaps it and a signal is sent
/// only before that, under the same lock: no other process is ever signalled.
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: u32,
    process: Mutex<std::process::Child>,
    /// Whether its exit is expected, or has been noticed already.
    exit_expected: AtomicBool,
    log: Log,
    stop_signal: Signal,
    /// Removed after the process has had the chance to shut down gracefully.
    _cpu_quota: Option<Arc<CpuQuota>>,
}

/// A process ended that should be running.
#[derive(Debug, thiserror::Error)]
#[error("{name} (process {pid}) exited: {status}; the end of {log}:\n{tail}", log = log.display())]
pub struct Exited {
    /// The name that it was launched under.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub status: ExitStatus,
    /// Where its output is.
    pub log: PathBuf,
    /// The last lines of its output.
    pub tail: String,
}

/// A process cannot be signalled.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// It has ended.
    #[error(transparent)]
    Exited(#[from] Exited),
    /// The kernel rejects the signal.
    #[error("cannot send {signal} to {name} (process {pid}): {source}")]
    Refused {
        /// The name that it was launched under.
        name: String,
        /// Its process id.
        pid: u32,
        /// The signal.
        signal: Signal,
        /// Why.
        source: Errno,
    },
}

impl Child {
    /// Its process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// The name that it was launched under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its standard output and standard error go.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.log.path()
    }

    /// An error if it has ended, with its exit status and the last lines of its log.
    pub fn check(&self) -> Result<(), Exited> {
        self.check_running(&mut self.lock())
    }

    /// Stops its clock (SIGSTOP): it keeps its memory and its connections but does nothing.
    pub fn suspend(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGSTOP)
    }

    /// Ends a [`suspend`](Self::suspend) (SIGCONT).
    pub fn resume(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGCONT)
    }

    /// Sends SIGTERM, or the signal it was launched with, waits for at most [`STOP_TIMEOUT`], then kills it (SIGKILL).
    /// Returns how it exited. A second call returns the same.
    pub fn stop(&self) -> ExitStatus {
        self.stop_within(STOP_TIMEOUT)
    }

    /// The same as [`stop`](Self::stop) for a process that may need another time to shut down.
    pub fn stop_within(&self, timeout: Duration) -> ExitStatus {
        self.expect_exit();
        stop(&mut self.lock(), self.stop_signal, timeout)
    }

    /// Kills it (SIGKILL), like a crash: it cannot clean up. Returns how it exited.
    pub fn kill(&self) -> ExitStatus {
        self.expect_exit();
        let mut process = self.lock();
        exit_status(&mut process).unwrap_or_else(|| kill_and_wait(&mut process))
    }

    /// Marks its exit as expected from now on, as it was or will be stopped. If it has exited before,
    /// [`take_unexpected_exits`] reports that.
    pub fn expect_exit(&self) {
        if self.exit_expected.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(exited) = self.check() {
            UNEXPECTED_EXITS.lock().unwrap_or_else(PoisonError::into_inner).push(exited);
        }
    }

    /// Waits until a line of its output satisfies `find`, and returns what `find` made of it; none if
    /// the deadline passes first.
    pub fn find_line<T>(&self, deadline: Instant, find: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Exited> {
        loop {
            // Checked before the log is read, so that the last output of an exited process is included.
            let running = self.check();
            if let Some(found) = self.log.lines().iter().find_map(|line| find(line)) {
                return Ok(Some(found));
            }
            running?;
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(POLL);
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        let mut process = self.lock();
        self.check_running(&mut process)?;
        kill(pid_of(&process), signal).map_err(|source| SignalError::Refused {
            name: self.name.clone(),
            pid: self.pid,
            signal,
            source,
        })
    }

    fn check_running(&self, process: &mut std::process::Child) -> Result<(), Exited> {
        let Some(status) = exit_status(process) else { return Ok(()) };
        // The caller knows now.
        self.exit_expected.store(true, Ordering::Relaxed);
        Err(Exited {
            name: self.name.clone(),
            pid: self.pid,
            status,
            log: self.log.path().to_owned(),
            tail: self.log.tail(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, std::process::Child> {
        // Nothing in the lock is left half done by a panic: its state is the kernel's.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.expect_exit();
        stop(&mut self.lock(), self.stop_signal, DROP_TIMEOUT);
    }
}

fn stop(process: &mut std::process::Child, signal: Signal, timeout: Duration) -> ExitStatus {
    if let Some(status) = exit_status(process) {
        return status;
    }
    // If this fails the process does not exit, which the wait detects.
    let _ = kill(pid_of(process), signal);
    // A suspended process handles it only when it is resumed.
    let _ = kill(pid_of(process), Signal::SIGCONT);
    let deadline = Instant::now() + timeout;
    while Instant::now() < deadline {
        if let Some(status) = exit_status(process) {
            return status;
        }
        sleep(POLL);
    }
    kill_and_wait(process)
}

fn kill_and_wait(process: &mut std::process::Child) -> ExitStatus {
    // If this fails the wait does not end; the kernel always permits signals to the own child.
    let _ = process.kill();
    wait(process)
}

/// Returns how it exited, if it has; its id may be reused afterwards. A broken connection implies that it has exited.
fn exit_status(process: &mut std::process::Child) -> Option<ExitStatus> {
    let ended = process.try_wait().expect("no other code waits for the child");
    ended.or_else(|| is_exiting(process.id()).then(|| wait(process)))
}

/// Returns whether the kernel is tearing a process down: it closes connections before the process can be waited for.
fn is_exiting(pid: u32) -> bool {
    /// `include/linux/sched.h` of the kernel.
    const PF_EXITING: u32 = 0x4;
    process_id::stat(pid).is_some_and(|stat| stat.flags & PF_EXITING != 0)
}

fn wait(process: &mut std::process::Child) -> ExitStatus {
    process.wait().expect("no other code waits for the child")
}

fn pid_of(process: &std::process::Child) -> Pid {
    Pid::from_raw(process.id().cast_signed())
}
