//! Starts processes, waits for them and reads their state.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use lab::child::{Child, Launch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Waits until `condition` is true; fails the test if it is not within `seconds`.
pub(crate) fn wait_until(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < deadline, "timeout after {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends SIGTERM and returns how the process exits, however long that takes on a busy machine.
pub(crate) fn exit_status_after_sigterm(child: &Child) -> ExitStatus {
    kill(Pid::from_raw(child.pid().cast_signed()), Signal::SIGTERM).unwrap();
    let mut exited = None;
    wait_until(30, "the process exits", || {
        exited = child.check().err();
        exited.is_some()
    });
    exited.unwrap().status
}

/// The state letter of a process (`proc_pid_stat(5)`); none if there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns whether a process is running; a zombie is not.
pub(crate) fn is_running(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// A shell that runs `script`, with its log in `folder`.
pub(crate) fn shell(folder: &tempfile::TempDir, script: &str) -> Child {
    launch(folder, "/bin/sh", &["-c", script]).start().unwrap()
}

pub(crate) fn launch(folder: &tempfile::TempDir, program: &str, args: &[&str]) -> Launch {
    Launch {
        args: args.iter().map(Into::into).collect(),
        ..Launch::new("the test's process", program.into(), folder.path().join("process.log"))
    }
}

/// Returns the command that runs the ignored test of this name in a separate process.
pub(crate) fn ignored_test_command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", test]);
    command
}
