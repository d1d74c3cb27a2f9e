//! One response from a stream: its head determines where it ends (RFC 9112 section 6.3), not the end of the
//! connection, which a server may keep open. A response above the size limit is not read.

use std::net::TcpStream;
use std::time::Duration;

use contract::http1::{Framing, header_buffer, response};
use memchr::memmem;

use super::limits::Limits;
use super::{RequestError, Response};

/// Bytes of the largest head, of the longest trailer section, and of the longest line between chunks.
const HEAD_LIMIT_BYTES: usize = 64 << 10;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const END_OF_LINE: &[u8] = b"\r\n";

/// A head has fewer headers than this.
const MAX_HEADERS: usize = 1024;

/// A head without the body that belongs to it.
struct Head {
    response: Response,
    body: Framing,
    closes: bool,
}

/// Returns the next response, and whether the connection can be reused. Its duration is still zero.
pub(super) fn read_response(stream: &mut TcpStream, limits: &Limits<'_>) -> Result<(Response, bool), RequestError> {
    let mut reader = ResponseReader { stream, limits, bytes: vec![] };
    let head = reader.read_head()?;
    let body = reader.read_body(head.body)?;
    let kept = !head.closes && head.body != Framing::UntilClose && reader.bytes.is_empty();
    Ok((Response { body, ..head.response }, kept))
}

/// The stream with the bytes that are read but not used yet.
struct ResponseReader<'c, 's> {
    stream: &'c mut TcpStream,
    limits: &'c Limits<'s>,
    bytes: Vec<u8>,
}

impl ResponseReader<'_, '_> {
    /// Reads more bytes, if there are any.
    fn fill(&mut self) -> Result<(), RequestError> {
        if self.limits.read(self.stream, &mut self.bytes)? { Ok(()) } else { Err(RequestError::Closed) }
    }

    /// Returns the next bytes up to and including this mark.
    fn read_through(&mut self, mark: &[u8]) -> Result<Vec<u8>, RequestError> {
        let mut searched = 0;
        loop {
            let end = memmem::find(&self.bytes[searched..], mark).map(|place| searched + place);
            if end.unwrap_or(self.bytes.len()) > HEAD_LIMIT_BYTES {
                return Err(RequestError::HeadTooLarge(HEAD_LIMIT_BYTES));
            }
            if let Some(end) = end {
                let rest = self.bytes.split_off(end + mark.len());
                return Ok(std::mem::replace(&mut self.bytes, rest));
            }
            searched = (self.bytes.len() + 1).saturating_sub(mark.len());
            self.fill()?;
        }
    }

    /// Returns the next line without its end.
    fn read_line(&mut self) -> Result<Vec<u8>, RequestError> {
        let mut line = self.read_through(END_OF_LINE)?;
        line.truncate(line.len() - END_OF_LINE.len());
        Ok(line)
    }

    /// Returns the head of the final response: interim ones precede it (RFC 9110 section 15.2).
    fn read_head(&mut self) -> Result<Head, RequestError> {
        loop {
            let head = Head::of(&self.read_through(END_OF_HEAD)?)?;
            if !(100..200).contains(&head.response.status) || head.response.status == 101 {
                return Ok(head);
            }
        }
    }

    fn read_body(&mut self, framing: Framing) -> Result<Vec<u8>, RequestError> {
        match framing {
            Framing::Length(length) => self.read_exact(length, 0),
            Framing::Chunked => self.read_chunked(),
            Framing::UntilClose => self.read_to_close(),
        }
    }

    /// Returns this many bytes of a body of which this many were read before.
    fn read_exact(&mut self, length: usize, before: usize) -> Result<Vec<u8>, RequestError> {
        let limit_bytes = self.limits.body_limit_bytes;
        if length > limit_bytes.saturating_sub(before) {
            return Err(RequestError::BodyTooLarge(limit_bytes));
        }
        while self.bytes.len() < length {
            self.fill()?;
        }
        let rest = self.bytes.split_off(length);
        Ok(std::mem::replace(&mut self.bytes, rest))
    }

    /// Returns a chunked body without its trailer section (RFC 9112 section 7.1).
    fn read_chunked(&mut self) -> Result<Vec<u8>, RequestError> {
        let mut body = vec![];
        loop {
            let line = String::from_utf8_lossy(&self.read_line()?).into_owned();
            let size = line.split(';').next().unwrap_or_default().trim();
            let size =
                usize::from_str_radix(size, 16).map_err(|_| RequestError::Malformed("a chunk without its size"))?;
            if size == 0 {
                break;
            }
            body.extend(self.read_exact(size, body.len())?);
            if !self.read_line()?.is_empty() {
                return Err(RequestError::Malformed("a chunk that is longer than its size"));
            }
        }
        let mut trailers = 0;
        loop {
            let line = self.read_line()?;
            trailers += line.len() + END_OF_LINE.len();
            if line.is_empty() {
                return Ok(body);
            }
            if trailers > HEAD_LIMIT_BYTES {
                return Err(RequestError::HeadTooLarge(HEAD_LIMIT_BYTES));
            }
        }
    }

