//! Defence against cross-site request forgery: a browser adds a cookie to requests from other sites, too.
//!
//! The browser's own statement about the origin of a request decides, and no script of another site can set it:
//! `Sec-Fetch-Site` (Fetch Metadata), and `Origin` against `Host` (RFC 6454), as OWASP's cheat sheet has them. A
//! token in a custom header would also work; `Authorization` is one, so `bearer` is exempt.

use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, HeaderName};

use crate::host::{self, Authority, single_value};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origin of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This very site.
    SameOrigin,
    /// Another one.
    CrossOrigin,
    /// The request does not state it; browsers do.
    Unknown,
}

/// Returns the origin of this request. If both headers state it, both must be same-origin.
pub(crate) fn source(headers: &HeaderMap) -> Source {
    let stated = [fetch_site(headers), origin(headers)];
    if stated.contains(&Source::CrossOrigin) {
        Source::CrossOrigin
    } else if stated.contains(&Source::SameOrigin) {
        Source::SameOrigin
    } else {
        Source::Unknown
    }
}

/// `none` is a request that the user has typed or opened.
fn fetch_site(headers: &HeaderMap) -> Source {
    match single_value(headers, &SEC_FETCH_SITE) {
        None => Source::Unknown,
        Some(b"same-origin" | b"none") => Source::SameOrigin,
        Some(_) => Source::CrossOrigin,
    }
}

/// `Origin` against `Host`, each with the default port of the origin's scheme (RFC 6454 section 4). The scheme itself
/// is not compared, because TLS may end in front of this server.
fn origin(headers: &HeaderMap) -> Source {
    let Some(origin) = single_value(headers, &ORIGIN) else { return Source::Unknown };
    let own = scheme(origin).zip(host::authority(headers)).is_some_and(|((authority, default_port), host)| {
        Authority::parse(authority).is_some_and(|authority| authority.is_same(host, default_port))
    });
    if own { Source::SameOrigin } else { Source::CrossOrigin }
}

/// What follows the scheme of an origin, and that scheme's default port. An origin has no empty port.
fn scheme(origin: &[u8]) -> Option<(&[u8], u16)> {
    let http = origin.strip_prefix(b"http://").map(|authority| (authority, 80));
    let found = http.or_else(|| origin.strip_prefix(b"https://").map(|authority| (authority, 443)));
    found.filter(|(authority, _)| !authority.ends_with(b":"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(lines: &[(&'static str, &'static str)]) -> Source {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        source(&headers)
    }

    #[test]
    fn only_the_servers_host_is_same_origin() {
        const HOST: (&str, &str) = ("host", "api.example.test:8080");
        for own in [
            &[HOST, ("origin", "https://api.example.test:8080")][..],
            &[HOST, ("origin", "http://API.example.test:8080")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[HOST, ("sec-fetch-site", "same-origin"), ("origin", "https://api.example.test:8080")],
        ] {
            assert_eq!(of(own), Source::SameOrigin, "{own:?}");
        }
        for foreign in [
            &[HOST, ("origin", "https://evil.test")][..],
            &[HOST, ("origin", "https://api.example.test:8080.evil.test")],
            &[HOST, ("origin", "https://api.example.test")],
            &[HOST, ("origin", "null")],
            &[("origin", "https://")],
            &[HOST, ("origin", "https://api.example.test:8080"), ("origin", "https://api.example.test:8080")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[HOST, ("sec-fetch-site", "same-origin"), ("origin", "https://evil.test")],
            &[HOST, ("sec-fetch-site", "cross-site"), ("origin", "https://api.example.test:8080")],
        ] {
            assert_eq!(of(foreign), Source::CrossOrigin, "{foreign:?}");
        }
        assert_eq!(of(&[HOST]), Source::Unknown);
    }

    #[test]
    fn missing_port_means_the_default_port() {
        for (host, origin) in [
            ("h:443", "https://h"),
            ("h", "https://h:443"),
            ("h", "http://h:80"),
            ("h:80", "http://h"),
            ("h:", "http://h"),
            ("H:443", "https://h:443"),
            ("[::1]:443", "https://[::1]"),
        ] {
            assert_eq!(of(&[("host", host), ("origin", origin)]), Source::SameOrigin, "{host} {origin}");
        }
        for (host, origin) in [
            ("h:8443", "https://h"),
            ("h", "https://h:8443"),
            ("h:80", "https://h"),
            ("h:443", "http://h"),
            ("h", "https://h:44x"),
            ("h", "https://h:"),
            ("h", "https://h:443:443"),
            ("h", "https://h:65979"),
            ("h", "https://h/"),
            ("h", "https://u@h"),
            ("h", "https://"),
            ("h", "ftp://h"),
            ("h", "h"),
            ("[::1]:443", "https://[::1"),
            ("[::1]:443", "https://::1"),
            ("[::1", "https://[::1"),
            ("h:x", "https://h:x"),
            ("", "https://"),
        ] {
            assert_eq!(of(&[("host", host), ("origin", origin)]), Source::CrossOrigin, "{host} {origin}");
        }
        assert_eq!(of(&[("host", "h"), ("host", "h"), ("origin", "https://h")]), Source::CrossOrigin);
    }
}
