//! The response of a server.

use std::time::Duration;

use serde_json::Value;

use super::truncate;

/// The response of a server.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// In the order of the wire.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// From the first byte sent to the last received.
    pub(crate) took: Duration,
}

impl Response {
    /// Returns the value of the first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns the values of all headers of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON, or null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns the response as text, with at most this much of the body.
    pub(crate) fn describe(&self, max_bytes: usize) -> String {
        let headers =
            self.headers.iter().map(|(name, value)| format!("{name}: {}", truncate(value.as_bytes(), max_bytes)));
        let lines: Vec<_> = std::iter::once(self.status.to_string()).chain(headers).collect();
        format!("{}\n\n{}", lines.join("\n"), truncate(&self.body, max_bytes))
    }
}
