//! Clients that do not finish their requests, and what they may cost others (CWE-400).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use testkit::TIMEOUT;
use testkit::server::Server;

/// The limit of the process, and how many connections are held open against it.
const DESCRIPTORS: u32 = 256;
const HELD_CONNECTIONS: usize = 400;
const GET: &[u8] = b"GET /me HTTP/1.1\r\nhost: localhost\r\n\r\n";
const POST: &[u8] =
    b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{";

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Opens a connection and sends this and no more.
fn open_with(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(bytes).unwrap();
    stream
}

/// Requests `/me` over this connection, which stays open.
#[track_caller]
fn assert_served(stream: &mut TcpStream) {
    stream.write_all(GET).unwrap();
    let mut response = vec![];
    while !response.ends_with(b"}") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).unwrap();
        assert_ne!(count, 0, "the connection was closed");
        response.extend(&bytes[..count]);
    }
    assert!(response.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&response));
}

/// Waits until the server closes this connection, and returns what it sent before.
#[track_caller]
fn assert_closed(mut stream: TcpStream) -> String {
    let mut sent = vec![];
    match stream.read_to_end(&mut sent) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("still open: {error}"),
        _ => String::from_utf8(sent).unwrap(),
    }
}

#[test]
fn half_open_connections_do_not_block_other_clients() {
    for sent_bytes in [&b""[..], b"GET /me HTTP/1.1\r\nhost: local", POST] {
        let server = Server::start_limited(DESCRIPTORS, crate::BINARY, &[]);
        let mut existing = connect(&server);
        assert_served(&mut existing);
        let held: Vec<_> = (0..HELD_CONNECTIONS).map(|_| open_with(&server, sent_bytes)).collect();
        assert_served(&mut existing);
        assert_served(&mut connect(&server));
        assert_served(&mut existing);
        drop(held);
    }
}

#[test]
fn idle_connections_do_not_block_other_clients() {
    let server = Server::start_limited(DESCRIPTORS, crate::BINARY, &[]);
    let held: Vec<_> = (0..HELD_CONNECTIONS).map(|_| open_with(&server, GET)).collect();
    assert_served(&mut connect(&server));
    drop(held);
}

#[test]
fn incomplete_request_is_cut_off() {
    let server = Server::start(crate::BINARY, &["--request-timeout-s", "1"]);
    let mut idle = connect(&server);
    assert_served(&mut idle);
    for sent_bytes in [&b""[..], b"GET /me HT", POST] {
        assert_eq!(assert_closed(open_with(&server, sent_bytes)), "", "{:?}", String::from_utf8_lossy(sent_bytes));
    }
    assert_served(&mut idle);
}

#[test]
fn slow_bytes_do_not_extend_the_request_timeout() {
    let server = Server::start(crate::BINARY, &["--request-timeout-s", "1"]);
    for sent_bytes in [&b"GET /me HTTP/1.1\r\nx: "[..], POST] {
        let mut stream = open_with(&server, sent_bytes);
        let deadline = Instant::now() + TIMEOUT;
        while stream.write_all(b"x").is_ok() {
            assert!(Instant::now() < deadline, "still open");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Server::start(crate::BINARY, &["--idle-timeout-s", "1"]);
    let mut stream = connect(&server);
    assert_served(&mut stream);
    assert_eq!(assert_closed(stream), "");
}

#[test]
fn oversized_head_is_rejected_before_it_is_complete() {
    let server = Server::start(crate::BINARY, &[]);
    let head = format!("GET /me HTTP/1.1\r\nhost: localhost\r\nx: {}", "x".repeat(33 * 1024));
    let response = assert_closed(open_with(&server, head.as_bytes()));
    assert!(response.starts_with("HTTP/1.1 431 "), "{response:?}");
}
