//! The keys of a run in an external Redis: their prefix identifies the process that made them, so that those of a
//! killed run can be removed.

use std::fs::{read_link, read_to_string};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU32, Ordering};

use redis::Connection;

use super::{UnusableRedis, run_command};
use crate::process_id::ProcessId;

const NAME: &str = "authbench:";
/// Keys looked at, and at most removed, by one command.
const BATCH: &str = "1000";

/// Returns a prefix that no other run has, and no other external Redis of this process, such as
/// `authbench:5f0c92ab-1234-567890-0:`. It has no special characters of patterns.
pub(super) fn unique_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{NAME}{}-{}-{}:", namespace(), ProcessId::this(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Where process numbers mean the same: this boot of this machine, in this container.
fn namespace() -> String {
    let mut hasher = DefaultHasher::new();
    read_to_string("/proc/sys/kernel/random/boot_id").ok().hash(&mut hasher);
    read_link("/proc/self/ns/pid").ok().hash(&mut hasher);
    format!("{:08x}", hasher.finish() >> 32)
}

/// Removes the keys of runs of this machine that have ended, and returns how many there were. Whether a run on another
/// machine, in another container or before the last boot has ended is unknown: its keys stay.
pub(super) fn reclaim(connection: &mut Connection, url: &str) -> Result<u64, UnusableRedis> {
    unlink(connection, url, &format!("{NAME}{}-*", namespace()), is_abandoned)
}

/// Removes the keys with this prefix, and returns how many there were.
pub(super) fn unlink_prefix(connection: &mut Connection, url: &str, prefix: &str) -> Result<u64, UnusableRedis> {
    unlink(connection, url, &format!("{prefix}*"), |_| true)
}

/// Whether this key of our namespace was made by a process that has ended.
fn is_abandoned(key: &[u8]) -> bool {
    let text = String::from_utf8_lossy(key);
    let owner = text.strip_prefix(NAME).and_then(|rest| {
        let (run, _) = rest.split_once(':')?;
        let (_, process) = run.split_once('-')?;
        process.rsplit_once('-')?.0.parse::<ProcessId>().ok()
    });
    owner.is_some_and(ProcessId::has_ended)
}

/// Step by step, so that others are served meanwhile.
fn unlink(
    connection: &mut Connection,
    url: &str,
    pattern: &str,
    is_selected: impl Fn(&[u8]) -> bool,
) -> Result<u64, UnusableRedis> {
    let mut cursor = "0".to_owned();
    let mut removed = 0;
    loop {
        let scan = [&cursor, "MATCH", pattern, "COUNT", BATCH];
        let (next, mut keys): (String, Vec<Vec<u8>>) = run_command(connection, url, "SCAN", &scan)?;
        keys.retain(|key| is_selected(key));
        if !keys.is_empty() {
            removed += run_command::<u64>(connection, url, "UNLINK", &keys)?;
        }
        if next == "0" {
            return Ok(removed);
        }
        cursor = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_an_exited_process_are_abandoned() {
        let prefix = unique_prefix();
        assert_ne!(prefix, unique_prefix());
        assert!(!is_abandoned(format!("{prefix}session:x").as_bytes()));
        // Process ids end at 2^22 on Linux.
        assert!(is_abandoned(format!("{NAME}{}-8388608-1-0:user:7", namespace()).as_bytes()));
        for key in ["authbench:session:x", "authbench:00000000-x-1-0:a", "authbench:a-8388608:b", "authbench:", "other"]
        {
            assert!(!is_abandoned(key.as_bytes()), "{key}");
        }
    }
}
