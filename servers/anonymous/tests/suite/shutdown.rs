//! The end of a server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use testkit::TIMEOUT;
use testkit::server::Server;

/// The chassis gives requests under way three seconds; a machine under load gets some more to end the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

#[test]
fn server_stops_at_once_with_idle_connections() {
    for (signal, workers) in [("-TERM", "1"), ("-TERM", "2"), ("-INT", "2")] {
        let server = Server::start(crate::BINARY, &["--workers", workers]);
        let mut used = connect(&server);
        used.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut start = [0; 12];
        used.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        server.signal(signal);
        let (status, log) = server.wait_for_exit();
        assert!(status.success(), "{signal} {workers}: {status} {log}");
        let mut rest = vec![];
        used.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn silent_connection_does_not_delay_shutdown() {
    let server = Server::start(crate::BINARY, &[]);
    let silent = connect(&server);
    let mut halting = connect(&server);
    halting.write_all(b"POST /login HTTP/1.1\r\nhost: local").unwrap();
    assert_eq!(server.get("/healthz", &[]).status, 200);
    server.signal("-TERM");
    let signalled_at = Instant::now();
    let (status, log) = server.wait_for_exit();
    assert!(
        status.success() && signalled_at.elapsed() < SHUTDOWN_TIMEOUT,
        "{status} after {:?}: {log}",
        signalled_at.elapsed()
    );
    drop((silent, halting));
}

#[test]
fn request_in_progress_completes_during_shutdown() {
    // Passwords are hashed at nice 19: beside other tests one of full cost can take longer than the grace period.
    let server = Server::start(crate::BINARY, &["--workers", "1", "--bench", "--password-kib", "64"]);
    let body = json!({"username": "user-000001", "password": contract::user::PASSWORD}).to_string();
    let head = "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue";
    let mut stream = connect(&server);
    stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes()).unwrap();
    // The server has begun to read the body once it sends 100 Continue.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("-TERM");
    let deadline = Instant::now() + TIMEOUT;
    while TcpStream::connect(server.address).is_ok() {
        assert!(Instant::now() < deadline, "it still accepts connections");
        std::thread::sleep(Duration::from_millis(5));
    }
    stream.write_all(body.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let (status, log) = server.wait_for_exit();
    assert!(status.success(), "{status} {log}");
}
