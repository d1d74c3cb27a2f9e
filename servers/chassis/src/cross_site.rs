//! Defence against cross-site request forgery: a browser sends a cookie along with what other sites ask for.
//!
//! What the browser itself says of where a request comes from decides, and no script of another site can set it:
//! `Sec-Fetch-Site` (Fetch Metadata), and `Origin` against `Host` (RFC 6454), as OWASP's cheat sheet has them. A
//! token in a header of the caller's own would do as well; `Authorization` is one, so `bearer` is exempt.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a request says that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This very site.
    Own,
    /// Another one.
    Foreign,
    /// It does not say; browsers do.
    Unsaid,
}

/// Where this request comes from. If it says so twice, both have to be our own.
pub(crate) fn source(headers: &HeaderMap) -> Source {
    let said = [fetch_site(headers), origin(headers)];
    if said.contains(&Source::Foreign) {
        Source::Foreign
    } else if said.contains(&Source::Own) {
        Source::Own
    } else {
        Source::Unsaid
    }
}

/// `none` is what the user himself has typed or opened.
fn fetch_site(headers: &HeaderMap) -> Source {
    match single(headers, &SEC_FETCH_SITE) {
        None => Source::Unsaid,
        Some(b"same-origin" | b"none") => Source::Own,
        Some(_) => Source::Foreign,
    }
}

/// The scheme is left out of the comparison, because whoever ends TLS in front of this server has changed it.
fn origin(headers: &HeaderMap) -> Source {
    let Some(origin) = single(headers, &ORIGIN) else { return Source::Unsaid };
    let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    let own = single(headers, &HOST).filter(|host| !host.is_empty());
    match (authority, own) {
        (Some(authority), Some(own)) if authority.eq_ignore_ascii_case(own) => Source::Own,
        _ => Source::Foreign,
    }
}

/// The value of the one header of this name; of several, one that nothing equals.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.as_bytes();
    Some(if lines.next().is_some() { b"" } else { first })
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
    fn only_the_own_host_is_the_own_site() {
        const HOST: (&str, &str) = ("host", "api.example.test:8080");
        for own in [
            &[HOST, ("origin", "https://api.example.test:8080")][..],
            &[HOST, ("origin", "http://API.example.test:8080")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[HOST, ("sec-fetch-site", "same-origin"), ("origin", "https://api.example.test:8080")],
        ] {
            assert_eq!(of(own), Source::Own, "{own:?}");
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
            assert_eq!(of(foreign), Source::Foreign, "{foreign:?}");
        }
        assert_eq!(of(&[HOST]), Source::Unsaid);
    }
}
