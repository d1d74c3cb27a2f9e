//! A process, identified by its number and by when it began: numbers are used again.

use std::str::FromStr;

use procfs::process::{Process, Stat};

/// A process of this machine, in this process's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// In the kernel's ticks since it started.
    pub(crate) began: u64,
}

impl ProcessId {
    /// Returns that of this process.
    pub(crate) fn this() -> Self {
        let pid = std::process::id();
        Self { pid, began: began(pid).unwrap_or(0) }
    }

    /// Whether the process has ended, even if its parent has not waited for it yet.
    pub(crate) fn has_ended(self) -> bool {
        began(self.pid) != Some(self.began)
    }
}

impl std::fmt::Display for ProcessId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.pid, self.began)
    }
}

/// It is not a number, a hyphen and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAProcessId;

impl FromStr for ProcessId {
    type Err = NotAProcessId;

    fn from_str(text: &str) -> Result<Self, NotAProcessId> {
        let (pid, began) = text.split_once('-').ok_or(NotAProcessId)?;
        match (pid.parse(), began.parse()) {
            (Ok(pid), Ok(began)) => Ok(Self { pid, began }),
            _ => Err(NotAProcessId),
        }
    }
}

/// Returns when a running process began, in ticks. A process that has ended has an entry until its parent has waited for it.
pub(crate) fn began(pid: u32) -> Option<u64> {
    stat(pid).filter(|stat| !matches!(stat.state, 'Z' | 'X')).map(|stat| stat.starttime)
}

/// Returns what the kernel states about a process; none if there is none.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    Process::new(pid.cast_signed()).and_then(|process| process.stat()).ok()
}
