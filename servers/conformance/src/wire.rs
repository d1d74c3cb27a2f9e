//! HTTP/1.1 by hand: requests are sent byte for byte, and nothing of the response is hidden.
//!
//! A library would correct what a hostile client sends by intent: a duplicate header, a value that is not text, a body of
//! another length. Every request has its own connection, so that responses cannot be confused; only where tens of
//! thousands are sent do they share a [`Connection`]. A response is read to its end and no further (RFC 9112 section 6.3),
//! within a time and a size.

mod connection;
mod limits;
mod response;
mod response_reader;

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use contract::http1::HeadError;
use contract::{BaseUrl, BaseUrlError};
use serde_json::Value;
use url::Url;

pub(crate) use connection::Connection;
use limits::Limits;
pub(crate) use response::Response;

/// The time limit of a whole request, from connecting to the last byte of the response.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit of a request for which a server hashes a password: hashing is slow by design, and on a busy machine
/// it waits for everything else.
pub(crate) const HASHING_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a response body that are read, unless the request expects more.
const BODY_LIMIT_BYTES: usize = 4 << 20;

/// The address of a server: `http://HOST:PORT`, with or without a path before every route.
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
    /// Returns the value of `Host`, which `Origin` is compared with.
    pub(crate) fn authority(&self) -> &str {
        self.url.authority()
    }

    /// Returns the value of `Host` without its port.
    pub(crate) fn host(&self) -> &str {
        let authority = self.authority();
        let port = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
        &authority[..port.unwrap_or(authority.len())]
    }

    /// Returns the path of this route, with the prefix of every route.
    pub(crate) fn path(&self, route: &str) -> String {
        format!("{}{route}", self.url.path())
    }

    /// Opens a connection for anything other than one request and its response.
    pub(crate) fn connect(&self, timeout: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&self.address, timeout)
    }

    /// Returns the URL of a route.
    pub(crate) fn url(&self, route: &str) -> Url {
        self.url.at(route)
    }
}

/// A request to send.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    /// The values of `Host`, each on its own line; none: the server's own authority.
    hosts: Option<Vec<String>>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    timeout: Duration,
    body_limit_bytes: usize,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            hosts: None,
            headers: vec![],
            body: vec![],
            timeout: TIMEOUT,
            body_limit_bytes: BODY_LIMIT_BYTES,
        }
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

    /// Sets a body with the content type JSON.
    pub(crate) fn raw_json(self, body: impl Into<Vec<u8>>) -> Self {
        self.body(body).header("content-type", "application/json")
    }

    /// Sets a body without a content type.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets these lines of `Host` instead of one with the server's own authority.
    pub(crate) fn hosts(mut self, hosts: &[&str]) -> Self {
        self.hosts = Some(hosts.iter().map(|&host| host.to_owned()).collect());
        self
    }

    /// Sets another time limit than [`TIMEOUT`].
    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets another limit of the response's body.
    pub(crate) fn body_limit_bytes(mut self, bytes: usize) -> Self {
        self.body_limit_bytes = bytes;
        self
    }

    fn limits<'s>(&self, stop: &'s AtomicBool) -> Limits<'s> {
        Limits {
            deadline: Instant::now() + self.timeout,
            timeout: self.timeout,
            body_limit_bytes: self.body_limit_bytes,
            stop,
        }
    }

    fn bytes(&self, base: &Base, connection: ConnectionMode) -> Vec<u8> {
        let (authority, prefix) = (base.url.authority(), base.url.path());
        let Self { method, path, hosts, headers, body, .. } = self;
        let close = if connection == ConnectionMode::Close { "connection: close\r\n" } else { "" };
        let hosts: String = match hosts {
            None => format!("host: {authority}\r\n"),
            Some(hosts) => hosts.iter().map(|host| format!("host: {host}\r\n")).collect::<Vec<_>>().concat(),
        };
        let mut bytes = format!("{method} {prefix}{path} HTTP/1.1\r\n{hosts}{close}").into_bytes();
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

    /// Returns the request as text, with at most this much of the body and of a header's value.
    pub(crate) fn describe(&self, max_bytes: usize) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {}", truncate(value, max_bytes)));
        let hosts = self.hosts.iter().flatten().map(|host| format!("host: {host}"));
        let first = format!("{} {}", self.method, truncate(self.path.as_bytes(), max_bytes));
        let lines: Vec<_> = std::iter::once(first).chain(hosts).chain(headers).collect();
        format!("{}\n\n{}", lines.join("\n"), truncate(&self.body, max_bytes))
    }
}

