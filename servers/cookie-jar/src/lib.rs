//! The cookies that a client stores and sends back (RFC 6265 sections 5.3 and 5.4). No I/O.
//!
//! Every client of authbench stores its cookies here: the load generator, the command line and the conformance suite. A login
//! may set several, among them those of a balancer, and a client cannot know which of them the server needs: it sends all
//! that match, as a browser does. The storage model is that of the crate `cookie_store`; this crate adds the order of
//! RFC 6265 section 5.4 and the handling of `Secure`.

use cookie_store::CookieStore;
use url::Url;

/// The cookies of one client.
#[derive(Clone, Debug, Default)]
pub struct CookieJar(CookieStore);

impl CookieJar {
    /// Stores the `Set-Cookie` headers of a response to a request for `url`, in their order.
    ///
    /// A cookie replaces the one of the same name, domain and path; one that has expired deletes it. A header that is
    /// malformed, or whose `Domain` does not match the host, is ignored.
    pub fn store<'a>(&mut self, url: &Url, set_cookie: impl IntoIterator<Item = &'a str>) {
        let url = secure(url);
        for header in set_cookie {
            // A client ignores a cookie that it does not accept (RFC 6265 section 5.3).
            let _ = self.0.parse(header, &url);
        }
    }

    /// Returns names and values of the cookies of a request for `url`: those with longer paths first, then those
    /// that were set first.
    #[must_use]
    pub fn cookies(&self, url: &Url) -> Vec<(&str, &str)> {
        let mut cookies = self.0.matches(&secure(url));
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        cookies.into_iter().map(|cookie| cookie.name_value()).collect()
    }

    /// Returns names and values of all cookies, wherever they are sent.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter_unexpired().map(|cookie| cookie.name_value())
    }

    /// Returns the value of the `Cookie` header of a request for `url`; none if no cookie matches.
    #[must_use]
    pub fn header(&self, url: &Url) -> Option<String> {
        let pairs: Vec<_> = self.cookies(url).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// Returns the address as a browser sees it. Targets are loaded over plain http, often behind what terminates TLS for their
/// users: their `Secure` cookies have to be sent back all the same.
fn secure(url: &Url) -> Url {
    let mut url = url.clone();
    // It fails only for schemes without a host, which have no cookies.
    let _ = url.set_scheme("https");
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// The `Cookie` header of a request for the second address, after responses to requests for the first.
    fn sent(from: &str, set_cookie: &[&str], to: &str) -> Option<String> {
        let mut jar = CookieJar::default();
        jar.store(&url(from), set_cookie.iter().copied());
        jar.header(&url(to))
    }

    const LOGIN: &str = "http://h.test:8080/auth/login";
    const ME: &str = "http://h.test:8080/auth/me";

    #[test]
    fn cookies_are_sent_back_where_they_match() {
        for (set_cookie, expected) in [
            (&[][..], None),
            (&["a=1"], Some("a=1")),
            (
                &["AWSALB=x; Path=/", "__Host-authbench=y; Path=/; Secure; HttpOnly; SameSite=Lax"],
                Some("AWSALB=x; __Host-authbench=y"),
            ),
            // Replacement and deletion, by name, domain and path.
            (&["a=1", "b=2", "a=3"], Some("a=3; b=2")),
            (&["a=1; Path=/", "a=2; Path=/auth"], Some("a=2; a=1")),
            (&["a=1; Path=/", "a=2; Path=/auth", "a=; Path=/; Max-Age=0"], Some("a=2")),
            (&["a=1", "a=; Max-Age=0"], None),
            (&["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
            (&["a=1", "a=; Expires=Thu, 01-Jan-1970 00:00:00 GMT"], None),
            (&["a=1; Max-Age=-5"], None),
            (&["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"], Some("a=1")),
            // Path match and the default path.
            (&["a=1; Path=/auth"], Some("a=1")),
            (&["a=1; Path=/auth/"], Some("a=1")),
            (&["a=1; Path=/aut"], None),
            (&["a=1; Path=/auth/login"], None),
            (&["a=1; Path=relative"], Some("a=1")),
            // Domain match.
            (&["a=1; Domain=h.test"], Some("a=1")),
            (&["a=1; Domain=.H.test"], Some("a=1")),
            (&["a=1; Domain=test"], Some("a=1")),
            (&["a=1; Domain=other.test"], None),
            (&["a=1; Domain=sub.h.test"], None),
            // Syntax.
            (&["a=\"quoted value\"; Path=/"], Some("a=\"quoted value\"")),
            (&["a=b=c=="], Some("a=b=c==")),
            (&["  a = 1 ;path=/;SECURE"], Some("a=1")),
            (&["a=1; Unknown=x; HttpOnly"], Some("a=1")),
            (&["a="], Some("a=")),
            (&["=1", "nonsense", ""], None),
        ] {
            assert_eq!(sent(LOGIN, set_cookie, ME).as_deref(), expected, "{set_cookie:?}");
        }
    }

    #[test]
    fn secure_cookies_are_sent_over_plain_http() {
        for host in ["h.test", "127.0.0.1:8080", "localhost", "[::1]:8080", "192.0.2.7"] {
            let header = sent(&format!("http://{host}/login"), &["id=1; Secure; Path=/"], &format!("http://{host}/me"));
            assert_eq!(header.as_deref(), Some("id=1"), "{host}");
        }
    }

    #[test]
    fn a_cookie_without_a_domain_stays_with_its_host() {
        assert_eq!(sent("http://h.test/login", &["a=1"], "http://sub.h.test/me"), None);
        assert_eq!(
            sent("http://h.test/login", &["a=1; Domain=h.test"], "http://sub.h.test/me"),
            Some("a=1".to_owned())
        );
        assert_eq!(sent("http://h.test/login", &["a=1"], "http://h.test:81/me"), Some("a=1".to_owned()), "any port");
    }

    #[test]
    fn a_later_response_replaces_and_deletes() {
        let mut jar = CookieJar::default();
        jar.store(&url(LOGIN), ["AWSALB=1; Path=/", "id=1; Path=/", "refresh=1; Path=/auth/refresh"]);
        assert_eq!(jar.header(&url("http://h.test:8080/auth/refresh")).unwrap(), "refresh=1; AWSALB=1; id=1");
        jar.store(&url("http://h.test:8080/auth/refresh"), ["AWSALB=2; Path=/", "id=2; Path=/"]);
        assert_eq!(jar.header(&url(ME)).unwrap(), "AWSALB=2; id=2");
        jar.store(&url("http://h.test:8080/auth/logout"), ["id=; Path=/; Max-Age=0"]);
        assert_eq!(jar.cookies(&url(ME)), [("AWSALB", "2")]);
    }
}
