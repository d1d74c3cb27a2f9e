//! HTTP/1 messages that a test reads, changes and sends.
//!
//! Read without validation: what the client of a proxy sends must reach the server even if it is not valid HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const HEAD_END: &[u8] = b"\r\n\r\n";
const CHUNK: usize = 64 << 10;

/// A request or a response.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The first line.
    pub line: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// All that follows the head.
    pub body: Vec<u8>,
}

impl Message {
    /// Returns a response with this end of its status line, such as `302 Found`.
    pub fn response(status: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut response = Self { line: format!("HTTP/1.1 {status}"), headers: vec![], body: body.as_bytes().to_vec() };
        for (name, value) in headers {
            response.add(name, value);
        }
        response
    }

    /// Parses a head and what follows it; none if the head is incomplete.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END)?;
        let mut lines = bytes[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let line = String::from_utf8_lossy(lines.next()?).into_owned();
        let header = |line: &[u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            Some((name, line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]).to_vec()))
        };
        let headers = lines.filter_map(header).collect();
        Some(Self { line, headers, body: bytes[end + HEAD_END.len()..].to_vec() })
    }

    /// Returns the bytes of the message, with the length of its body.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-length") {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// Returns the status code of a response.
    pub fn status(&self) -> &str {
        self.second_word()
    }

    /// Returns the path and query of a request.
    pub fn path(&self) -> &str {
        self.second_word()
    }

    fn second_word(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// Returns whether the first line begins like this, for example `GET /me`.
    pub fn is(&self, line: &str) -> bool {
        self.line.starts_with(line)
    }

    /// Removes every header of this name.
    pub fn without(&mut self, name: &str) {
        self.headers.retain(|(own, _)| own != name);
    }

    /// Adds a header.
    pub fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    /// Changes the value of every header of this name that is text.
    pub fn edit(&mut self, name: &str, edit: impl Fn(&str) -> String) {
        for (own, value) in &mut self.headers {
            if let (true, Ok(text)) = (own == name, str::from_utf8(value)) {
                *value = edit(text).into_bytes();
            }
        }
    }

    /// Returns the value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// Returns the value of this cookie of a request.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.header("cookie")?;
        let value = cookies.split("; ").filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        value.map(|(_, value)| value.to_owned())
    }

    /// Whether the sender closes the connection after this message.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    fn body_length(&self) -> usize {
        self.header("content-length").and_then(|length| length.trim().parse().ok()).unwrap_or(0)
    }
}

/// One end of a connection that carries messages.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What came after the last message.
    received: Vec<u8>,
}

impl Connection {
    /// Over this stream.
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).ok();
        Self { stream, received: vec![] }
    }

    /// Reads the next request; none if the client disconnects or this time limit for the whole request passes.
    pub fn request(&mut self, timeout: Option<Duration>) -> Option<Message> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let message = Message::parse(&self.received);
            if let Some(request) = message.and_then(|message| self.complete(message)) {
                return Some(request);
            }
            if self.read(deadline)? == 0 {
                return None;
            }
        }
    }

    /// Reads the next response; none if the server disconnects before it is complete, or `timeout` passes without a byte.
    pub fn response(&mut self, timeout: Duration) -> Option<Message> {
        loop {
            let message = Message::parse(&self.received);
            let until_close = message.as_ref().is_some_and(Message::closes);
            if let Some(message) = message.filter(|_| !until_close)
                && let Some(response) = self.complete(message)
            {
                return Some(response);
            }
            if self.read(Some(Instant::now() + timeout)).is_none_or(|count| count == 0) {
                return Message::parse(&std::mem::take(&mut self.received)).filter(|_| until_close);
            }
        }
    }

    /// Removes this message from what was received, if all of it was. One without a length has no body.
    fn complete(&mut self, mut message: Message) -> Option<Message> {
        let length = message.body_length();
        let rest = message.body.get(length..)?.to_vec();
        message.body.truncate(length);
        self.received = rest;
        Some(message)
    }

    /// Receives more; none after the deadline, or if the connection fails.
    fn read(&mut self, deadline: Option<Instant>) -> Option<usize> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.stream.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1)))).ok()?;
            match self.stream.read(&mut chunk) {
                // A read with a timeout is interrupted when the process is stopped and continued (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
                Ok(count) => {
                    self.received.extend(&chunk[..count]);
                    return Some(count);
                }
            }
        }
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        self.stream.write_all(&message.bytes())
    }

    /// The stream, to write other bytes than a message's.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}
