//! How much memory a process holds, in bytes.

use std::io;

use procfs::process::Process;

/// The memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The resident set: its pages in memory, those that it shares with others counted in full.
    pub rss_bytes: u64,
    /// The proportional set: as above, but a page shared by n processes counted as 1/n. None where
    /// `/proc/PID/smaps_rollup` cannot be read (another user's process, or a kernel before 4.14); the resident set
    /// then comes from `/proc/PID/status`, which may lag by some pages a thread.
    pub pss_bytes: Option<u64>,
}

/// The memory that the process holds now. An error means that it has ended, or is not on this machine.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let ended = || io::Error::new(io::ErrorKind::NotFound, format!("process {pid} has exited and has no memory"));
    let process = Process::new(pid.cast_signed()).map_err(|_| ended())?;
    if let Some((rss_bytes, pss_bytes)) = rollup(&process) {
        return Ok(Memory { rss_bytes, pss_bytes: Some(pss_bytes) });
    }
    let status = process.status().map_err(|_| ended())?;
    Ok(Memory { rss_bytes: status.vmrss.ok_or_else(ended)? * 1024, pss_bytes: None })
}

/// The resident and the proportional set, in bytes.
fn rollup(process: &Process) -> Option<(u64, u64)> {
    let maps = process.smaps_rollup().ok()?.memory_map_rollup;
    let sums = &maps.0.first()?.extension.map;
    Some((*sums.get("Rss")?, *sums.get("Pss")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_process_grows_with_allocations() {
        let before = memory(std::process::id()).unwrap();
        let held = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = memory(std::process::id()).unwrap();
        assert!(after.rss_bytes >= before.rss_bytes + (30 << 20), "{before:?} {after:?}");
        assert!(after.pss_bytes.unwrap() <= after.rss_bytes);
        assert_eq!(held.len(), 32 << 20);
    }
}
