//! CPU quotas, by the kernel's own account.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::child::{Bounds, Launch};
use lab::cpu_quota::{CpuQuotas, Throttling};
use lab::observe::CpuClock;

use crate::processes::{ignored_test_command, is_running, launch, wait_until};

/// None where the machine has no CPU quotas, and then it prints what to do. With `REQUIRE_CPU_QUOTAS` they are
/// mandatory.
fn cpu_quotas() -> Option<CpuQuotas> {
    let cpu_quotas = CpuQuotas::detect();
    if let Err(none) = &cpu_quotas {
        let text = none.to_string();
        assert!(text.contains("run as root") && !none.reasons.is_empty(), "{text}");
        assert!(std::env::var_os("REQUIRE_CPU_QUOTAS").is_none(), "{text}");
        eprintln!("{text}");
    }
    cpu_quotas.ok()
}

/// Returns the directories of the groups whose name ends like this.
fn groups(ending: &str) -> Vec<PathBuf> {
    fn search(folder: &Path, depth: u32, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if depth > 0 && path.is_dir() && !path.is_symlink() {
                search(&path, depth - 1, ending, found);
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name.starts_with("authbench-") && name.ends_with(ending) {
                    found.push(path);
                }
            }
        }
    }
    let mut found = Vec::new();
    search(Path::new("/sys/fs/cgroup"), 8, ending, &mut found);
    found
}

#[test]
fn quota_limits_a_process_and_its_children() {
    let Some(cpu_quotas) = cpu_quotas() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cpu_quota = Arc::new(cpu_quotas.create("busy", 0.2).unwrap());
    // The one that burns is a child of the one that was started.
    let script = "(while :; do :; done) & echo burns $!; wait";
    let bounds = Bounds { cpu_quota: Some(cpu_quota), ..Bounds::default() };
    let busy = Launch { bounds, ..launch(&folder, "sh", &["-c", script]) }.start().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let burning = |line: &str| line.strip_prefix("burns ").and_then(|pid| pid.parse::<u32>().ok());
    let pid = busy.find_line(deadline, burning).unwrap().unwrap();
    let clock = CpuClock::of(pid).unwrap();
    let (began, before) = (Instant::now(), clock.ns().unwrap());
    wait_until(60, "it has used 100 ms", || clock.ns().unwrap() - before >= 100_000_000);
    let elapsed = began.elapsed();
    // A fifth of a processor uses 100 ms in 500 ms, and may have begun and ended with what a period allows.
    assert!(elapsed >= Duration::from_millis(450), "{elapsed:?}");
    let throttling = Throttling::of(pid).unwrap();
    assert!(throttling.throttled > 0 && throttling.share() > 0.0, "{throttling:?}");
    let group = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(group(busy.pid()), group(pid));
    drop(busy);
    assert!(!is_running(pid), "the remaining child processes end with the quota");
    assert_eq!(groups("-busy"), Vec::<PathBuf>::new());
}

#[test]
fn group_is_removed_with_its_process() {
    let Some(cpu_quotas) = cpu_quotas() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cpu_quota = Some(Arc::new(cpu_quotas.create("goes", 0.5).unwrap()));
    let bounds = Bounds { cpu_quota, ..Bounds::default() };
    let child = Launch { bounds, ..launch(&folder, "sleep", &["1000"]) }.start().unwrap();
    let of_child = std::fs::read_to_string(format!("/proc/{}/cgroup", child.pid())).unwrap();
    assert!(of_child.contains("-goes"), "{of_child}");
    assert!(CpuQuotas::reclaim().iter().all(|path| !path.ends_with("-goes")), "the groups of a running owner are kept");
    assert!(!groups("-goes").is_empty() || cpu_quotas.method().starts_with("systemd"));
    drop(child);
    assert_eq!(groups("-goes"), Vec::<PathBuf>::new());
}

#[test]
fn groups_of_a_killed_program_are_reclaimed() {
    let Some(cpu_quotas) = cpu_quotas() else { return };
    if cpu_quotas.method().starts_with("systemd") {
        return; // It removes its scopes itself.
    }
    let mut holder = ignored_test_command("cpu_quota::hold_quota").spawn().unwrap();
    wait_until(10, "the program has its quota", || !groups("-held").is_empty());
    assert!(!CpuQuotas::reclaim().iter().any(|path| path.to_string_lossy().ends_with("-held")), "it is running");
    holder.kill().unwrap();
    holder.wait().unwrap();
    // Another test's reclaim may be faster.
    let _ = CpuQuotas::reclaim();
    assert_eq!(groups("-held"), Vec::<PathBuf>::new());
}

/// A program that holds a quota.
#[test]
#[ignore = "the program that the test above kills"]
fn hold_quota() {
    let _cpu_quota = CpuQuotas::detect().unwrap().create("held", 0.5).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn quotas_with_equal_names_are_separate() {
    let Some(cpu_quotas) = cpu_quotas() else { return };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| drop(cpu_quotas.create("twin", 0.1).unwrap())));
            scope.spawn(|| CpuQuotas::detect().unwrap());
        }
    });
}
