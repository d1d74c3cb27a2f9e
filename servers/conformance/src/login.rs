//! A login and the credentials that it issued.

use std::sync::atomic::AtomicBool;

use contract::{Carrier, route};
use cookie_jar::CookieJar;

use crate::wire::{self, Base, Request, Response};

/// What a response issues, in either carrier.
#[derive(Clone, Debug)]
pub(crate) struct IssuedCredential {
    pub(crate) carrier: Carrier,
    pub(crate) credential: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) cookie: String,
    pub(crate) refresh_cookie: String,
}

impl IssuedCredential {
    /// Returns what this server's response to a login or a refresh issues, where the credential's cookie has this name;
    /// none if it is nothing.
    pub(crate) fn from_response(base: &Base, response: &Response, cookie: &str) -> Option<Self> {
        Self::from_body(response).or_else(|| {
            let cookies = Cookies::of(base, response);
            let value = cookies.credentials.iter().find(|(name, _)| name == cookie)?.1.clone();
            Some(cookies.issued_credential(cookie.to_owned(), value))
        })
    }

    /// Returns what the first login at this server issues. Of several cookies, as behind a balancer that sets one of its own,
    /// the credential is the one of the reference servers' name, or the one without which the server rejects a read.
    pub(crate) fn from_first_login(base: &Base, response: &Response, stop: &AtomicBool) -> Option<Self> {
        Self::from_body(response).or_else(|| {
            let cookies = Cookies::of(base, response);
            let known = cookies.credentials.iter().position(|(name, _)| name == Carrier::COOKIE_NAME);
            let (name, value) = cookies
                .credentials
                .get(known.unwrap_or_else(|| find_by_trial(base, &cookies.credentials, stop)))?
                .clone();
            Some(cookies.issued_credential(name, value))
        })
    }

    fn from_body(response: &Response) -> Option<Self> {
        let body = response.json();
        let member = |name: &str| body[name].as_str().map(str::to_owned);
        Some(Self {
            carrier: Carrier::Bearer,
            credential: member("token")?,
            refresh_token: member("refresh_token"),
            cookie: String::new(),
            refresh_cookie: String::new(),
        })
    }
}

/// Returns the cookies that a response sets: names and values.
struct Cookies {
    credentials: Vec<(String, String)>,
    refresh: Option<(String, String)>,
}

impl Cookies {
    fn of(base: &Base, response: &Response) -> Self {
        let mut jar = CookieJar::default();
        let lines: Vec<String> = response.all("set-cookie").map(without_domain).collect();
        jar.store(&base.url(route::LOGIN), lines.iter().map(String::as_str));
        let cookies = jar.all().filter(|(_, value)| !value.is_empty());
        let cookies = cookies.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (refresh, credentials): (Vec<_>, Vec<_>) = cookies.partition(|(name, _)| name.contains("refresh"));
        Self { credentials, refresh: refresh.into_iter().next() }
    }

    fn issued_credential(self, cookie: String, credential: String) -> IssuedCredential {
        let (refresh_cookie, refresh_token) =
            self.refresh.map_or_else(Default::default, |(name, value)| (name, Some(value)));
        IssuedCredential { carrier: Carrier::Cookie, credential, refresh_token, cookie, refresh_cookie }
    }
}

/// Returns this `Set-Cookie` without its `Domain`: a separate check reports a wrong one, and the other checks continue.
fn without_domain(line: &str) -> String {
    let is_domain = |part: &str| part.trim_start().get(..6).is_some_and(|name| name.eq_ignore_ascii_case("domain"));
    line.split(';').filter(|part| !is_domain(part)).collect::<Vec<_>>().join(";")
}

/// Returns which of several cookies is the credential: not one that a response without a credential sets as well, as a
/// balancer does with every response. Of the others it is the one without which a read is rejected, else the one with
/// which alone it is accepted, else the first.
fn find_by_trial(base: &Base, cookies: &[(String, String)], stop: &AtomicBool) -> usize {
    if cookies.len() < 2 {
        return 0;
    }
    let response_to = |sent: &dyn Fn(usize) -> bool| {
        let pairs = cookies.iter().enumerate().filter(|(number, _)| sent(*number));
        let pairs: Vec<_> = pairs.map(|(_, (name, value))| format!("{name}={value}")).collect();
        let read = Request::get(route::ME);
        wire::send(base, &if pairs.is_empty() { read } else { read.header("cookie", pairs.join("; ")) }, stop).ok()
    };
    let accepted = |sent: &dyn Fn(usize) -> bool| response_to(sent).is_some_and(|response| response.status == 200);
    let set_without_login =
        response_to(&|_| false).map_or_else(Vec::new, |response| Cookies::of(base, &response).credentials);
    let is_set_by_login = |number: &usize| set_without_login.iter().all(|(name, _)| *name != cookies[*number].0);
    let credentials: Vec<usize> = (0..cookies.len()).filter(is_set_by_login).collect();
    let candidates = if credentials.is_empty() { (0..cookies.len()).collect() } else { credentials };
    if let [only] = candidates[..] {
        return only;
    }
    let needed = candidates.iter().find(|&&left_out| !accepted(&|number| number != left_out));
    let enough = || candidates.iter().find(|&&alone| accepted(&|number| number == alone));
    needed.or_else(enough).copied().unwrap_or(0)
}

/// A logged-in user with a credential.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The user name.
    pub(crate) username: String,
    pub(crate) credential: String,
    pub(crate) refresh_token: Option<String>,
    /// The response that issued it.
    pub(crate) response: Response,
}

impl Login {
    pub(crate) fn new(username: &str, issued: IssuedCredential, response: Response) -> Self {
        let IssuedCredential { credential, refresh_token, .. } = issued;
        Self { username: username.to_owned(), credential, refresh_token, response }
    }
}
