//! Guesses and floods of logins, and what they leave to others.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use contract::user::{PASSWORD, username};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::runtime::Builder;

use testkit::TIMEOUT;
use testkit::server::Server;

const NEW_PASSWORD: &str = "an entirely new password";
/// Where the owner of the account is.
const OWNER_PEER: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Other peers than [`OWNER_PEER`], on the same machine.
const fn other_peer(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, number)
}

/// Connects from this address.
fn connect(server: &Server, from: Ipv4Addr) -> TcpStream {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(server.address).await.unwrap()
    });
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

fn request(path: &str, header: &str, body: &serde_json::Value) -> Vec<u8> {
    let (body, json) = (body.to_string(), "content-type: application/json\r\nconnection: close");
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{json}\r\n{header}content-length: {length}\r\n\r\n{body}")
        .into()
}

fn login(server: &Server, from: Ipv4Addr, name: &str, password: &str) -> u16 {
    let mut stream = connect(server, from);
    stream.write_all(&request("/login", "", &json!({ "username": name, "password": password }))).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response[9..12].parse().unwrap()
}

/// Guesses until it is throttled, and returns how often that was possible.
fn guess(server: &Server, from: Ipv4Addr, name: &str) -> usize {
    (0..200).take_while(|_| login(server, from, name, "wrong") == 401).count()
}

#[test]
fn guesses_from_other_peers_do_not_lock_the_owner_out() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    for name in [&username(1), "nobody"] {
        assert_eq!(guess(&server, other_peer(1), name), 10, "{name}");
        assert_eq!(login(&server, OWNER_PEER, name, "wrong"), 401, "{name}: another peer may try");
    }
    assert_eq!(login(&server, other_peer(1), &username(1), PASSWORD), 429, "or guessing would go on");
    assert_eq!(login(&server, OWNER_PEER, &username(1), PASSWORD), 200);
}

#[test]
fn guesses_from_many_peers_are_bounded_and_do_not_lock_the_owner_out() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    assert_eq!(login(&server, OWNER_PEER, &username(1), PASSWORD), 200);
    let guesses: usize = (1..=12).map(|peer| guess(&server, other_peer(peer), &username(1))).sum();
    // While they were made, time has passed and made room for a few more.
    assert!((100..115).contains(&guesses), "{guesses}");
    assert_eq!(login(&server, OWNER_PEER, &username(1), PASSWORD), 200, "who has logged in from there before");
    assert_eq!(login(&server, other_peer(13), &username(2), PASSWORD), 200, "and all other users");
}

#[test]
fn successful_login_resets_the_failure_count() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    for _ in 0..3 {
        for _ in 0..9 {
            assert_eq!(login(&server, OWNER_PEER, &username(1), "wrong"), 401);
        }
        assert_eq!(login(&server, OWNER_PEER, &username(1), PASSWORD), 200);
    }
}

#[test]
fn session_can_change_the_password_despite_guesses() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    let authorization = |user: u32| {
        let token = server.login(user).json()["token"].as_str().unwrap().to_owned();
        format!("Bearer {token}")
    };
    let change = |authorization: &str, old: &str| {
        let body = json!({ "password": old, "new_password": NEW_PASSWORD }).to_string();
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        testkit::http::send(server.address, "POST /password", &headers, &body).status
    };
    let (own, other) = (authorization(1), authorization(2));
    guess(&server, OWNER_PEER, &username(1));
    assert_eq!(login(&server, OWNER_PEER, &username(1), PASSWORD), 429);
    assert_eq!(change(&own, PASSWORD), 204);
    let guesses = (0..20).take_while(|_| change(&other, "wrong") == 401).count();
    assert_eq!(guesses, 10, "who has a session may not guess for ever either");
    assert_eq!(change(&other, PASSWORD), 429);
    assert_eq!(login(&server, OWNER_PEER, &username(2), PASSWORD), 200, "which has no effect on logins");
}

/// Returns the status of the responses received so far, and all of the head; none where there is none yet.
fn peek_response(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = [0; 1024];
    match stream.peek(&mut bytes) {
        Ok(count) => Some(String::from_utf8_lossy(&bytes[..count]).to_ascii_lowercase()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn login_flood_is_bounded_and_does_not_delay_other_peers() {
    const FLOOD: usize = 2048 + 100;
    // The test holds as many connections; a soft limit of 1024 is usual.
    let own = std::process::id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &own, "--nofile=4096:"]).status().unwrap().success());
    let server = Server::start(crate::BINARY, &[]);
    let mut flood: Vec<_> = (0..FLOOD)
        .map(|n| {
            let mut stream = connect(&server, other_peer(1));
            let guess = json!({ "username": format!("nobody-{n}"), "password": "wrong" });
            stream.write_all(&request("/login", "", &guess)).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let deadline = Instant::now() + TIMEOUT;
    let rejected = loop {
        let found = flood.iter_mut().filter_map(peek_response).find(|response| response.starts_with("http/1.1 503 "));
        if let Some(response) = found {
            break response;
        }
        assert!(Instant::now() < deadline, "all of {FLOOD} wait");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(rejected.contains("\r\nretry-after: 10\r\n"), "{rejected}");
    assert!(rejected.contains("urn:authbench:problem:overloaded"), "{rejected}");
    assert_eq!(login(&server, OWNER_PEER, &username(1), PASSWORD), 200);
    let hashed =
        flood.iter_mut().filter_map(peek_response).filter(|response| response.starts_with("http/1.1 401 ")).count();
    assert!(hashed < FLOOD / 2, "{hashed} of {FLOOD} were hashed before one login of another peer");
}