/// The use of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ConnectionMode {
    /// One request.
    Close,
    /// As many requests as the server responds to over it.
    KeepAlive,
}

fn truncate(bytes: &[u8], max_bytes: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max_bytes)]).into_owned();
    if bytes.len() > max_bytes { format!("{text}... ({} bytes)", bytes.len()) } else { text }
}

/// Why there is no complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the connection is refused")]
    Refused,
    #[error("there is no connection: {}", std::io::Error::from_raw_os_error(*.0))]
    NoConnection(i32),
    #[error("the connection is closed before the response is complete")]
    Closed,
    #[error("no complete response within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the response has a head of more than {} KiB", .0 >> 10)]
    HeadTooLarge(usize),
    #[error("the response has a body of more than {} KiB", .0 >> 10)]
    BodyTooLarge(usize),
    #[error("the response is not HTTP/1.1: {0}")]
    Head(#[from] HeadError),
    #[error("the response is not HTTP/1.1: {0}")]
    Malformed(&'static str),
    #[error("the run was stopped")]
    Stopped,
}

/// Sends one request over its own connection, unless `stop` is set or becomes set meanwhile.
pub(crate) fn send(base: &Base, request: &Request, stop: &AtomicBool) -> Result<Response, RequestError> {
    let started = Instant::now();
    let limits = request.limits(stop);
    let mut stream = connect(base.address, &limits)?;
    limits.write(&mut stream, &request.bytes(base, ConnectionMode::Close))?;
    let (response, _) = response_reader::read_response(&mut stream, &limits)?;
    Ok(Response { took: started.elapsed(), ..response })
}

fn connect(address: SocketAddr, limits: &Limits<'_>) -> Result<TcpStream, RequestError> {
    let stream = limits.connect(address)?;
    stream.set_nodelay(true).map(|()| stream).map_err(|_| RequestError::Closed)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn https_url_is_rejected() {
        let base: Base = "http://127.0.0.1:8080/auth/".parse().unwrap();
        assert_eq!((base.authority(), base.url.path()), ("127.0.0.1:8080", "/auth"));
        assert_eq!("http://[::1]".parse::<Base>().unwrap().address, "[::1]:80".parse().unwrap());
        let rejected = "https://example.test".parse::<Base>().unwrap_err().to_string();
        assert!(rejected.contains("TLS is not supported"), "{rejected}");
    }

    #[test]
    fn read_continues_after_sigstop_and_sigcont() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Base::from(listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            let pause = "kill -STOP $PPID; sleep 0.05; kill -CONT $PPID";
            assert!(std::process::Command::new("sh").args(["-c", pause]).status().unwrap().success());
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        });
        let response = send(&base, &Request::get("/me"), &AtomicBool::new(false));
        assert_eq!(response.map(|response| response.body), Ok(b"ok".to_vec()));
        server.join().unwrap();
    }

    #[test]
    fn stop_flag_ends_a_pending_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Base::from(listener.local_addr().unwrap());
        let stop = AtomicBool::new(false);
        let response = std::thread::scope(|scope| {
            let sent = scope.spawn(|| send(&base, &Request::get("/me"), &stop));
            let (mut stream, _) = listener.accept().unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            stop.store(true, Ordering::Relaxed);
            sent.join().unwrap()
        });
        assert_eq!(response.map(drop), Err(RequestError::Stopped));
    }

    #[test]
    fn unread_request_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Base::from(listener.local_addr().unwrap());
        let timeout = Duration::from_millis(300);
        let request = Request::post("/login").body(vec![b'x'; 64 << 20]).within(timeout);
        assert_eq!(send(&base, &request, &AtomicBool::new(false)).map(drop), Err(RequestError::TimedOut(timeout)));
    }
}
