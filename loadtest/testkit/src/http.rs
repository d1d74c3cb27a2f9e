//! A client that sends the given bytes unchanged, and hides nothing of the response.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use contract::http1::{header_buffer, response};
use serde_json::Value;

use crate::TIMEOUT;

/// The maximum number of headers of a response.
const MAX_HEADERS: usize = 64;

/// The response of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// All that follows the head.
    pub body: String,
}

impl Response {
    /// Returns the value of the one header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(header_name, _)| header_name.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is present twice: {self:?}");
        first
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn parse(text: &str) -> Self {
        let mut buffer = header_buffer::<MAX_HEADERS>();
        let head = response(text.as_bytes(), &mut buffer).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        let head = head.unwrap_or_else(|| panic!("no head in {text:?}"));
        let value = |value: &[u8]| str::from_utf8(value).expect("a part of a text with ASCII at both ends").to_owned();
        Self {
            status: head.status,
            headers: head.headers.iter().map(|header| (header.name.to_owned(), value(header.value))).collect(),
            body: text[head.length..].to_owned(),
        }
    }
}

/// Sends one request over a connection of its own.
pub fn send(to: SocketAddr, request_line: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    send_bytes(to, request_line, &headers, body)
}

/// Sends one request with header values that need not be text.
pub fn send_bytes(to: SocketAddr, request_line: &str, headers: &[(&str, &[u8])], body: &str) -> Response {
    let mut request = format!("{request_line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n").into_bytes();
    if !body.is_empty() {
        request.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    for (name, value) in headers {
        request.extend(name.bytes().chain(*b": ").chain(value.iter().copied()).chain(*b"\r\n"));
    }
    request.extend(b"\r\n".iter().copied().chain(body.bytes()));
    send_raw(to, &request)
}

/// Sends these bytes over a connection of its own, and reads until the server closes it.
pub fn send_raw(to: SocketAddr, request: &[u8]) -> Response {
    let mut stream = TcpStream::connect(to).expect("the server accepts");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
    stream.write_all(request).expect("the request can be sent");
    let mut response = vec![];
    stream.read_to_end(&mut response).expect("the response ends within the timeout");
    Response::parse(&String::from_utf8(response).expect("responses are text"))
}
