//! How much memory a process holds, in bytes.

use std::fs::read_to_string;
use std::io;

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
    let rollup = read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    if let (Some(rss_bytes), pss_bytes @ Some(_)) = (bytes(&rollup, "Rss:"), bytes(&rollup, "Pss:")) {
        return Ok(Memory { rss_bytes, pss_bytes });
    }
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let ended = || io::Error::new(io::ErrorKind::NotFound, format!("process {pid} has exited and has no memory"));
    Ok(Memory { rss_bytes: bytes(&status, "VmRSS:").ok_or_else(ended)?, pss_bytes: None })
}

/// The value of a line such as `Pss:      1234 kB`.
fn bytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
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

    #[test]
    fn memory_field_is_matched_by_its_whole_name() {
        let rollup = "Rss:                1000 kB\nPss:                 900 kB\nPss_Dirty:           10 kB\n";
        assert_eq!(bytes(rollup, "Pss:"), Some(900 * 1024));
        assert_eq!(bytes(rollup, "Rss:"), Some(1000 * 1024));
        assert_eq!(bytes("VmRSS: x kB", "VmRSS:"), None);
    }
}
