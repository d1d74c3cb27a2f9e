//! `HAProxy` in front of servers that return their names.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use lab::child::Bounds;
use lab::haproxy::{Haproxy, ServerPool, cookie};
use lab::scratch::Scratch;

/// A server that responds with this word until the clients close.
fn server(word: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || response(&stream.unwrap(), word));
        }
    });
    address
}

fn response(mut stream: &TcpStream, word: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut cookies = 0;
    while let Some(Ok(line)) = lines.next() {
        cookies += usize::from(line.to_ascii_lowercase().starts_with("cookie:"));
        if line.is_empty() {
            let body = format!("{word} {cookies}");
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            cookies = 0;
        }
    }
}

/// Returns the responding server, and the number of cookies it received.
fn send_request(base_url: &str, cookie: Option<&str>) -> String {
    let mut stream = TcpStream::connect(base_url.trim_start_matches("http://")).unwrap();
    let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
    write!(stream, "GET / HTTP/1.1\r\nHost: pool\r\nConnection: close\r\n{cookie}\r\n").unwrap();
    let mut response = String::new();
    std::io::Read::read_to_string(&mut stream, &mut response).unwrap();
    response.rsplit_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn clients_cycle_through_servers_or_stay_with_one_if_sticky() {
    let scratch = Scratch::new().unwrap();
    let servers = vec![server("first"), server("second")];
    let pools = [false, true].map(|sticky| ServerPool { servers: servers.clone(), sticky });
    let log = scratch.path().join("haproxy.log");
    let haproxy = Haproxy::start(&pools, scratch.path(), &log, &Bounds::default()).unwrap();
    let [round, sticky] = [0, 1].map(|pool| haproxy.base_url(pool));
    let responses: Vec<String> = (0..4).map(|_| send_request(&round, None)).collect();
    assert_eq!(responses, ["first 0", "second 0", "first 0", "second 0"]);
    for _ in 0..3 {
        assert_eq!(send_request(&sticky, Some(&cookie(1))), "second 0", "the balancer does not forward its own cookie");
    }
    assert_eq!(send_request(&sticky, Some(&format!("id=abc; {}", cookie(0)))), "first 1", "and forwards other cookies");
}
