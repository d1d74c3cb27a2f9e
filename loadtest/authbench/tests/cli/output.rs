//! Output without a reader: closed pipes, full disks, closed descriptors.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use engine::record::Status;

use crate::support::{SKIP_CONFORMANCE, TestDir, authbench, command, exclusive, server, stderr, stdout, wait_until};

/// A destination that cannot be written.
#[derive(Clone, Copy, Debug)]
enum Unwritable {
    FullDisk,
    ClosedPipe,
}

impl From<Unwritable> for Stdio {
    fn from(destination: Unwritable) -> Self {
        match destination {
            Unwritable::FullDisk => File::options().write(true).open("/dev/full").unwrap().into(),
            // The other end is closed.
            Unwritable::ClosedPipe => OwnedFd::from(std::io::pipe().unwrap().1).into(),
        }
    }
}

/// Returns the run of a short load.
fn short_run(dir: &TestDir) -> PathBuf {
    let server = server("jwt-hs256", dir, None);
    let run = dir.run();
    let target = server.base_url();
    let load = ["load", "--target", &target, "--rate", "300", "--duration", "1s", "--population", "10", "--out"];
    let output = authbench(&[&load[..], &[run.to_str().unwrap()]].concat());
    assert!(matches!(output.status.code(), Some(0 | 12)), "{}", stderr(&output));
    run
}

fn run_to_exit(mut command: Command) -> Output {
    command.spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn unwritable_result_is_an_error_of_one_line() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = short_run(&dir);
    let report = ["report", run.to_str().unwrap()];
    for unwritable in [Unwritable::FullDisk, Unwritable::ClosedPipe] {
        std::fs::remove_file(run.join("report.md")).unwrap();
        let mut failing_stdout = command(&report);
        failing_stdout.stdout(unwritable).stderr(Stdio::piped());
        let output = run_to_exit(failing_stdout);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{unwritable:?}: {printed}");
        assert!(
            printed.starts_with("authbench: cannot write the result to standard output: "),
            "{unwritable:?}: {printed}"
        );
        assert_eq!(printed.lines().count(), 1, "{unwritable:?}: {printed}");
        assert!(run.join("report.md").exists(), "the reports are written nevertheless");

        let mut both = command(&report);
        both.stdout(unwritable).stderr(unwritable);
        assert_eq!(run_to_exit(both).status.code(), Some(1), "{unwritable:?}: not a panic");
    }
    let mut first_line = Command::new("bash");
    let script = "set -o pipefail; \"$0\" report \"$1\" | head -1";
    first_line.args(["-c", script, env!("CARGO_BIN_EXE_authbench"), run.to_str().unwrap()]);
    first_line.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = run_to_exit(first_line);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn unwritable_progress_does_not_end_a_run() {
    let _lock = exclusive();
    let dir = TestDir::new();
    for unwritable in [Unwritable::FullDisk, Unwritable::ClosedPipe] {
        let out = dir.path().join(format!("{unwritable:?}"));
        let compare = ["compare", "--schemes", "jwt-hs256", "--experiments", "wire", SKIP_CONFORMANCE, "--out"];
        let mut run = command(&[&compare[..], &[out.to_str().unwrap()]].concat());
        run.stdout(Stdio::piped()).stderr(unwritable);
        let output = run_to_exit(run);
        assert!(output.status.success(), "{unwritable:?}: {:?}", output.status);
        assert!(stdout(&output).lines().last().unwrap().ends_with(&format!("{unwritable:?}")));
        assert_eq!(record_file::read(&out).unwrap().run.status, Status::Complete);
    }
}

#[test]
fn closed_standard_descriptors_are_handled() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = short_run(&dir);
    std::fs::remove_file(run.join("report.md")).unwrap();
    let mut closed = Command::new("sh");
    let script = "exec \"$0\" report \"$1\" <&- >&- 2>&-";
    closed.args(["-c", script, env!("CARGO_BIN_EXE_authbench"), run.to_str().unwrap()]);
    assert_eq!(closed.status().unwrap().code(), Some(0));
    assert!(run.join("report.md").exists());
    let mut wrong = Command::new("sh");
    wrong.args(["-c", "exec \"$0\" report /nowhere <&- >&- 2>&-", env!("CARGO_BIN_EXE_authbench")]);
    assert_eq!(wrong.status().unwrap().code(), Some(2));
}

#[test]
fn server_survives_closed_output_pipes() {
    let _lock = exclusive();
    for unwritable in [Unwritable::FullDisk, Unwritable::ClosedPipe] {
        // The port was free just before.
        let address = testkit::free_address().to_string();
        let mut server = Command::new(lab::server::locate("jwt-server").unwrap());
        server.args(["--listen", &address, "--users", "10", "--log", "debug"]);
        let mut server = server.stdout(unwritable).stderr(unwritable).spawn().unwrap();
        wait_until("it serves", Duration::from_mins(1), || {
            assert_eq!(server.try_wait().unwrap(), None, "{unwritable:?}");
            is_healthy(&address)
        });
        // The log entry of a malformed request cannot be written.
        send_raw(&address, "no HTTP\r\n\r\n").unwrap();
        assert!(is_healthy(&address), "{unwritable:?}");
        nix::sys::signal::kill(pid(server.id()), nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(server.wait().unwrap().success(), "{unwritable:?}");
    }
}

fn is_healthy(address: &str) -> bool {
    let response = send_raw(address, "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    response.is_ok_and(|response| response.starts_with("HTTP/1.1 200"))
}

/// Returns the response of a server that then closes the connection.
fn send_raw(address: &str, request: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    connection.read_to_end(&mut response)?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

fn pid(of: u32) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(of.try_into().unwrap())
}
