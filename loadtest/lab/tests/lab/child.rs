//! A child is stopped on every way out, and only then.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lab::child::{Child, LaunchError, SignalError};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::{Pid, getpgid, getpgrp};

use crate::processes::{ignored_test_command, is_running, launch, shell, state, wait_until};

const FOREVER: &str = "exec sleep 1000";

#[test]
fn stop_sends_sigterm_first() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, FOREVER);
    child.check().unwrap();
    assert_eq!(child.stop().signal(), Some(libc::SIGTERM));
    assert!(!is_running(child.pid()));
    assert_eq!(child.stop().signal(), Some(libc::SIGTERM), "a second stop reports the same");
}

#[test]
fn stop_kills_a_child_that_ignores_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, "trap '' TERM; echo deaf; exec sleep 1000");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    assert_eq!(child.find_line(deadline, |line| (line == "deaf").then_some(())).unwrap(), Some(()));
    assert_eq!(child.stop().signal(), Some(libc::SIGKILL));
}

#[test]
fn stop_reaches_a_suspended_child() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, FOREVER);
    child.suspend().unwrap();
    wait_until(10, "the child is stopped", || state(child.pid()) == Some('T'));
    assert_eq!(child.stop().signal(), Some(libc::SIGTERM));
}

#[test]
fn suspended_child_continues_after_resume() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, FOREVER);
    child.suspend().unwrap();
    wait_until(10, "the child is stopped", || state(child.pid()) == Some('T'));
    child.resume().unwrap();
    wait_until(10, "the child sleeps again", || state(child.pid()) == Some('S'));
    child.check().unwrap();
}

#[test]
fn unexpected_exit_is_reported_unless_already_checked() {
    let folder = tempfile::tempdir().unwrap();
    let children = [(); 4].map(|()| shell(&folder, FOREVER));
    let pids: Vec<u32> = children.iter().map(Child::pid).collect();
    let [unexpected, checked, expected, stopped] = children;
    expected.expect_exit();
    for child in [&unexpected, &checked, &expected] {
        kill(Pid::from_raw(child.pid().cast_signed()), Signal::SIGKILL).unwrap();
        wait_until(10, "it has exited", || state(child.pid()) == Some('Z'));
    }
    checked.check().unwrap_err();
    stopped.stop();
    drop((unexpected, checked, expected, stopped));
    // Other tests have unexpected exits, too.
    let found: Vec<u32> =
        lab::child::take_unexpected_exits().iter().map(|exited| exited.pid).filter(|pid| pids.contains(pid)).collect();
    assert_eq!(found, pids[..1]);
}

/// A dying process lets go of its pipes and connections some time before it can be waited for.
#[test]
fn broken_connection_implies_exit() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for _ in 0..200 {
        let child = shell(&folder, &format!("exec sleep 1000 >{}", pipe.display()));
        let mut pipe = std::fs::File::open(&pipe).unwrap();
        kill(Pid::from_raw(child.pid().cast_signed()), Signal::SIGKILL).unwrap();
        assert_eq!(pipe.read(&mut [0]).unwrap(), 0, "the child's end of the pipe is closed");
        child.check().unwrap_err();
    }
}

#[test]
fn drop_and_panic_stop_the_child() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, FOREVER);
    let pid = child.pid();
    drop(child);
    assert!(!is_running(pid));

    let mut pid = 0;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let child = shell(&folder, FOREVER);
        pid = child.pid();
        panic!("intended");
    }));
    assert!(panicked.is_err() && pid != 0 && !is_running(pid));
}

#[test]
fn child_outlives_the_starting_thread() {
    let folder = tempfile::tempdir().unwrap();
    let child =
        std::thread::scope(|scope| scope.spawn(|| shell(&folder, "sleep 0.3; echo alive; exec sleep 1000")).join());
    let child = child.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    assert_eq!(child.find_line(deadline, |line| (line == "alive").then_some(())).unwrap(), Some(()));
}

#[test]
fn exited_child_is_reported_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("process.log"), "words of another process\n").unwrap();
    let child = shell(&folder, "echo out; echo err >&2; exit 3");
    wait_until(10, "the child exits", || child.check().is_err());
    let exited = child.check().unwrap_err();
    assert_eq!((exited.status.code(), exited.tail.as_str()), (Some(3), "out\nerr"));
    assert!(exited.to_string().contains("exit status: 3"), "{exited}");
    assert!(matches!(child.suspend(), Err(SignalError::Exited(_))), "no other process receives the signal");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    assert!(child.find_line(deadline, |line| (line == "never").then_some(())).is_err());
}

#[test]
fn child_has_its_own_process_group_and_cpus() {
    let folder = tempfile::tempdir().unwrap();
    let last = *lab::placement::allowed().last().unwrap();
    let mut pinned = launch(&folder, "sleep", &["1000"]);
    pinned.bounds.cpus = vec![last];
    let child = pinned.start().unwrap();
    assert_ne!(getpgid(Some(Pid::from_raw(child.pid().cast_signed()))).unwrap(), getpgrp());
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    assert!(status.contains(&format!("Cpus_allowed_list:\t{last}\n")), "{status}");
}

#[test]
fn failed_start_reports_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let missing = launch(&folder, "no-such-program", &[]).start().unwrap_err();
    assert!(matches!(&missing, LaunchError::Spawn { source, .. } if source.kind() == std::io::ErrorKind::NotFound));
    let mut nowhere = launch(&folder, "sleep", &["1000"]);
    nowhere.bounds.cpus = vec![1000];
    assert!(nowhere.start().unwrap_err().to_string().contains("[1000]"));
    let mut mute = launch(&folder, "sleep", &["1000"]);
    mute.log = "/dev/null/process.log".into();
    assert!(matches!(mute.start(), Err(LaunchError::Log { .. })));
}

#[test]
fn ignored_sigchld_does_not_lose_exit_status() {
    let output = ignored_test_command("child::wait_for_a_child_with_ignored_sigchld").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "the program that the test above runs, because signals belong to a whole process"]
#[expect(unsafe_code, reason = "like a parent that ignores SIGCHLD, which children inherit")]
fn wait_for_a_child_with_ignored_sigchld() {
    // SAFETY: no handler is installed that could be unsound.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let child = shell(&folder, "exit 3");
    wait_until(10, "the child exits", || child.check().is_err());
    assert_eq!(child.stop().code(), Some(3));
}

#[test]
fn settings_in_the_environment_do_not_reach_a_child() {
    let output = ignored_test_command("child::print_environment")
        .env("AUTHBENCH_TOUCH", "always")
        .env("OTHER", "kept")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "the program that the test above runs with settings in its environment"]
fn print_environment() {
    let folder = tempfile::tempdir().unwrap();
    let mut env =
        launch(&folder, "/bin/sh", &["-c", "echo \"[$AUTHBENCH_TOUCH] [$OTHER] [$AUTHBENCH_USERS]\"; exit 3"]);
    env.env = vec![("AUTHBENCH_USERS".into(), "7".into())];
    let child = env.start().unwrap();
    wait_until(10, "the child exits", || child.check().is_err());
    assert_eq!(child.check().unwrap_err().tail, "[] [kept] [7]");
}
