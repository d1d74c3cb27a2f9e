//! Where one HTTP/1.1 message ends and the next begins (RFC 9112 section 6): head and body told apart, their
//! bytes untouched.

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

/// How far the first message of a stream reaches, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first line and the headers, the blank line included.
    pub head: usize,
    /// The body.
    pub body: usize,
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
    /// The head is not text, or its `Content-Length` is not one number.
    #[error("an HTTP head is malformed: {head:?}")]
    Malformed {
        /// The head, as far as it is text.
        head: String,
    },
    /// The end of the body is not given by a `Content-Length`.
    #[error("an HTTP message has a body without Content-Length, which this splitter does not read: {head:?}")]
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
        let extent = measure(rest)?.ok_or(MessageError::Truncated { bytes: rest.len() })?;
        let (head, after) = rest.split_at(extent.head);
        let (body, after) = after.split_at(extent.body);
        messages.push(Message { head: head.to_vec(), body: body.to_vec() });
        rest = after;
    }
    Ok(messages)
}

/// How far the first message reaches; none if the stream does not hold all of it yet.
pub fn measure(stream: &[u8]) -> Result<Option<Extent>, MessageError> {
    let Some(end) = stream.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = &stream[..end + 4];
    let extent = Extent { head: head.len(), body: body_length(head)? };
    Ok((stream.len() >= extent.head + extent.body).then_some(extent))
}

fn body_length(head: &[u8]) -> Result<usize, MessageError> {
    let text = || String::from_utf8_lossy(head).into_owned();
    let lines = std::str::from_utf8(head).map_err(|_| MessageError::Malformed { head: text() })?;
    let mut lengths = values(lines, "content-length");
    match (lengths.next(), lengths.next()) {
        (None, _) if is_bodyless(lines) => Ok(0),
        (None, _) => Err(MessageError::Unsized { head: text() }),
        (Some(length), None) => length.parse().map_err(|_| MessageError::Malformed { head: text() }),
        (Some(_), Some(_)) => Err(MessageError::Malformed { head: text() }),
    }
}

/// A message without `Content-Length` that has no body nevertheless: a request that is not chunked, and the
/// responses that never have one.
fn is_bodyless(head: &str) -> bool {
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match status {
        Some(status) => status.starts_with('1') || matches!(status, "204" | "304"),
        None => values(head, "transfer-encoding").next().is_none(),
    }
}

fn values<'a>(head: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers.filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const GONE: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    #[test]
    fn messages_are_cut_where_their_length_says() {
        let messages = split(&[OK, GONE, OK].concat()).unwrap();
        assert_eq!(messages.iter().map(|message| message.body.len()).collect::<Vec<_>>(), [5, 0, 5]);
        assert_eq!(messages[0].head.len() + 5, OK.len());
        assert_eq!(messages[1].size_bytes(), GONE.len());
        assert_eq!(split(GET).unwrap()[0].head, GET);
    }

    #[test]
    fn a_message_is_measured_only_when_it_is_whole() {
        for cut in 0..OK.len() {
            assert_eq!(measure(&OK[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(measure(OK), Ok(Some(Extent { head: OK.len() - 5, body: 5 })));
        assert_eq!(split(&OK[..OK.len() - 1]), Err(MessageError::Truncated { bytes: OK.len() - 1 }));
    }

    #[test]
    fn what_has_no_clear_end_is_refused() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(split(chunked), Err(MessageError::Unsized { .. })));
        let twice = b"POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\nhello";
        assert!(matches!(split(twice), Err(MessageError::Malformed { .. })));
        let negative = b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\nhello";
        assert!(matches!(split(negative), Err(MessageError::Malformed { .. })));
    }
}
