//! A client that sends what it is told, byte for byte, and hides nothing of the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take before a test gives it up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In the order of the wire.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The value of the one header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} came twice: {self:?}");
        first
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
            (name.to_owned(), value.to_owned())
        });
        Self {
            status: status.unwrap_or_else(|| panic!("no status in {text:?}")),
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }
}

/// Sends one request over a connection of its own.
pub(crate) fn send(to: SocketAddr, request_line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    send_bytes(to, request_line, &headers, body)
}

/// The same with header values that need not be text.
pub(crate) fn send_bytes(to: SocketAddr, request_line: &str, headers: &[(&str, &[u8])], body: &str) -> Answer {
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
pub(crate) fn send_raw(to: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(request).expect("the request can be sent");
    let mut answer = vec![];
    stream.read_to_end(&mut answer).expect("the answer ends in time");
    Answer::parse(&String::from_utf8(answer).expect("answers are text"))
}
