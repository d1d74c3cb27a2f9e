//! `authbench conform`, and the behaviour of `authbench compare` with a server that is not conformant.

use std::io::{self, BufRead as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use engine::record::Status;
use lab::server::{Server, ServerSpec};
use serde_json::Value;

use crate::support::{TestDir, authbench, command, exclusive, server, start, stderr, stdout, write_server_wrappers};

/// Returns a folder of binaries in which a logout at the session server revokes nothing.
fn faulty_binaries(dir: &TestDir) -> PathBuf {
    let folder = write_server_wrappers(dir, &[("session-server", "examples/broken", &["--fault", "logout-nothing"])]);
    symlink(lab::server::locate("anonymous-server").unwrap(), folder.join("anonymous-server")).unwrap();
    folder
}

#[test]
fn server_that_fails_conformance_is_not_measured() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let mut compare = command(&["compare", "--schemes", "session-memory", "--out", run.to_str().unwrap()]);
    compare.env("AUTHBENCH_BIN_DIR", faulty_binaries(&dir));
    let output = start(compare).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("session-memory failed the conformance checks (logout-revokes-credential)"),
        "{}",
        stderr(&output)
    );
    let record = record_file::read(&run).unwrap();
    assert!(matches!(record.run.status, Status::Incomplete { .. }), "{:?}", record.run.status);
    assert_eq!(record.conformance[0].failed, ["logout-revokes-credential"]);
    assert!(record.experiments.is_empty(), "{:?}", record.experiments);
}

#[test]
fn conform_reports_every_check_and_those_not_applicable() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let flags = ["--mutations", "50", "--json", "--target"];
    let good = server("session-memory", &dir, None);
    let output = authbench(&[&["conform"], &flags[..], &[&good.base_url()]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let result = |id: &str| {
        let found = report["outcomes"].as_array().unwrap().iter().find(|outcome| outcome["id"] == id);
        found.unwrap_or_else(|| panic!("{id}: {report}"))["result"].clone()
    };
    assert_eq!(result("mutated-rejected"), "pass");
    assert_eq!(result("mutated-memory"), "pass", "it is on this machine");
    assert_eq!(result("alg-none"), "not-applicable");
    assert_eq!(result("outage-hanging-store"), "not-applicable");
}

#[test]
fn failed_check_shows_its_exchanges_and_their_duration() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let spec = ServerSpec::new("session-memory".parse().unwrap(), dir.path().join("server.log"));
    let faulty = Server::start_program(&faulty_binaries(&dir).join("session-server"), &spec).unwrap();
    let output = authbench(&["conform", "--mutations", "50", "--target", &faulty.base_url()]);
    assert_eq!(output.status.code(), Some(10), "{}", stderr(&output));
    let printed = stdout(&output);
    let failed = printed.lines().skip_while(|line| !line.starts_with("FAIL")).skip(1);
    let shown: Vec<&str> = failed.take_while(|line| line.starts_with(' ')).map(str::trim_start).collect();
    assert!(shown.contains(&"> POST /logout"), "{printed}");
    assert!(shown.iter().any(|line| line.starts_with("< after ") && line.ends_with(" ms")), "{printed}");
}

#[test]
fn control_cannot_be_checked_by_conform() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let control = server("anonymous", &dir, None);
    let output = authbench(&["conform", "--target", &control.base_url()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("issues no credential"), "{}", stderr(&output));
}

/// Starts a server that keeps every connection open, sends an endless body at `/me`, and never responds at `/admin`,
/// but signals here that it was requested.
fn endless_server(admin_requested: mpsc::Sender<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let admin_requested = admin_requested.clone();
            std::thread::spawn(move || serve_endless_body(&stream.unwrap(), &admin_requested));
        }
    });
    target
}

fn serve_endless_body(mut stream: &TcpStream, admin_requested: &mpsc::Sender<()>) -> io::Result<()> {
    let mut lines = io::BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    if first.starts_with("POST /login ") {
        let token = r#"{"token":"a-token-of-a-login"}"#;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{token}", token.len())?;
    } else if first.starts_with("GET /me ") {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        while stream.write_all(&[b"1000\r\n", &[b'x'; 4096][..], b"\r\n"].concat()).is_ok() {}
    } else if first.starts_with("GET /admin ") {
        let _ = admin_requested.send(());
    } else {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?;
    }
    // Until the client closes the connection.
    lines.try_for_each(|line| line.map(drop))
}

#[test]
fn conform_limits_responses_and_reports_completed_checks_on_sigterm() {
    let _lock = exclusive();
    let (admin_requested, receiver) = mpsc::channel();
    let target = endless_server(admin_requested);
    let child = start(command(&["conform", "--target", &target]));
    // By then /me has been read, and the request to /admin is in flight.
    receiver.recv_timeout(Duration::from_mins(1)).unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let (out, err) = (stdout(&output), stderr(&output));
    let reason = "the response has a body of more than 4096 KiB";
    let failed = out.lines().skip_while(|line| !line.contains(" credential-works ")).nth(1);
    assert!(failed.is_some_and(|line| line.contains(reason)), "{out}");
    assert!(!out.contains(" role-missing "), "its request was in flight: {out}");
    assert!(err.contains("conform: 0 of ") && err.contains("interrupted: "), "{err}");
}
