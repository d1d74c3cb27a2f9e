//! Where a server is.

use std::fmt;
use std::str::FromStr;

use url::{Position, Url};

/// The base URL of a server, such as `http://127.0.0.1:8080` or `http://gateway.test/auth/api`.
///
/// Every route is appended to its path, whether or not that ends with a slash. To resolve the route as a reference would
/// replace the path instead (RFC 3986 section 5.2.2): `/me` seen from `http://gateway.test/auth/api` is
/// `http://gateway.test/me`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    /// Without a slash at the end.
    text: String,
}

/// A text is not the base URL of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It has no scheme.
    #[error("{0:?} has no scheme; give http://{0}")]
    NoScheme(String),
    /// It is `https`.
    #[error("{0}: TLS is not supported; give the plain http address, such as that of the server behind the TLS proxy")]
    Tls(String),
    /// It has another scheme than `http`.
    #[error("{0}: only http is supported; give http://HOST:PORT")]
    Scheme(String),
    /// It is malformed.
    #[error("{text:?} is not a URL ({why}); give http://HOST:PORT")]
    Malformed {
        /// What was given.
        text: String,
        /// Why.
        why: url::ParseError,
    },
    /// It has a user name or a password, which would be sent in addition to the measured credentials.
    #[error("{0}: a user name and a password in the URL are not supported; give http://HOST:PORT")]
    UserInfo(String),
    /// It has a query or a fragment.
    #[error("{0}: routes such as /me are appended to the base URL; give it without a query (?) and a fragment (#)")]
    NotABase(String),
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let shown = || without_user_info(text);
        let (scheme, _) = text.split_once("://").ok_or_else(|| BaseUrlError::NoScheme(shown()))?;
        if scheme.eq_ignore_ascii_case("https") {
            return Err(BaseUrlError::Tls(shown()));
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(BaseUrlError::Scheme(shown()));
        }
        let url = Url::parse(text).map_err(|why| BaseUrlError::Malformed { text: shown(), why })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo(shown()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::NotABase(shown()));
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }
}

/// An error may end up in a log: it shows no password.
fn without_user_info(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user_info, _)) if scheme.is_empty() => format!("***{}", &rest[user_info.len()..]),
        Some((user_info, _)) => format!("{scheme}://***{}", &rest[user_info.len()..]),
        None => text.to_owned(),
    }
}

impl BaseUrl {
    /// Returns the URL as text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the address of a route, which may have a query.
    #[must_use]
    pub fn at(&self, route: &str) -> Url {
        let (path, query) = route.split_once('?').map_or((route, None), |(path, query)| (path, Some(query)));
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.path()));
        url.set_query(query);
        url
    }

    /// Returns the path in front of every route: empty, or with a slash at its beginning and none at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// Returns the value of `Host`: the host, and the port unless it is 80.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// Returns host and port, to connect to.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        let host = self.url.host_str().expect("a URL with the scheme http has a host");
        format!("{host}:{}", self.url.port().unwrap_or(80))
    }

    /// Returns the origin (RFC 6454), as a browser states it in `Origin`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.authority())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn routes_are_appended_to_the_path() {
        for (text, me) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/me"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/me"),
            ("http://h/auth/api", "http://h/auth/api/me"),
            ("http://h/auth/api/", "http://h/auth/api/me"),
            ("HTTP://H:80/auth", "http://h/auth/me"),
            ("http://[::1]:8080/a", "http://[::1]:8080/a/me"),
        ] {
            assert_eq!(base(text).at("/me").as_str(), me, "{text}");
            assert_eq!(format!("{}/me", base(text)), me, "{text}");
        }
        assert_eq!(base("http://h/a/").at("/chain?hops=2").as_str(), "http://h/a/chain?hops=2");
    }

    #[test]
    fn the_parts_are_those_of_a_request() {
        let base = base("http://gateway.test:8080/auth/api/");
        assert_eq!((base.path(), base.authority()), ("/auth/api", "gateway.test:8080"));
        assert_eq!(
            (base.host_and_port().as_str(), base.origin().as_str()),
            ("gateway.test:8080", "http://gateway.test:8080")
        );
        let plain: BaseUrl = "http://h".parse().unwrap();
        assert_eq!((plain.path(), plain.authority(), plain.host_and_port().as_str()), ("", "h", "h:80"));
    }

    #[test]
    fn invalid_base_url_is_rejected_with_its_reason() {
        for (text, reason) in [
            ("127.0.0.1:8080", "give http://127.0.0.1:8080"),
            ("localhost:8080/auth", "give http://localhost:8080/auth"),
            ("https://h.test", "TLS is not supported"),
            ("ftp://h.test", "only http is supported"),
            ("http://", "is not a URL"),
            ("http://h:99999", "is not a URL"),
            ("http://h/auth?x=1", "without a query"),
            ("http://h/auth#top", "without a query"),
            ("http://h/?", "without a query"),
        ] {
            let error = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_rejected_and_not_shown() {
        for text in [
            "http://me:secret@h",
            "http://secret@h/auth",
            "https://me:secret@h",
            "me:secret@h:80",
            "http://me:secret@h:x",
        ] {
            let error = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(!error.contains("secret") && error.contains("***@h"), "{text}: {error}");
        }
    }
}
