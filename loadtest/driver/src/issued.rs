//! What a login issued to the user of a journey, in the form in which later requests send it.

use contract::Carrier;
use contract::body::LoginResponse;
use cookie_jar::CookieJar;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use crate::credential::Credential;
use crate::exchange::{Addresses, ReceivedResponse};

/// The tokens and cookies of one user.
#[derive(Debug)]
pub(crate) struct Issued {
    carrier: Carrier,
    cookies: CookieJar,
    tokens: Tokens,
    read: Credential,
}

/// What the body of a login or a refresh issued.
#[derive(Debug, Default)]
struct Tokens {
    access: Option<HeaderValue>,
    refresh: Option<String>,
}

impl Issued {
    /// Parses a login response. With the carrier `bearer` a server that issues no token may have set cookies instead.
    /// None if it issued neither.
    pub(crate) fn at_login(carrier: Carrier, addresses: &Addresses, response: &ReceivedResponse) -> Option<Self> {
        let login: LoginResponse = serde_json::from_slice(&response.body).ok()?;
        let tokens = Tokens::of(carrier, &login);
        let carrier = if tokens.access.is_some() { Carrier::Bearer } else { Carrier::Cookie };
        let read = Credential { headers: Vec::new(), username: Some(login.user.username) };
        let mut issued = Self { carrier, cookies: CookieJar::default(), tokens, read };
        issued.store_cookies(addresses, addresses.login_url(), &response.headers);
        (!issued.read.headers.is_empty()).then_some(issued)
    }

    /// Returns the result of a login of the control: no credential, and no user expected in a response.
    pub(crate) fn none() -> Self {
        let read = Credential { headers: Vec::new(), username: None };
        Self { carrier: Carrier::Bearer, cookies: CookieJar::default(), tokens: Tokens::default(), read }
    }

    /// Parses a refresh response. Returns false if it issued no credential.
    pub(crate) fn renew(&mut self, addresses: &Addresses, response: &ReceivedResponse) -> bool {
        let Ok(login) = serde_json::from_slice::<LoginResponse>(&response.body) else { return false };
        let renewed = Tokens::of(self.carrier, &login);
        if self.carrier == Carrier::Bearer && self.tokens.access.is_some() && renewed.access.is_none() {
            return false;
        }
        self.tokens.access = renewed.access;
        // A server that does not rotate its refresh tokens issues none here.
        self.tokens.refresh = renewed.refresh.or(self.tokens.refresh.take());
        self.read.headers.clear();
        self.store_cookies(addresses, addresses.refresh_url(), &response.headers);
        true
    }

    /// Stores the cookies that a read set, as load balancers do with every response.
    pub(crate) fn store_read_cookies(&mut self, addresses: &Addresses, headers: &HeaderMap) {
        if headers.contains_key(SET_COOKIE) {
            self.store_cookies(addresses, addresses.read_url(), headers);
        }
    }

    fn store_cookies(&mut self, addresses: &Addresses, from: &Url, headers: &HeaderMap) {
        let lines = headers.get_all(SET_COOKIE).iter().filter_map(|line| str::from_utf8(line.as_bytes()).ok());
        self.cookies.store(from, lines);
        self.read.headers = self.access().into_iter().chain(self.cookie(addresses.read_url())).collect();
    }

    /// Returns the headers that a read sends.
    pub(crate) const fn read(&self) -> &Credential {
        &self.read
    }

    /// Returns the token that `/refresh` expects in its body, if the server issued one.
    pub(crate) fn refresh_token(&self) -> Option<&str> {
        self.tokens.refresh.as_deref()
    }

    /// Returns whether the credential is in cookies, as in a browser.
    pub(crate) fn uses_cookie(&self) -> bool {
        self.carrier == Carrier::Cookie
    }

