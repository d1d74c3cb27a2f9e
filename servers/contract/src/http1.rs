//! Heads of HTTP/1 messages (RFC 9112), parsed in place: nothing is copied or allocated.
//!
//! Every client and relay of the workspace that reads HTTP/1 from bytes parses heads here, so that all agree on where a
//! message ends. What is ambiguous is rejected.

use std::mem::MaybeUninit;

pub use httparse::Header;

/// Room for the headers of one head. A head with more headers is rejected.
pub type HeaderBuffer<'b, const N: usize> = [MaybeUninit<Header<'b>>; N];

/// Returns room for `N` headers.
#[must_use]
pub const fn header_buffer<'b, const N: usize>() -> HeaderBuffer<'b, N> {
    [const { MaybeUninit::uninit() }; N]
}

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length in bytes.
    Length(usize),
    /// By its last chunk.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// The head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'h, 'b> {
    /// The status code.
    pub status: u16,
    /// Whether the server closes the connection after this response.
    pub closes: bool,
    /// Bytes of the head, the blank line included.
    pub length: usize,
    /// The body that follows a request that is not `HEAD` or `CONNECT`.
    pub body: Framing,
    /// In the order of the wire.
    pub headers: &'h [Header<'b>],
}

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'h, 'b> {
    /// The method, such as `GET`.
    pub method: &'b str,
    /// The request target, such as `/me`.
    pub target: &'b str,
    /// Bytes of the head, the blank line included.
    pub length: usize,
    /// The body that follows.
    pub body: Framing,
    /// In the order of the wire.
    pub headers: &'h [Header<'b>],
}

/// Bytes do not begin with the head of an HTTP/1 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The syntax is wrong, or there are too many headers.
    #[error(transparent)]
    Syntax(#[from] httparse::Error),
    /// The head does not end with CR LF CR LF.
    #[error("the head does not end with CR LF CR LF")]
    LineEnd,
    /// `Content-Length` is not one number.
    #[error("Content-Length is not one number")]
    Length,
    /// A request has a transfer coding after which its end is unknown.
    #[error("the last transfer coding of a request is not chunked")]
    Coding,
}

/// Parses the head of the response with which `bytes` begin; none if the head is incomplete.
pub fn response<'h, 'b>(
    bytes: &'b [u8],
    buffer: &'h mut [MaybeUninit<Header<'b>>],
) -> Result<Option<Response<'h, 'b>>, HeadError> {
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let httparse::Status::Complete(length) = parser.parse_response_with_uninit_headers(&mut parsed, bytes, buffer)?
    else {
        return Ok(None);
    };
    let fields = Fields::of(parsed.headers, &bytes[..length])?;
    let status = parsed.code.ok_or(httparse::Error::Status)?;
    let body = match fields {
        // These never have a body, whatever their head says.
        _ if matches!(status, 100..200 | 204 | 304) => Framing::Length(0),
        Fields { chunked: Some(true), .. } => Framing::Chunked,
        Fields { chunked: None, length: Some(length), .. } => Framing::Length(length),
        _ => Framing::UntilClose,
    };
    Ok(Some(Response { status, closes: fields.closes, length, body, headers: parsed.headers }))
}

/// Parses the head of the request with which `bytes` begin; none if the head is incomplete.
pub fn request<'h, 'b>(
    bytes: &'b [u8],
    buffer: &'h mut [MaybeUninit<Header<'b>>],
) -> Result<Option<Request<'h, 'b>>, HeadError> {
    let mut parsed = httparse::Request::new(&mut []);
    let httparse::Status::Complete(length) = parsed.parse_with_uninit_headers(bytes, buffer)? else { return Ok(None) };
    let fields = Fields::of(parsed.headers, &bytes[..length])?;
    let body = match fields.chunked {
        Some(true) => Framing::Chunked,
        Some(false) => return Err(HeadError::Coding),
        None => Framing::Length(fields.length.unwrap_or(0)),
    };
    let (method, target) = parsed.method.zip(parsed.path).ok_or(httparse::Error::Token)?;
    Ok(Some(Request { method, target, length, body, headers: parsed.headers }))
}