    /// Returns all bytes until the connection is closed.
    fn read_to_close(&mut self) -> Result<Vec<u8>, RequestError> {
        let limit_bytes = self.limits.body_limit_bytes;
        while self.bytes.len() <= limit_bytes {
            match self.fill() {
                Ok(()) => {}
                Err(RequestError::Closed) => return Ok(std::mem::take(&mut self.bytes)),
                Err(other) => return Err(other),
            }
        }
        Err(RequestError::BodyTooLarge(limit_bytes))
    }
}

impl Head {
    fn of(head: &[u8]) -> Result<Self, RequestError> {
        let mut buffer = header_buffer::<MAX_HEADERS>();
        let head = response(head, &mut buffer)?.ok_or(RequestError::Malformed("there is no status line"))?;
        let text = |value| String::from_utf8_lossy(value).into_owned();
        let headers = head.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
        let response = Response { status: head.status, headers, body: vec![], took: Duration::ZERO };
        Ok(Self { response, body: head.body, closes: head.closes })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::AtomicBool;

    use super::super::{Base, Request, send};
    use super::*;

    /// Returns what is read where a server writes this repeatedly for as long as it can, and then closes or not.
    fn read(first: &[u8], again: &[u8], closes: bool) -> Result<Vec<u8>, RequestError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Base::from(listener.local_addr().unwrap());
        let (first, again) = (first.to_vec(), again.to_vec());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // A connection that is closed before its request is read is reset.
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            stream.write_all(&first).unwrap();
            while !again.is_empty() && stream.write_all(&again).is_ok() {}
            (!closes).then_some(stream)
        });
        let request = Request::get("/me").body_limit_bytes(1 << 20).within(Duration::from_secs(30));
        let response = send(&base, &request, &AtomicBool::new(false));
        drop(server.join().unwrap());
        response.map(|response| response.body)
    }

    fn kept_open(response: &str) -> Result<Vec<u8>, RequestError> {
        read(response.as_bytes(), b"", false)
    }

    #[test]
    fn response_ends_where_its_head_says_on_an_open_connection() {
        for (response, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", "no"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\na: b\r\n\r\n",
                "abcde",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                "ok",
            ),
        ] {
            assert_eq!(kept_open(response), Ok(body.into()), "{response}");
        }
    }

    #[test]
    fn truncated_response_is_an_error_and_one_without_length_ends_at_close() {
        let closed = |response: &str| read(response.as_bytes(), b"", true);
        assert_eq!(closed("HTTP/1.1 200 OK\r\n\r\nok"), Ok(b"ok".to_vec()));
        for response in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            assert_eq!(closed(response), Err(RequestError::Closed), "{response}");
        }
    }

    #[test]
    fn endless_response_exceeds_the_size_limit() {
        let ok = b"HTTP/1.1 200 OK\r\n";
        let fill = [b'x'; 4096];
        assert_eq!(read(ok, &fill, false), Err(RequestError::HeadTooLarge(HEAD_LIMIT_BYTES)));
        let line = [b"x: ", &fill[..], b"\r\n"].concat();
        assert_eq!(read(ok, &line, false), Err(RequestError::HeadTooLarge(HEAD_LIMIT_BYTES)));
        let too_large = Err(RequestError::BodyTooLarge(1 << 20));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n", &fill, false), too_large);
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", &fill, false), too_large);
        let chunk = [b"1000\r\n", &fill[..], b"\r\n"].concat();
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(chunked, &chunk, false), too_large);
        assert_eq!(read(&[&chunked[..], b"fffffff\r\n"].concat(), &fill, false), too_large);
        let trailers = [&chunked[..], b"0\r\n"].concat();
        assert_eq!(read(&trailers, b"a: b\r\n", false), Err(RequestError::HeadTooLarge(HEAD_LIMIT_BYTES)));
    }

    #[test]
    fn non_http_response_is_reported_as_such() {
        for response in [
            "SSH-2.0-OpenSSH\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ] {
            assert!(
                matches!(kept_open(response), Err(RequestError::Malformed(_) | RequestError::Head(_))),
                "{response}"
            );
        }
    }
}
