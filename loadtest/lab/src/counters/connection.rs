//! One connection that carries one request at a time.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use contract::http1::{Framing, HeadError, header_buffer, response};

/// A response takes no longer: valgrind makes a server a hundred times slower.
const DEADLINE: Duration = Duration::from_secs(30);
/// A response has fewer headers.
const MAX_HEADERS: usize = 64;

/// A request was not exchanged for a whole response.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The response is not HTTP/1.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The length of the response is not stated.
    #[error("a response has no Content-Length")]
    Unsized,
}

/// What went over the wire for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The status of the response.
    pub status: u16,
    /// Bytes of the request.
    pub request_bytes: u64,
    /// Bytes of the response.
    pub response_bytes: u64,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self, ConnectionError> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends a request, and waits for all of its response.
    pub fn exchange(&mut self, request: &[u8]) -> Result<Transfer, ConnectionError> {
        self.stream.write_all(request)?;
        self.received.clear();
        let mut part = [0; 16_384];
        loop {
            let read = self.stream.read(&mut part)?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.received.extend_from_slice(&part[..read]);
            if let Some((status, length)) = measure(&self.received)?
                && length <= self.received.len()
            {
                let (request_bytes, response_bytes) = (request.len() as u64, length as u64);
                return Ok(Transfer { status, request_bytes, response_bytes });
            }
        }
    }
}

/// Returns the status and the length of the response with which the bytes begin; none if its head is incomplete.
fn measure(bytes: &[u8]) -> Result<Option<(u16, usize)>, ConnectionError> {
    let mut space = header_buffer::<MAX_HEADERS>();
    let Some(head) = response(bytes, &mut space)? else { return Ok(None) };
    match head.body {
        Framing::Length(body) => Ok(Some((head.status, head.length.saturating_add(body)))),
        _ => Err(ConnectionError::Unsized),
    }
}
