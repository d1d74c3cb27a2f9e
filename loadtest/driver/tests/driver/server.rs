//! Scripted servers for tests.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};

use contract::http1::{self, Framing};

/// Waits for a request's last byte; none if the client is gone.
pub(crate) fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while stream.read_line(&mut head).is_ok_and(|read| read > 0) {
        if head.ends_with("\r\n\r\n") {
            return Some(head);
        }
    }
    None
}

/// Reads the body that follows this head.
pub(crate) fn body(stream: &mut BufReader<TcpStream>, head: &str) -> Vec<u8> {
    let mut space = http1::header_buffer::<32>();
    let Framing::Length(length) = http1::request(head.as_bytes(), &mut space).unwrap().unwrap().body else {
        panic!("a body of unknown length: {head}")
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    body
}

pub(crate) fn request(stream: &mut BufReader<TcpStream>) -> bool {
    head(stream).is_some()
}

pub(crate) fn response(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A server that does this with every connection, at the address returned. It ends with the test.
pub(crate) fn serve(with: impl Fn(&mut BufReader<TcpStream>) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let with = with.clone();
            std::thread::spawn(move || with(&mut BufReader::new(stream)));
        }
    });
    base_url
}
