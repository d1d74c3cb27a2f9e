//! The reference target responds after the set time with well-formed responses, and reports correctly about itself.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use contract::body::{Identity, MintRequest};
use lab::child::Child;
use lab::message::{Message, split};
use serde_json::Value;
use tempfile::TempDir;

use crate::processes::{exit_status_after_sigterm, launch};

/// A delay-server, where it listens, and the folder of its log.
pub(crate) struct DelayServer {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl DelayServer {
    pub(crate) fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = launch(&folder, env!("CARGO_BIN_EXE_delay-server"), args).start().unwrap();
        let ready = line(&child, "listening");
        assert_eq!(ready["pid"], child.pid());
        Self { child, address: ready["listening"].as_str().unwrap().parse().unwrap(), _folder: folder }
    }

    /// Its report, which it prints on SIGTERM.
    fn report(&self) -> Value {
        assert!(exit_status_after_sigterm(&self.child).success());
        line(&self.child, "requests")
    }
}

/// The first line of JSON that has this key.
fn line(child: &Child, key: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    let with_key = |line: &str| serde_json::from_str::<Value>(line).ok().filter(|value| value.get(key).is_some());
    child.find_line(deadline, with_key).unwrap().unwrap()
}

/// Sends the bytes on a new connection and reads until there are `count` responses.
pub(crate) fn send_request(address: SocketAddr, bytes: &[u8], count: usize) -> Vec<Message> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut received = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&buffer[..read]);
        match split(&received) {
            Ok(messages) if messages.len() == count => return messages,
            _ => {}
        }
    }
}

const ME: &[u8] = b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn every_response_takes_the_delay_and_is_well_formed() {
    let server = DelayServer::start(&["--delay-us", "5000"]);
    let started = Instant::now();
    let responses = send_request(server.address, &ME.repeat(5), 5);
    assert!(started.elapsed() >= Duration::from_millis(5));
    for response in responses {
        assert!(response.head.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert_eq!(serde_json::from_slice::<Identity>(&response.body).unwrap(), Identity::seeded(1, 1));
    }
    let report = server.report();
    assert_eq!(report["requests"], 5);
    assert!(report["delay_us"]["p50"].as_u64().unwrap() >= 5000, "{report}");
    assert!(report["late_us"]["max"].is_u64(), "{report}");
}

#[test]
fn post_gets_its_response_after_its_last_byte() {
    let server = DelayServer::start(&["--delay-us", "1000", "--workers-fifo"]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"POST /login HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(stream.read(&mut [0; 64]).is_err(), "no response before the last byte");
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"o").unwrap();
    let mut status = [0; 15];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200 OK");
}

#[test]
fn one_server_takes_requests_in_turn() {
    let server = DelayServer::start(&["--service-us", "20000", "--servers", "1"]);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| send_request(server.address, ME, 1));
        }
    });
    // However they arrive, the last one leaves no sooner than five services after the first arrival.
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!(server.report()["requests"], 5);
}

#[test]
fn descriptor_and_credentials_are_not_delayed() {
    let server = DelayServer::start(&["--delay-us", "600000000"]);
    let client = lab::http::Client::new(&format!("http://{}", server.address));
    assert_eq!(client.scheme().unwrap().scheme, "delay-reference");
    let credentials = client.mint(25_000, 99_999).unwrap();
    assert_eq!(credentials.len(), 25_000);
    assert_eq!((credentials[0].username.as_str(), credentials[1].username.as_str()), ("user-099999", "user-000000"));
    assert!(credentials.iter().all(|credential| credential.headers.is_empty()));
    let response = client
        .post("/bench/mint", &MintRequest { count: 0, first_user: 0, revoked: false }, Duration::from_secs(10))
        .unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(server.report()["requests"], 0);
}

#[test]
fn non_http_request_is_rejected() {
    let server = DelayServer::start(&["--delay-us", "0"]);
    let response = &send_request(server.address, b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 1)[0];
    assert!(response.head.starts_with(b"HTTP/1.1 400 "));
}