    /// Returns the headers with the credential for this address.
    pub(crate) fn headers(&self, url: &Url) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.access().into_iter().chain(self.cookie(url))
    }

    /// Returns the cookies that go to this address.
    pub(crate) fn cookie(&self, url: &Url) -> Option<(HeaderName, HeaderValue)> {
        // What came in a header is a header's value.
        self.cookies.header(url).and_then(|value| Some((COOKIE, HeaderValue::try_from(value).ok()?)))
    }

    fn access(&self) -> Option<(HeaderName, HeaderValue)> {
        self.tokens.access.clone().map(|value| (AUTHORIZATION, value))
    }
}

impl Tokens {
    fn of(carrier: Carrier, login: &LoginResponse) -> Self {
        let token = login.token.as_ref().filter(|_| carrier == Carrier::Bearer);
        let access = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        Self { access, refresh: login.refresh_token.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Node;
    use engine::plan::Mix;

    fn addresses(base_url: &str) -> Addresses {
        let credentials = crate::Credentials::new(vec![contract::body::MintedCredential {
            username: String::new(),
            headers: std::collections::BTreeMap::new(),
            refresh_token: None,
        }]);
        Addresses::of(&Node { base_url: base_url.to_owned(), credentials: credentials.unwrap().into() }, Mix::Reads)
            .unwrap()
    }

    fn response(set_cookie: &[&'static str], more: &str) -> ReceivedResponse {
        let mut headers = HeaderMap::new();
        for line in set_cookie {
            headers.append(SET_COOKIE, HeaderValue::from_static(line));
        }
        let user = r#"{"id":1,"username":"user-000001","email":"e","roles":[]}"#;
        ReceivedResponse { headers, body: format!(r#"{{"user":{user},"expires_in":9{more}}}"#).into() }
    }

    fn read(issued: &Issued) -> Vec<(&str, &str)> {
        issued.read().headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
    }

    #[test]
    fn bearer_token_is_sent_in_authorization_and_refresh_replaces_it() {
        let at = addresses("http://h/auth");
        let login = response(&["AWSALB=1; Path=/"], r#","token":"abc","refresh_token":"r1""#);
        let mut issued = Issued::at_login(Carrier::Bearer, &at, &login).unwrap();
        assert_eq!(read(&issued), [("authorization", "Bearer abc"), ("cookie", "AWSALB=1")]);
        assert_eq!((issued.refresh_token(), issued.uses_cookie()), (Some("r1"), false));
        assert!(issued.renew(&at, &response(&["AWSALB=2; Path=/"], r#","token":"def""#)));
        assert_eq!(read(&issued), [("authorization", "Bearer def"), ("cookie", "AWSALB=2")]);
        assert_eq!(issued.refresh_token(), Some("r1"), "it was not rotated");
        assert!(!issued.renew(&at, &response(&[], "")), "a refresh must issue a token");
    }

    #[test]
    fn cookies_are_sent_back_to_matching_paths() {
        let at = addresses("http://h/auth");
        let set = ["AWSALB=1; Path=/", "__Host-authbench=xyz; Secure; Path=/", "renewal=r; Path=/auth/refresh"];
        for carrier in [Carrier::Cookie, Carrier::Bearer] {
            let mut issued = Issued::at_login(carrier, &at, &response(&set, "")).unwrap();
            assert_eq!(read(&issued), [("cookie", "AWSALB=1; __Host-authbench=xyz")]);
            let (_, at_refresh) = issued.cookie(at.refresh_url()).unwrap();
            assert_eq!(at_refresh, "renewal=r; AWSALB=1; __Host-authbench=xyz");
            assert!(issued.uses_cookie());
            issued.store_read_cookies(&at, &response(&["AWSALB=2; Path=/"], "").headers);
            assert_eq!(read(&issued), [("cookie", "AWSALB=2; __Host-authbench=xyz")]);
        }
        assert!(Issued::at_login(Carrier::Cookie, &at, &response(&[], "")).is_none());
    }
}
