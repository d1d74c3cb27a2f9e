//! HTTP/1.1 by hand: what is sent is sent byte for byte, and nothing of the answer is hidden.
//!
//! A library would mend what a hostile client sends on purpose: a header twice, a value that is no text, a body of
//! another length. Every request has a connection of its own, so that none is answered for another; only where tens of
//! thousands are sent do they share a [`Connection`].

mod connection;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::{Duration, Instant};

use contract::{BaseUrl, BaseUrlError};
use serde_json::Value;
use url::Url;

pub(crate) use connection::Connection;

/// How long an answer may take before it counts as missing. Of many logins at once on a busy machine the last one waits.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Where a server is: `http://HOST:PORT`, with or without a path in front of every route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    url: BaseUrl,
    address: SocketAddr,
}

/// A base URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// It is not a base URL of plain http, which this suite writes byte for byte.
    #[error(transparent)]
    Malformed(#[from] BaseUrlError),
    /// Its host is unknown.
    #[error("{url}: the host cannot be found ({error}); give http://HOST:PORT")]
    Unknown {
        /// What was given.
        url: String,
        /// What the resolver said.
        error: io::Error,
    },
}

impl FromStr for Base {
    type Err = BaseError;

    fn from_str(text: &str) -> Result<Self, BaseError> {
        let url: BaseUrl = text.parse()?;
        let unknown = |error| BaseError::Unknown { url: text.to_owned(), error };
        let address = url.host_and_port().to_socket_addrs().map_err(unknown)?.next();
        Ok(Self { url, address: address.ok_or_else(|| unknown(io::ErrorKind::NotFound.into()))? })
    }
}

impl From<SocketAddr> for Base {
    fn from(address: SocketAddr) -> Self {
        let url = format!("http://{address}").parse().expect("an address with a port is an authority");
        Self { url, address }
    }
}

impl Base {
    /// The value of `Host`, which `Origin` is compared with.
    pub(crate) fn authority(&self) -> &str {
        self.url.authority()
    }

    /// The address of a route.
    pub(crate) fn url(&self, route: &str) -> Url {
        self.url.at(route)
    }
}

/// A request, as it will be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), headers: vec![], body: vec![] }
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self { method: "POST", ..Self::get(path) }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw_json(body.to_string())
    }

    /// A body that claims to be JSON.
    pub(crate) fn raw_json(self, body: impl Into<Vec<u8>>) -> Self {
        self.body(body).header("content-type", "application/json")
    }

    /// A body that claims nothing.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn bytes(&self, base: &Base, connection: Use) -> Vec<u8> {
        let (authority, prefix) = (base.url.authority(), base.url.path());
        let Self { method, path, headers, body } = self;
        let close = if connection == Use::Once { "connection: close\r\n" } else { "" };
        let mut bytes = format!("{method} {prefix}{path} HTTP/1.1\r\nhost: {authority}\r\n{close}").into_bytes();
        for (name, value) in headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if *method == "POST" {
            bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }

    /// What is sent, for a reader, with at most this much of a body and of a header's value.
    pub(crate) fn shown(&self, most: usize) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {}", cut(value, most)));
        let lines: Vec<_> =
            std::iter::once(format!("{} {}", self.method, cut(self.path.as_bytes(), most))).chain(headers).collect();
        format!("{}\n\n{}", lines.join("\n"), cut(&self.body, most))
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// One request.
    Once,
    /// As many as the server answers over it.
    Again,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In the order of the wire.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// From the first byte sent to the last received.
    pub(crate) took: Duration,
}

impl Answer {
    /// The value of the first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all headers of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, or null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it says itself where it ends.
    fn is_delimited(&self) -> bool {
        self.status == 204 || self.header("content-length").or_else(|| self.header("transfer-encoding")).is_some()
    }

    /// What came, for a reader, with at most this much of the body.
    pub(crate) fn shown(&self, most: usize) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {}", cut(value.as_bytes(), most)));
        let lines: Vec<_> = std::iter::once(self.status.to_string()).chain(headers).collect();
        format!("{}\n\n{}", lines.join("\n"), cut(&self.body, most))
    }

    fn parse(bytes: &[u8], took: Duration) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        let mut answer = Self { status, headers: lines.filter_map(header).collect(), body: vec![], took };
        let body = &bytes[end + 4..];
        let chunked = answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        answer.body = if chunked { unchunked(body)? } else { body.to_vec() };
        let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
        (chunked || length.is_none_or(|length| answer.body.len() >= length)).then_some(answer)
    }
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = vec![];
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = str::from_utf8(&rest[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = rest.get(end + 2..end + 2 + size)?;
        body.extend(chunk);
        rest = rest.get(end + 4 + size..)?;
    }
}

fn cut(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned();
    if bytes.len() > most { format!("{text}... ({} bytes)", bytes.len()) } else { text }
}

/// No answer came, or only a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody accepts connections.
    Refused,
    /// The connection was closed without a whole answer.
    Closed,
    /// Nothing came in time.
    Late,
}

impl Silence {
    /// What it means that nothing whole came until reading ended so.
    fn after(read: io::Result<()>) -> Self {
        let late = read.is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
        if late { Self::Late } else { Self::Closed }
    }
}

/// Sends one request over a connection of its own.
pub(crate) fn send(base: &Base, request: &Request) -> Result<Answer, Silence> {
    let started = Instant::now();
    let mut stream = connect(base.address)?;
    // A server may answer and close before it has read everything: what it has said still counts.
    let _ = stream.write_all(&request.bytes(base, Use::Once));
    let mut bytes = vec![];
    let read = read_until(&mut stream, &mut bytes, started + PATIENCE, |_| false);
    Answer::parse(&bytes, started.elapsed()).ok_or_else(|| Silence::after(read))
}

fn connect(address: SocketAddr) -> Result<TcpStream, Silence> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|_| Silence::Refused)?;
    let set = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    set.map(|()| stream).map_err(|_| Silence::Closed)
}

/// Reads until this is enough, or the other end closes.
fn read_until(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    deadline: Instant,
    enough: impl Fn(&[u8]) -> bool,
) -> io::Result<()> {
    let mut chunk = [0; 8 * 1024];
    while !enough(bytes) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend(&chunk[..count]),
            // Whoever is stopped and goes on, as under a debugger or by a machine that is moved, reads on: Linux ends a
            // read that has a timeout even where nobody handles the signal (signal(7)).
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_is_spoken() {
        let base: Base = "http://127.0.0.1:8080/auth/".parse().unwrap();
        assert_eq!((base.authority(), base.url.path()), ("127.0.0.1:8080", "/auth"));
        assert_eq!("http://[::1]".parse::<Base>().unwrap().address, "[::1]:80".parse().unwrap());
        let refused = "https://example.test".parse::<Base>().unwrap_err().to_string();
        assert!(refused.contains("TLS is not supported"), "{refused}");
    }

    #[test]
    fn who_is_stopped_and_goes_on_reads_on() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Base::from(listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            let pause = "kill -STOP $PPID; sleep 0.05; kill -CONT $PPID";
            assert!(std::process::Command::new("sh").args(["-c", pause]).status().unwrap().success());
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        });
        assert_eq!(send(&base, &Request::get("/me")).map(|answer| answer.body), Ok(b"ok".to_vec()));
        server.join().unwrap();
    }

    #[test]
    fn answers_in_chunks_are_put_together() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        let answer = Answer::parse(bytes, Duration::ZERO).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"abcde"[..]));
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", Duration::ZERO).is_none());
    }
}
