//! Splits a stream into HTTP/1.1 messages (RFC 9112 section 6): separates head and body and keeps their
//! bytes unchanged.

use contract::http1::{Framing, HeadError, header_buffer, request, response};

/// Messages have fewer headers than this.
const MAX_HEADERS: usize = 128;
/// What every response begins with.
const RESPONSE: &[u8] = b"HTTP/";

/// One request or response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The first line and the headers, the blank line included.
    pub head: Vec<u8>,
    /// The body; empty without one.
    pub body: Vec<u8>,
}

impl Message {
    /// All of it, in bytes.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

/// A stream cannot be cut into messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The last message is not complete.
    #[error("the stream ends after {bytes} bytes of an incomplete HTTP message")]
    Truncated {
        /// Bytes of the incomplete message.
        bytes: usize,
    },
    /// The head is not one of HTTP/1, or its `Content-Length` is not one number.
    #[error("an HTTP head is malformed ({why}): {head:?}")]
    Malformed {
        /// What is wrong with it.
        why: HeadError,
        /// The head, as far as it is text.
        head: String,
    },
    /// The end of the body is not given by a `Content-Length`.
    #[error("an HTTP message has a body without Content-Length, which is not supported here: {head:?}")]
    Unsized {
        /// The head.
        head: String,
    },
}

/// Cuts a stream into its messages.
pub fn split(stream: &[u8]) -> Result<Vec<Message>, MessageError> {
    let mut messages = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (head, body) = measure(rest)?.ok_or(MessageError::Truncated { bytes: rest.len() })?;
        let (head, after) = rest.split_at(head);
        let (body, after) = after.split_at(body);
        messages.push(Message { head: head.to_vec(), body: body.to_vec() });
        rest = after;
    }
    Ok(messages)
}

/// Bytes of head and body of the first message; none if the stream does not hold all of it.
fn measure(stream: &[u8]) -> Result<Option<(usize, usize)>, MessageError> {
    let framed = framing(stream).map_err(|why| MessageError::Malformed { why, head: first_head(stream) })?;
    match framed {
        None => Ok(None),
        Some((head, Framing::Length(body))) => {
            let whole = head.checked_add(body).is_some_and(|end| stream.len() >= end);
            Ok(whole.then_some((head, body)))
        }
        Some(_) => Err(MessageError::Unsized { head: first_head(stream) }),
    }
}

/// Bytes of the first head, and the body that follows it; none if the head is incomplete.
fn framing(stream: &[u8]) -> Result<Option<(usize, Framing)>, HeadError> {
    let mut space = header_buffer::<MAX_HEADERS>();
    // A method cannot contain a slash, so that no request begins with this.
    let is_response = RESPONSE.starts_with(&stream[..stream.len().min(RESPONSE.len())]);
    if is_response {
        Ok(response(stream, &mut space)?.map(|head| (head.length, head.body)))
    } else {
        Ok(request(stream, &mut space)?.map(|head| (head.length, head.body)))
    }
}

/// The first head of a stream, or all of it, as text.
fn first_head(stream: &[u8]) -> String {
    let end = stream.windows(4).position(|window| window == b"\r\n\r\n").map_or(stream.len(), |end| end + 4);
    String::from_utf8_lossy(&stream[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    #[test]
    fn stream_is_split_by_content_length() {
        let messages = split(&[OK, NO_CONTENT, OK].concat()).unwrap();
        assert_eq!(messages.iter().map(|message| message.body.len()).collect::<Vec<_>>(), [5, 0, 5]);
        assert_eq!(messages[0].head.len() + 5, OK.len());
        assert_eq!(messages[1].size_bytes(), NO_CONTENT.len());
        assert_eq!(split(GET).unwrap()[0].head, GET);
    }

    #[test]
    fn incomplete_message_has_no_size() {
        for cut in 0..OK.len() {
            assert_eq!(measure(&OK[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(measure(OK), Ok(Some((OK.len() - 5, 5))));
        assert_eq!(split(&OK[..OK.len() - 1]), Err(MessageError::Truncated { bytes: OK.len() - 1 }));
    }

    #[test]
    fn message_without_a_length_is_rejected() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(split(chunked), Err(MessageError::Unsized { .. })));
        let twice = b"POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\nhello";
        assert!(matches!(split(twice), Err(MessageError::Malformed { .. })));
        let negative = b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\nhello";
        assert!(matches!(split(negative), Err(MessageError::Malformed { .. })));
    }
}