/// The headers on which the end of a message and of its connection depends.
struct Fields {
    length: Option<usize>,
    /// Whether `chunked` is the last transfer coding; none without a transfer coding.
    chunked: Option<bool>,
    closes: bool,
}

impl Fields {
    #[inline]
    fn of(headers: &[Header<'_>], head: &[u8]) -> Result<Self, HeadError> {
        if !head.ends_with(b"\r\n\r\n") {
            return Err(HeadError::LineEnd);
        }
        let mut fields = Self { length: None, chunked: None, closes: false };
        for Header { name, value } in headers {
            if name.eq_ignore_ascii_case("content-length") {
                let length = number(value).filter(|_| fields.length.is_none());
                fields.length = Some(length.ok_or(HeadError::Length)?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                fields.chunked = tokens(value).last().map(|last| last.eq_ignore_ascii_case(b"chunked"));
            } else if name.eq_ignore_ascii_case("connection") {
                fields.closes |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"close"));
            }
        }
        Ok(fields)
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    let next = |number: usize, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| usize::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, next).filter(|_| !digits.is_empty())
}

fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, whether the connection is closed, and the body.
    type Parsed = (u16, bool, Framing);

    fn read(head: &str) -> Result<Option<Parsed>, HeadError> {
        let mut buffer = header_buffer::<4>();
        let Some(read) = response(head.as_bytes(), &mut buffer)? else { return Ok(None) };
        assert_eq!(read.length, head.len());
        Ok(Some((read.status, read.closes, read.body)))
    }

    #[test]
    fn response_ends_where_its_head_says() {
        for (rest, expected) in [
            ("200 OK\r\nContent-Length: 2\r\n\r\n", (200, false, Framing::Length(2))),
            ("431 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", (431, true, Framing::Length(0))),
            ("200 OK\r\nConnection: x, Close\r\n\r\n", (200, true, Framing::UntilClose)),
            ("200\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", (200, false, Framing::Chunked)),
            ("200 OK\r\ntransfer-encoding: gzip\r\n\r\n", (200, false, Framing::UntilClose)),
            ("100 Continue\r\n\r\n", (100, false, Framing::Length(0))),
            ("204 No Content\r\n\r\n", (204, false, Framing::Length(0))),
            ("304 X\r\nContent-Length: 9\r\n\r\n", (304, false, Framing::Length(0))),
        ] {
            assert_eq!(read(&format!("HTTP/1.1 {rest}")), Ok(Some(expected)), "{rest}");
        }
    }

    #[test]
    fn transfer_coding_overrules_content_length() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(head).unwrap().unwrap().2, Framing::Chunked);
    }

    #[test]
    fn incomplete_head_is_none() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        for cut in 0..head.len() {
            assert_eq!(read(&head[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn ambiguous_head_is_rejected() {
        for head in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: 1\r\na: 2\r\na: 3\r\na: 4\r\na: 5\r\n\r\n",
        ] {
            assert!(read(head).is_err(), "{head}");
        }
    }

    #[test]
    fn request_without_a_length_has_no_body() {
        let read = |head: &'static str| {
            let mut buffer = header_buffer::<4>();
            request(head.as_bytes(), &mut buffer).map(|head| head.map(|head| (head.method, head.target, head.body)))
        };
        let get = "GET /me HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(read(get), Ok(Some(("GET", "/me", Framing::Length(0)))));
        assert_eq!(read(&get[..get.len() - 1]), Ok(None));
        let post = "POST /login HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(read(post), Ok(Some(("POST", "/login", Framing::Length(5)))));
        let chunked = "POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(chunked), Ok(Some(("POST", "/login", Framing::Chunked))));
        assert_eq!(read("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), Err(HeadError::Coding));
        assert_eq!(read("GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n"), Err(HeadError::Length));
    }
}
