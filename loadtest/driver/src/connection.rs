//! A kept-alive HTTP/1.1 connection that parses just enough of a response to find its end.

use std::io;
use std::net::SocketAddr;

use contract::http1::{Framing, HeadError, Response, header_buffer, response};
use engine::shortage::Shortage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::exchange::{MAX_BODY_BYTES, TOO_LARGE};

/// The maximum number of headers of a response.
const MAX_HEADERS: usize = 32;

/// Why there is no response, in few words, so that equal ones are counted together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("connection lost")]
    Lost(#[from] io::Error),
    #[error("response truncated")]
    BrokenOff,
    #[error("not an HTTP response of known length")]
    Malformed,
    #[error("{TOO_LARGE}")]
    TooLarge,
    #[error("{}", .0.kind())]
    Shortage(Shortage),
}

impl From<HeadError> for ExchangeError {
    fn from(_: HeadError) -> Self {
        Self::Malformed
    }
}

/// A response in the connection's buffer.
pub(crate) struct BorrowedResponse<'a> {
    pub(crate) status: u16,
    /// Whether the server closes the connection behind it.
    pub(crate) closes: bool,
    pub(crate) body: &'a [u8],
}

pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    received: Vec<u8>,
    /// Returns why there is no stream to send on, where the reason is this machine.
    shortage: Option<Shortage>,
}

impl Connection {
    /// Takes over a connection; belongs into a runtime.
    pub(crate) fn of(stream: std::net::TcpStream) -> io::Result<Self> {
        let address = stream.peer_addr()?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream: TcpStream::from_std(stream)?, received: Vec::with_capacity(4096), shortage: None })
    }

    /// Connects again after a failure. If that fails too, so does the next exchange.
    pub(crate) async fn reconnect(&mut self) {
        let renewed = TcpStream::connect(self.address).await;
        self.shortage = renewed.as_ref().err().and_then(Shortage::of);
        if let Ok(stream) = renewed
            && stream.set_nodelay(true).is_ok()
        {
            self.stream = stream;
        }
    }

    /// Sends a request and reads the response to its last byte. A server may respond and close before it has
    /// read everything (RFC 9112 section 9.5): then the rest cannot be written, but the response counts.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<BorrowedResponse<'_>, ExchangeError> {
        if let Some(shortage) = self.shortage {
            return Err(ExchangeError::Shortage(shortage));
        }
        self.received.clear();
        let written = self.stream.write_all(request).await;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                written?;
                return Err(ExchangeError::BrokenOff);
            }
            if let Some(head) = Head::of(&self.received)? {
                let end = head.length.checked_add(head.body_length).filter(|&end| end <= MAX_BODY_BYTES);
                let end = end.ok_or(ExchangeError::TooLarge)?;
                if self.received.len() > end {
                    return Err(ExchangeError::Malformed);
                }
                if self.received.len() == end {
                    return Ok(BorrowedResponse {
                        status: head.status,
                        closes: head.closes,
                        body: &self.received[head.length..],
                    });
                }
            } else if self.received.len() > MAX_BODY_BYTES {
                return Err(ExchangeError::TooLarge);
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    closes: bool,
    length: usize,
    body_length: usize,
}

impl Head {
    /// Returns the head of a response; none if it is not complete yet.
    fn of(received: &[u8]) -> Result<Option<Self>, ExchangeError> {
        let mut space = header_buffer::<MAX_HEADERS>();
        let Some(head) = response(received, &mut space)? else { return Ok(None) };
        match head {
            // No request expects an interim response.
            Response { status, closes, length, body: Framing::Length(body_length), .. } if status >= 200 => {
                Ok(Some(Self { status, closes, length, body_length }))
            }
            _ => Err(ExchangeError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_incomplete_and_malformed_heads_are_distinguished() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(Head::of(response).unwrap(), Some(Head { status: 200, closes: false, length: 38, body_length: 2 }));
        assert_eq!(Head::of(&response[..20]).unwrap(), None);
        let last = b"HTTP/1.1 431 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(Head::of(last).unwrap(), Some(Head { status: 431, closes: true, length: 56, body_length: 0 }));
        let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(Head::of(empty).unwrap(), Some(Head { status: 204, closes: false, length: 27, body_length: 0 }));
        for nonsense in
            ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"]
        {
            Head::of(nonsense.as_bytes()).unwrap_err();
        }
    }
}
