//! A login and the credentials that it issued.

use std::sync::atomic::AtomicBool;

use contract::{Carrier, route};
use cookie_jar::CookieJar;

use crate::wire::{self, Answer, Base, Request};

/// What a response issues, in either carrier.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) carrier: Carrier,
    pub(crate) credential: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) cookie: String,
    pub(crate) refresh_cookie: String,
}

impl Handed {
    /// Returns what this server's response to a login or a refresh issues, where the credential's cookie has this name;
    /// none if it is nothing.
    pub(crate) fn in_answer(base: &Base, answer: &Answer, cookie: &str) -> Option<Self> {
        Self::by_token(answer).or_else(|| {
            let cookies = Cookies::of(base, answer);
            let value = cookies.own.iter().find(|(name, _)| name == cookie)?.1.clone();
            Some(cookies.handed(cookie.to_owned(), value))
        })
    }

    /// Returns what the first login at this server issues. Of several cookies, as behind a balancer that sets one of its own,
    /// the credential is the one of the reference servers' name, or the one without which the server rejects a read.
    pub(crate) fn at_first_login(base: &Base, answer: &Answer, stop: &AtomicBool) -> Option<Self> {
        Self::by_token(answer).or_else(|| {
            let cookies = Cookies::of(base, answer);
            let known = cookies.own.iter().position(|(name, _)| name == Carrier::COOKIE_NAME);
            let (name, value) = cookies.own.get(known.unwrap_or_else(|| by_trial(base, &cookies.own, stop)))?.clone();
            Some(cookies.handed(name, value))
        })
    }

    fn by_token(answer: &Answer) -> Option<Self> {
        let body = answer.json();
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
    own: Vec<(String, String)>,
    refresh: Option<(String, String)>,
}

impl Cookies {
    fn of(base: &Base, answer: &Answer) -> Self {
        let mut jar = CookieJar::default();
        let lines: Vec<String> = answer.all("set-cookie").map(without_domain).collect();
        jar.store(&base.url(route::LOGIN), lines.iter().map(String::as_str));
        let cookies = jar.all().filter(|(_, value)| !value.is_empty());
        let cookies = cookies.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (refresh, own): (Vec<_>, Vec<_>) = cookies.partition(|(name, _)| name.contains("refresh"));
        Self { own, refresh: refresh.into_iter().next() }
    }

    fn handed(self, cookie: String, credential: String) -> Handed {
        let (refresh_cookie, refresh_token) =
            self.refresh.map_or_else(Default::default, |(name, value)| (name, Some(value)));
        Handed { carrier: Carrier::Cookie, credential, refresh_token, cookie, refresh_cookie }
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
fn by_trial(base: &Base, cookies: &[(String, String)], stop: &AtomicBool) -> usize {
    if cookies.len() < 2 {
        return 0;
    }
    let answer_to = |sent: &dyn Fn(usize) -> bool| {
        let pairs = cookies.iter().enumerate().filter(|(number, _)| sent(*number));
        let pairs: Vec<_> = pairs.map(|(_, (name, value))| format!("{name}={value}")).collect();
        let read = Request::get(route::ME);
        wire::send(base, &if pairs.is_empty() { read } else { read.header("cookie", pairs.join("; ")) }, stop).ok()
    };
    let accepted = |sent: &dyn Fn(usize) -> bool| answer_to(sent).is_some_and(|answer| answer.status == 200);
    let set_for_anybody = answer_to(&|_| false).map_or_else(Vec::new, |answer| Cookies::of(base, &answer).own);
    let is_own = |number: &usize| set_for_anybody.iter().all(|(name, _)| *name != cookies[*number].0);
    let own: Vec<usize> = (0..cookies.len()).filter(is_own).collect();
    let candidates = if own.is_empty() { (0..cookies.len()).collect() } else { own };
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
    pub(crate) answer: Answer,
}

impl Login {
    pub(crate) fn new(username: &str, handed: Handed, answer: Answer) -> Self {
        let Handed { credential, refresh_token, .. } = handed;
        Self { username: username.to_owned(), credential, refresh_token, answer }
    }
}
