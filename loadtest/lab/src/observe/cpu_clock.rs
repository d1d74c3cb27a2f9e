//! The CPU clock of a process, in nanoseconds.

use nix::errno::Errno;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use engine::clock::nanoseconds;

/// The CPU time of all threads of a process, ended ones included: `clock_getcpuclockid(3)`. It counts in
/// nanoseconds where `/proc/PID/stat` counts in ticks of 10 ms.
///
/// The kernel books a thread's time when the thread stops running, and at every scheduler tick (each
/// 1 to 10 ms; 4 ms at the usual 250 Hz). So for each thread that runs at the moment a reading may be
/// short by up to a tick: over a window of a second with one busy thread, 0.4 % at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuClock {
    pid: u32,
    id: ClockId,
}

/// There is no such process, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the CPU clock of process {pid}: {source}; it has exited or is not on this machine")]
pub struct ProcessGone {
    /// The process.
    pub pid: u32,
    /// Why.
    pub source: Errno,
}

impl CpuClock {
    /// The clock of the process with this id.
    pub fn of(pid: u32) -> Result<Self, ProcessGone> {
        let id = clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).map_err(|source| ProcessGone { pid, source })?;
        Ok(Self { pid, id })
    }

    /// CPU time used since the process began, in nanoseconds.
    pub fn ns(&self) -> Result<u64, ProcessGone> {
        self.id.now().map(nanoseconds).map_err(|source| ProcessGone { pid: self.pid, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_process_has_no_cpu_clock() {
        // Process ids end at 2^22 on Linux.
        let error = CpuClock::of(1 << 23).unwrap_err();
        assert!(error.to_string().contains("8388608"), "{error}");
    }
}
