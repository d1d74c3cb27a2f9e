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
//! A child that ends though nobody asked it to, and that nobody has missed, is found out when it is stopped: see [`lost`].

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

pub use launch::{Account, Bounds, Launch, LaunchError, OWN_VARIABLES};

use crate::slice::Slice;

use log::Log;

/// How long [`Child::stop`] waits between asking and SIGKILL.
pub const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// How long `Drop` waits: this program is on its way out, perhaps with several children.
const DROP_PATIENCE: Duration = Duration::from_millis(250);
/// How often an awaited event is looked for.
const POLL: Duration = Duration::from_millis(2);

/// Those that nobody has [asked for](lost) yet.
static LOST: Mutex<Vec<Exited>> = Mutex::new(Vec::new());

/// The processes that had ended by themselves before they were stopped, and that nobody had missed, since this was last asked.
pub fn lost() -> Vec<Exited> {
    std::mem::take(&mut LOST.lock().unwrap_or_else(PoisonError::into_inner))
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
    /// Whether its end is no news: it was told to, or somebody has found out.
    dismissed: AtomicBool,
    log: Log,
    stop_signal: Signal,
    /// Removed after the process has had its chance to end in good order.
    _slice: Option<Arc<Slice>>,
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
    /// The kernel refuses.
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
        self.running(&mut self.lock())
    }

    /// Stops its clock (SIGSTOP): it keeps its memory and its connections but does nothing.
    pub fn suspend(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGSTOP)
    }

    /// Ends a [`suspend`](Self::suspend) (SIGCONT).
    pub fn resume(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGCONT)
    }

    /// Asks it to end (SIGTERM, unless it was launched with another signal), waits for at most [`STOP_PATIENCE`], then kills it (SIGKILL).
    /// Says how it ended. A second call says it again.
    pub fn stop(&self) -> ExitStatus {
        self.dismiss();
        stop(&mut self.lock(), self.stop_signal, STOP_PATIENCE)
    }

    /// Ends it at once (SIGKILL), as a crash would: it cannot tidy up. Says how it ended.
    pub fn kill(&self) -> ExitStatus {
        self.dismiss();
        let mut process = self.lock();
        exit_status(&mut process).unwrap_or_else(|| end(&mut process))
    }

    /// Lets it end by itself from now on: somebody has told it to, or is about to. If it has ended before, it is [`lost`].
    pub fn dismiss(&self) {
        if self.dismissed.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(exited) = self.check() {
            LOST.lock().unwrap_or_else(PoisonError::into_inner).push(exited);
        }
    }

    /// Waits until a line of its output satisfies `find`, and returns what `find` made of it; none if
    /// the deadline passes first.
    pub fn find_line<T>(&self, deadline: Instant, find: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Exited> {
        loop {
            // Asked before the log is read, so that the last words of an ended process still count.
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
        self.running(&mut process)?;
        kill(pid_of(&process), signal).map_err(|source| SignalError::Refused {
            name: self.name.clone(),
            pid: self.pid,
            signal,
            source,
        })
    }

    fn running(&self, process: &mut std::process::Child) -> Result<(), Exited> {
        let Some(status) = exit_status(process) else { return Ok(()) };
        // Whoever asked knows now.
        self.dismissed.store(true, Ordering::Relaxed);
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
        self.dismiss();
        stop(&mut self.lock(), self.stop_signal, DROP_PATIENCE);
    }
}

fn stop(process: &mut std::process::Child, signal: Signal, patience: Duration) -> ExitStatus {
    if let Some(status) = exit_status(process) {
        return status;
    }
    // A refusal shows in that the process does not end, which the wait finds out.
    let _ = kill(pid_of(process), signal);
    // A suspended process acts on it only once it goes on.
    let _ = kill(pid_of(process), Signal::SIGCONT);
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = exit_status(process) {
            return status;
        }
        sleep(POLL);
    }
    end(process)
}

fn end(process: &mut std::process::Child) -> ExitStatus {
    // A refusal shows in that the wait does not end; the kernel refuses nobody his own child.
    let _ = process.kill();
    waited(process)
}

/// How it ended, if it has; from then on its id may be anybody's. Whoever sees its connections broken sees that it has ended.
fn exit_status(process: &mut std::process::Child) -> Option<ExitStatus> {
    let ended = process.try_wait().expect("no other code waits for the child");
    ended.or_else(|| is_dying(process.id()).then(|| waited(process)))
}

/// Whether the kernel is taking a process apart: it lets go of files and connections a while before anybody can wait for it.
fn is_dying(pid: u32) -> bool {
    /// `include/linux/sched.h` of the kernel.
    const PF_EXITING: u32 = 0x4;
    let flags = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The ninth field, proc_pid_stat(5); the second, a name, may hold anything.
        stat.rsplit_once(')')?.1.split_whitespace().nth(6)?.parse::<u32>().ok()
    };
    flags().is_some_and(|flags| flags & PF_EXITING != 0)
}

fn waited(process: &mut std::process::Child) -> ExitStatus {
    process.wait().expect("no other code waits for the child")
}

fn pid_of(process: &std::process::Child) -> Pid {
    Pid::from_raw(process.id().cast_signed())
}
