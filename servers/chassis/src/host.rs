//! The host and port that a request names, in `Host` and in `Origin`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, Uri, Version};

/// A host and an optional port: `uri-host [ ":" port ]` of RFC 9110 section 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    host: &'a [u8],
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses a host with or without a port; none if it is malformed. An empty port is none (RFC 3986 section 6.2.3).
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let end = match text.first()? {
            b'[' => text.iter().position(|byte| *byte == b']')? + 1,
            _ => text.iter().position(|byte| !ALLOWED_IN_NAMES[usize::from(*byte)]).unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at(end);
        let port = match rest {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(port(digits)?),
            _ => return None,
        };
        let valid = !host.is_empty() && (host[0] != b'[' || address(host).is_some());
        valid.then_some(Self { host, port })
    }

    /// Whether both name one server, where a missing port is `default_port` (RFC 9110 section 4.2.3).
    pub(crate) fn is_same(self, other: Self, default_port: u16) -> bool {
        let port = |authority: Self| authority.port.unwrap_or(default_port);
        self.host.eq_ignore_ascii_case(other.host) && port(self) == port(other)
    }

    /// Whether the host is this machine by name or number: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub(crate) fn is_loopback(self) -> bool {
        self.host.eq_ignore_ascii_case(b"localhost") || address(self.host).is_some_and(|own| own.is_loopback())
    }
}

/// The authority in `Host`; none if the field is missing, repeated or malformed.
pub(crate) fn authority(headers: &HeaderMap) -> Option<Authority<'_>> {
    Authority::parse(single_value(headers, &HOST)?)
}

/// The `Host` of a connection's first request: what the others repeat need not be parsed again.
#[derive(Default)]
pub(crate) struct HostCheck(OnceLock<Box<[u8]>>);

impl HostCheck {
    /// Whether `Host` is as RFC 9112 section 3.2 demands: one well-formed field, which HTTP/1.0 may omit, and which a
    /// target in absolute form repeats.
    pub(crate) fn is_valid(&self, version: Version, target: &Uri, headers: &HeaderMap) -> bool {
        let repeated =
            |host: &[u8]| target.authority().is_none_or(|named| names_same_host(host, named.as_str().as_bytes()));
        match single_value(headers, &HOST) {
            Some(host) => {
                repeated(host) && (self.0.get().is_some_and(|known| **known == *host) || self.parse_and_cache(host))
            }
            None => version < Version::HTTP_11,
        }
    }

    fn parse_and_cache(&self, host: &[u8]) -> bool {
        let valid = Authority::parse(host).is_some();
        if valid {
            self.0.get_or_init(|| host.into());
        }
        valid
    }
}

/// Whether a target in absolute form names the host that `Host` names; there only `http` is served.
fn names_same_host(host: &[u8], named: &[u8]) -> bool {
    Authority::parse(host).zip(Authority::parse(named)).is_some_and(|(host, named)| host.is_same(named, 80))
}

/// The value of the only field with this name; of several, an empty one, which equals no value.
pub(crate) fn single_value<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.as_bytes();
    Some(if lines.next().is_some() { b"" } else { first })
}

fn port(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |port, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { port.checked_mul(10)?.checked_add(digit.into()) }
    })
}

/// The bytes of a name or an IPv4 address (RFC 3986 section 3.2.2).
const ALLOWED_IN_NAMES: [bool; 256] = {
    let (mut table, mut byte, marks) = ([false; 256], 0, b"-._~%!$&'()*+,;=");
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut mark = 0;
    while mark < marks.len() {
        table[marks[mark] as usize] = true;
        mark += 1;
    }
    table
};

fn address(host: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(host).ok()?;
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|own| own.to_canonical()),
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_parsed_or_rejected() {
        let parsed = |text: &'static str| Authority::parse(text.as_bytes()).map(|own| (own.host, own.port));
        assert_eq!(parsed("h"), Some((&b"h"[..], None)));
        assert_eq!(parsed("h:"), Some((&b"h"[..], None)));
        assert_eq!(parsed("h_1.example:443"), Some((&b"h_1.example"[..], Some(443))));
        assert_eq!(parsed("[::1]:8080"), Some((&b"[::1]"[..], Some(8080))));
        for malformed in
            ["", ":", ":80", "h:x", "h:-1", "h:+1", "h:65536", "h:80:80", "h/", "u@h", "h h", "[::1", "[::1]x", "[]"]
        {
            assert_eq!(parsed(malformed), None, "{malformed:?}");
        }
        assert_eq!(Authority::parse(b"h\xff"), None);
    }

    #[test]
    fn loopback_is_localhost_and_the_loopback_addresses() {
        let local = |text: &str| Authority::parse(text.as_bytes()).unwrap().is_loopback();
        for own in ["localhost", "LocalHost:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080", "[::ffff:127.0.0.1]"] {
            assert!(local(own), "{own}");
        }
        for other in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[::]", "10.0.0.1"]
        {
            assert!(!local(other), "{other}");
        }
    }
}
