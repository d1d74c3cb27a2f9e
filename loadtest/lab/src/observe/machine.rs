//! How the machine's processors spent their time, from the first line of `/proc/stat`, in ticks.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

/// The first line: ten numbers of at most twenty digits.
const LINE_BYTES: usize = 256;

/// Ticks since the machine began, over all processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    /// Time that the hypervisor gave to others while there was something to run.
    pub(super) steal: u64,
    /// Time in which there was nothing to run.
    pub(super) idle: u64,
    /// All time, idle included.
    pub(super) total: u64,
}

/// Kept open, because opening costs as much as reading.
#[derive(Debug)]
pub(super) struct Machine(Option<File>);

impl Machine {
    pub(super) fn open() -> Self {
        Self(File::open("/proc/stat").ok())
    }

    /// None where they cannot be read.
    pub(super) fn ticks(&self) -> Option<Ticks> {
        let mut buffer = [0; LINE_BYTES];
        let length = self.0.as_ref()?.read_at(&mut buffer, 0).ok()?;
        parse(std::str::from_utf8(&buffer[..length]).ok()?)
    }
}

/// The share of all processors' time that is used while this thread sleeps for so long, by whomever, 0 to 1. It comes
/// in ticks of 10 ms: look for no less than half a second. None where it cannot be seen.
#[must_use]
pub fn busy_share(during: Duration) -> Option<f64> {
    let machine = Machine::open();
    let before = machine.ticks()?;
    std::thread::sleep(during);
    busy(before, machine.ticks()?)
}

fn busy(before: Ticks, after: Ticks) -> Option<f64> {
    // The kernel corrects idle time downwards now and then.
    let idle = after.idle.saturating_sub(before.idle) as f64;
    let total = after.total.checked_sub(before.total).filter(|&total| total > 0)? as f64;
    Some((1.0 - idle / total).clamp(0.0, 1.0))
}

/// `cpu user nice system idle iowait irq softirq steal guest guest_nice`; the last two are in `user` and
/// `nice` already (`proc_stat(5)`).
fn parse(stat: &str) -> Option<Ticks> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    let steal = *numbers.get(7)?;
    // What waits for a disk leaves its processor idle.
    Some(Ticks { steal, idle: numbers[3] + numbers[4], total: numbers[..8].iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_time_is_not_counted_twice() {
        let stat = "cpu  10 20 30 40 50 60 70 80 5 6\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        assert_eq!(parse(stat), Some(Ticks { steal: 80, idle: 90, total: 360 }));
        assert_eq!(parse("cpu  10 20 30 40\n"), None);
        assert_eq!(parse("intr 1\n"), None);
    }

    #[test]
    fn time_that_is_not_idle_is_busy() {
        let ticks = |idle, total| Ticks { steal: 0, idle, total };
        assert_eq!(busy(ticks(100, 200), ticks(175, 300)), Some(0.25));
        assert_eq!(busy(ticks(100, 200), ticks(99, 300)), Some(1.0), "idle time was corrected");
        assert_eq!(busy(ticks(100, 200), ticks(100, 200)), None, "no tick has passed");
    }

    #[test]
    fn ticks_increase_between_readings() {
        let machine = Machine::open();
        let first = machine.ticks().unwrap();
        assert!(first.total > 0 && first.steal <= first.total);
        let risen = || machine.ticks().unwrap().total > first.total;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !risen() {
            assert!(std::time::Instant::now() < deadline, "the ticks do not advance");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
