//! Clocks of real processes.

use std::time::{Duration, Instant};

use lab::observe::{CpuClock, Observer, Role};

use crate::processes::{shell, wait_until};

const BUSY: &str = "while :; do :; done";
const PERIOD: Duration = Duration::from_millis(5);

/// CPU time from `/proc/PID/stat`, in nanoseconds, cut to ticks.
fn ticks_ns(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * TICK_NS
}

/// `USER_HZ` is 100 on every architecture that Rust has a Linux target for.
const TICK_NS: u64 = 10_000_000;

#[test]
fn cpu_clock_agrees_with_proc_stat() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, BUSY);
    let clock = CpuClock::of(child.pid()).unwrap();
    wait_until(30, "the child uses CPU time", || clock.ns().unwrap() > 300_000_000);
    child.suspend().unwrap();
    wait_until(10, "the child is stopped", || crate::processes::state(child.pid()) == Some('T'));
    let (ns, ticks) = (clock.ns().unwrap(), ticks_ns(child.pid()));
    // User and system time are each cut to a whole tick.
    assert!(ticks <= ns && ns <= ticks + 2 * TICK_NS, "{ns} ns and {ticks} ns");
    assert_eq!(clock.ns().unwrap(), ns, "a stopped process uses no time");
    child.stop();
    assert!(clock.ns().is_err());
}

#[test]
fn observation_separates_the_roles() {
    let folder = tempfile::tempdir().unwrap();
    let (busy, idle) = (shell(&folder, BUSY), shell(&folder, "exec sleep 1000"));
    let clock = CpuClock::of(busy.pid()).unwrap();
    let before = clock.ns().unwrap();
    let observer = Observer::start(&[(Role::Server, busy.pid()), (Role::Store, idle.pid())], PERIOD).unwrap();
    let (from, inner) = (Instant::now(), clock.ns().unwrap());
    wait_until(30, "the child uses CPU time", || clock.ns().unwrap() > inner + 300_000_000);
    let to = Instant::now();
    let observation = observer.finish();
    let after = clock.ns().unwrap();

    let server = observation.cpu_ns(Role::Server, from, to).unwrap();
    assert!((150_000_000..=after - before).contains(&server), "{server} of {}", after - before);
    assert!(observation.cpu_ns(Role::Store, from, to).unwrap() < server / 10);
    assert_eq!(observation.cpu_ns(Role::Generator, from, to), None);
    let middle = from + (to - from) / 2;
    let halves = [(from, middle), (middle, to)].map(|(from, to)| observation.cpu_ns(Role::Server, from, to).unwrap());
    assert!(server.abs_diff(halves.iter().sum()) <= 2, "{server} and {halves:?}");
    assert!((0.0..=1.0).contains(&observation.steal(from, to).unwrap()));
    assert!(observation.samples() > 2 && observation.own_cpu_ns() > 0);
}

#[test]
fn exited_process_is_not_extrapolated() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, BUSY);
    let generator = std::process::id();
    let observer = Observer::start(&[(Role::Server, child.pid()), (Role::Generator, generator)], PERIOD).unwrap();
    let from = Instant::now();
    child.stop();
    let to = Instant::now();
    let observation = observer.finish();
    assert_eq!(observation.cpu_ns(Role::Server, from, to), None);
    assert!(observation.cpu_ns(Role::Generator, from, to).is_some());
    assert!(Observer::start(&[(Role::Server, child.pid())], PERIOD).is_err());
}
