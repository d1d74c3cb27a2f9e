//! The context of a running check: the servers it queries, the users it logs in, and the recorded exchanges.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use contract::body::{MintResponse, MintedCredential};
use contract::{Carrier, route, user};
use cookie_jar::CookieJar;
use serde_json::{Value, json};

use crate::check_error::{CheckResult, applicable, ensure, fail, not_applicable, reason};
use crate::facts::Facts;
use crate::half_open::HalfOpen;
use crate::login::{IssuedCredential, Login};
use crate::outcome::Exchange;
use crate::subject::{StoreControl, Subject};
use crate::token::{Forge, Token};
use crate::wire::{self, Base, Connection, HASHING_TIMEOUT, Request, RequestError, Response};

/// Exchanges that a failure shows.
const MAX_EXCHANGES: usize = 6;
/// The pause between two polls.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Users that are tried until one can log in: an earlier run may have throttled some.
const MAX_LOGIN_ATTEMPTS: usize = 5;
/// The time limit of minting, and the bytes of its response: tens of thousands of credentials, each of which may be as
/// large as a cookie can be.
const MINT_TIMEOUT: Duration = Duration::from_mins(1);
const MINT_LIMIT_BYTES: usize = 64 << 20;

/// A server that waited this long for its store may report it as unavailable even without an outage: the machine may
/// have paused.
pub(crate) const STALL: Duration = Duration::from_millis(500);

/// User numbers, each used once until all have been used.
pub(crate) struct Users(AtomicU32);

impl Users {
    /// Starts at a number that two runs of the suite are unlikely to share.
    pub(crate) fn begin() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(AtomicU32::new(since.subsec_nanos() >> 4))
    }

    /// The next of `count` users, never the admin.
    pub(crate) fn next(&self, count: u32) -> String {
        user::username(1 + self.0.fetch_add(1, Ordering::Relaxed) % count.saturating_sub(1).max(1))
    }
}

/// What all checks of a run share.
pub(crate) struct RunState<'a> {
    pub(crate) users: Users,
    /// Set once the run is to end.
    pub(crate) stop: &'a AtomicBool,
    /// A user name that was guessed at until it was throttled; none if the server throttles no name.
    pub(crate) throttled_login: OnceLock<Option<ThrottledLogin>>,
    /// Connections that were left half-open when the run began.
    pub(crate) half_open: HalfOpen,
}

/// A user who logged in before others guessed the password in vain.
#[derive(Clone, Debug)]
pub(crate) struct ThrottledLogin {
    pub(crate) login: Login,
    /// The wrong passwords that were rejected with 401 before the first 429.
    pub(crate) guesses: usize,
}

/// One check of one subject. Threads may share it.
pub(crate) struct CheckContext<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) facts: &'a Facts,
    pub(crate) shared: &'a RunState<'a>,
    /// The cookies without a credential, such as those of a load balancer.
    other_cookies: Mutex<CookieJar>,
    recent: Mutex<VecDeque<(Request, Result<Response, RequestError>)>>,
    /// The check has started or ended a store outage.
    outage_expected: AtomicBool,
    /// A server has waited for its store in vain, without an outage by the check.
    store_unavailable: AtomicBool,
    /// A request got no response in time, without an outage by the check.
    timed_out: AtomicBool,
}

impl<'a> CheckContext<'a> {
    pub(crate) fn new(subject: &'a Subject, facts: &'a Facts, shared: &'a RunState<'a>) -> Self {
        Self {
            subject,
            facts,
            shared,
            other_cookies: Mutex::default(),
            recent: Mutex::default(),
            outage_expected: AtomicBool::default(),
            store_unavailable: AtomicBool::default(),
            timed_out: AtomicBool::default(),
        }
    }

    /// Returns the last exchanges.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.recent().iter().map(|(request, response)| Exchange::of(request, response.as_ref())).collect()
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<(Request, Result<Response, RequestError>)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the server that is used wherever one is enough.
    pub(crate) fn first_node(&self) -> &'a Base {
        &self.subject.nodes[0]
    }

    /// Returns the response of this server, or why there is none.
    pub(crate) fn try_send(&self, node: &Base, request: &Request) -> Result<Response, RequestError> {
        self.record(request, wire::send(node, request, self.shared.stop))
    }

    /// Returns a connection that is reused for many requests.
    pub(crate) fn connection<'c>(&'c self, node: &'c Base) -> Connection<'c> {
        Connection::to(node, self.shared.stop)
    }

    /// Returns whether a server has waited for its store in vain without an outage by the check.
    pub(crate) fn store_unavailable(&self) -> bool {
        self.store_unavailable.load(Ordering::Relaxed)
    }

    /// Returns whether a request got no response in time without an outage by the check.
    pub(crate) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Returns the `Set-Cookie` headers that set or clear a credential, without those of a load balancer.
    pub(crate) fn set_credentials<'b>(&'b self, response: &'b Response) -> impl Iterator<Item = &'b str> {
        response.all("set-cookie").filter(|line| self.facts.is_credential(line))
    }

    fn other_cookies(&self) -> MutexGuard<'_, CookieJar> {
        self.other_cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the cookies without a credential; the check itself sends those with one.
    fn store_other_cookies(&self, request: &Request, response: &Response) {
        let mut others = response.all("set-cookie").filter(|line| !self.facts.is_credential(line)).peekable();
        if others.peek().is_some() {
            self.other_cookies().store(&self.first_node().url(request.path()), others);
        }
    }

    fn record(&self, request: &Request, response: Result<Response, RequestError>) -> Result<Response, RequestError> {
        if let Ok(response) = &response {
            self.store_other_cookies(request, response);
        }
        let unavailable_after_stall =
            response.as_ref().is_ok_and(|response| response.status == 503 && response.took >= STALL);
        if !self.outage_expected.load(Ordering::Relaxed) {
            self.store_unavailable.fetch_or(unavailable_after_stall, Ordering::Relaxed);
            self.timed_out.fetch_or(matches!(response, Err(RequestError::TimedOut(_))), Ordering::Relaxed);
        }
        let mut recent = self.recent();
        recent.push_back((request.clone(), response.clone()));
        if recent.len() > MAX_EXCHANGES {
            recent.pop_front();
        }
        response
    }

    pub(crate) fn send_to(&self, node: &Base, request: &Request) -> CheckResult<Response> {
        self.try_send(node, request).or_else(|error| fail(error.to_string()))
    }

    /// Returns the response over a reused connection.
    pub(crate) fn send_over(&self, connection: &mut Connection<'_>, request: &Request) -> CheckResult<Response> {
        let response = self.record(request, connection.send(request));
        response.or_else(|error| fail(error.to_string()))
    }

    /// Returns the response of the first server.
    pub(crate) fn send(&self, request: &Request) -> CheckResult<Response> {
        self.send_to(self.first_node(), request)
    }

    /// Returns this request with this credential in the server's carrier.
    pub(crate) fn with(&self, request: Request, credential: impl AsRef<[u8]>) -> Request {
        let credential = credential.as_ref();
        match self.facts.carrier {
            Carrier::Bearer => {
                self.with_other_cookies(request).header("authorization", [b"Bearer ", credential].concat())
            }
            Carrier::Cookie => self.with_cookie(request, [self.facts.cookie.as_bytes(), b"=", credential].concat()),
        }
    }

    /// Returns this request with the cookies that have no credential.
    pub(crate) fn with_other_cookies(&self, request: Request) -> Request {
        let other_cookies = self.other_cookies().header(&self.first_node().url(request.path()));
        other_cookies.into_iter().fold(request, |request, other_cookies| request.header("cookie", other_cookies))
    }

    /// Returns this request with these cookies and those that have no credential.
    pub(crate) fn with_cookie(&self, request: Request, cookies: impl Into<Vec<u8>>) -> Request {
        let other_cookies = self.other_cookies().header(&self.first_node().url(request.path()));
        let other_cookies =
            other_cookies.map_or_else(Vec::new, |other_cookies| format!("{other_cookies}; ").into_bytes());
        request.header("cookie", [other_cookies, cookies.into()].concat())
    }

    /// Returns a same-origin state change with this credential.
    pub(crate) fn post(&self, path: &str, credential: impl AsRef<[u8]>) -> Request {
        self.as_same_origin(self.with(Request::post(path), credential))
    }

    /// Adds the headers that a browser sends from a page of the site itself.
    pub(crate) fn as_same_origin(&self, request: Request) -> Request {
        match self.facts.carrier {
            Carrier::Bearer => request,
            Carrier::Cookie => request.header("sec-fetch-site", "same-origin"),
        }
    }

    /// Returns the status of `/me` with this credential at the first server.
    pub(crate) fn me_status(&self, credential: impl AsRef<[u8]>) -> CheckResult<u16> {
        self.me_status_at(self.first_node(), credential)
    }

    pub(crate) fn me_status_at(&self, node: &Base, credential: impl AsRef<[u8]>) -> CheckResult<u16> {
        self.send_to(node, &self.with(Request::get(route::ME), credential)).map(|response| response.status)
    }

    /// Continues if this credential is accepted.
    pub(crate) fn must_be_accepted(&self, credential: impl AsRef<[u8]>, what: &str) -> CheckResult {
        let status = self.me_status(credential)?;
        ensure(status == 200, || format!("{what}: /me returns {status} instead of 200"))
    }

    /// Continues if this credential is rejected with 401.
    pub(crate) fn must_be_rejected(&self, credential: impl AsRef<[u8]>, what: &str) -> CheckResult {
        let status = self.me_status(credential)?;
        ensure(status == 401, || format!("{what}: /me returns {status} instead of 401"))
    }

    /// Returns a login request.
    pub(crate) fn login_request(username: &str, password: &str) -> Request {
        let login = Request::post(route::LOGIN).within(HASHING_TIMEOUT);
        login.json(&json!({ "username": username, "password": password }))
    }

    /// Returns a user name that no other check uses.
    pub(crate) fn fresh_user(&self) -> String {
        self.shared.users.next(self.facts.users)
    }

    /// Logs in a user that no other check uses.
    pub(crate) fn login(&self) -> CheckResult<Login> {
        self.login_within(HASHING_TIMEOUT)
    }

    /// Logs in like this with another time limit: the last of many concurrent logins waits longest.
    pub(crate) fn login_within(&self, timeout: Duration) -> CheckResult<Login> {
        for _ in 0..MAX_LOGIN_ATTEMPTS {
            let username = self.fresh_user();
            let response = self.send(&Self::login_request(&username, user::PASSWORD).within(timeout))?;
            if response.status != 429 {
                return self.login_from_response(&username, response);
            }
        }
        fail(format!("the server throttles {MAX_LOGIN_ATTEMPTS} seeded users in a row"))
    }

    /// Logs in this user with the seeded password.
    pub(crate) fn login_as(&self, username: &str) -> CheckResult<Login> {
        self.login_with(username, user::PASSWORD)
    }

    pub(crate) fn login_with(&self, username: &str, password: &str) -> CheckResult<Login> {
        let response = self.send(&Self::login_request(username, password))?;
        self.login_from_response(username, response)
    }

    /// Returns what a login or renewal response issues; none if nothing.
    pub(crate) fn issued_credential(&self, response: &Response) -> Option<IssuedCredential> {
        IssuedCredential::from_response(self.first_node(), response, &self.facts.cookie)
    }

    fn login_from_response(&self, username: &str, response: Response) -> CheckResult<Login> {
        response.must_be(200, &format!("the login of {username}"))?;
        match self.issued_credential(&response) {
            Some(issued) => Ok(Login::new(username, issued, response)),
            None => fail("a login issues no credential"),
        }
    }

    /// Returns the login of the admin.
    pub(crate) fn admin(&self) -> CheckResult<Login> {
        let response = self.send(&Self::login_request(&user::username(0), user::PASSWORD))?;
        applicable(response.status == 200, reason::NO_ADMIN)?;
        let login = self.login_from_response(&user::username(0), response)?;
        let admin = self.send(&self.with(Request::get(route::ADMIN), &login.credential))?;
        applicable(admin.status == 200, reason::NO_ADMIN)?;
        Ok(login)
    }

    /// Returns the request that renews this login.
    pub(crate) fn renewal_request(&self, login: &Login) -> Request {
        match &login.refresh_token {
            Some(token) => self.renewal_request_with(token),
            None => self.post(route::REFRESH, &login.credential),
        }
    }

    /// Returns the request that renews with this refresh token.
    pub(crate) fn renewal_request_with(&self, token: &str) -> Request {
        self.request_with_refresh_token(route::REFRESH, token)
    }

    /// Returns a state change that only this refresh token authorizes.
    pub(crate) fn request_with_refresh_token(&self, path: &str, token: &str) -> Request {
        let request = Request::post(path);
        match self.facts.carrier {
            Carrier::Bearer => request.json(&json!({ "refresh_token": token })),
            Carrier::Cookie => {
                self.as_same_origin(self.with_cookie(request, format!("{}={token}", self.facts.refresh_cookie)))
            }
        }
    }

    /// Returns the renewed login.
    pub(crate) fn renew(&self, login: &Login) -> CheckResult<Login> {
        let response = self.send(&self.renewal_request(login))?;
        response.must_be(200, "a renewal")?;
        match self.issued_credential(&response) {
            Some(issued) => Ok(Login::new(&login.username, issued, response)),
            None => fail("a renewal issues no credential"),
        }
    }

    /// Updates a user as the admin.
    pub(crate) fn change_user(&self, admin: &Login, change: &Value) -> CheckResult {
        let changed = self.send(&self.post(route::ADMIN_USER, &admin.credential).json(change))?;
        changed.must_be(204, "an update of a user by the admin")
    }

    /// Returns the request that changes the password of this login's user.
    pub(crate) fn password_change_request(&self, login: &Login, old: &str, new: &str) -> Request {
        let change = json!({ "password": old, "new_password": new });
        self.post(route::PASSWORD, &login.credential).within(HASHING_TIMEOUT).json(&change)
    }

    /// Advances the clock of every server.
    pub(crate) fn advance(&self, seconds: u64) -> CheckResult {
        applicable(self.facts.clock, reason::NO_CLOCK)?;
        for node in &self.subject.nodes {
            let moved = Request::post(route::BENCH_CLOCK).json(&json!({ "advance_s": seconds }));
            self.send_to(node, &moved)?.must_be(200, "an adjustment of the clock")?;
        }
        Ok(())
    }

    /// Returns credentials without passwords from this user on, each with its refresh token, if any.
    pub(crate) fn mint(&self, count: u32, first_user: u32) -> CheckResult<Vec<(String, Option<String>)>> {
        let request = Request::post(route::BENCH_MINT).within(MINT_TIMEOUT).body_limit_bytes(MINT_LIMIT_BYTES);
        let request = request.json(&json!({ "count": count, "first_user": first_user }));
        let response = match wire::send(self.first_node(), &request, self.shared.stop) {
            // Too large to record.
            Ok(minted) if minted.status == 200 => {
                self.store_other_cookies(&request, &minted);
                Ok(minted)
            }
            other => self.record(&request, other),
        };
        let response = response.or_else(|error| fail(format!("/bench/mint: {error}")))?;
        // A server may respond to an unknown path with 401, 302, 404 or a page with 200.
        let minted =
            (response.status == 200).then(|| serde_json::from_slice::<MintResponse>(&response.body).ok()).flatten();
        let Some(minted) = minted else { return not_applicable(reason::NO_MINT) };
        Ok(minted.credentials.iter().filter_map(|minted| self.minted(minted)).collect())
    }

    fn minted(&self, minted: &MintedCredential) -> Option<(String, Option<String>)> {
        let header = |wanted: &str| {
            minted.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
        };
        let credential = match self.facts.carrier {
            Carrier::Bearer => header("authorization")?.strip_prefix("Bearer ")?,
            Carrier::Cookie => {
                // By its name, else the first: the mint route need not know the name that a proxy gives the cookie.
                let mut pairs = header("cookie")?.split(';').filter_map(|pair| pair.trim().split_once('='));
                let first = pairs.clone().next();
                pairs.find(|(name, _)| *name == self.facts.cookie).or(first)?.1
            }
        };
        Some((credential.to_owned(), minted.refresh_token.clone()))
    }

    /// Returns the decoded token of a new login.
    pub(crate) fn token(&self) -> CheckResult<Token> {
        let login = self.login()?;
        Token::open(&login.credential).map_or_else(|| not_applicable(reason::NOT_JWS), Ok)
    }

    /// Returns a new token and the server's key.
    pub(crate) fn forge(&self) -> CheckResult<Forge> {
        applicable(self.facts.jws, reason::NOT_JWS)?;
        let Some(keys) = &self.subject.keys else { return not_applicable(reason::NO_KEYS) };
        let token = self.token()?;
        let key = token.algorithm().and_then(|algorithm| Some((algorithm, keys.for_algorithm(algorithm)?)));
        let Some((algorithm, key)) = key else { return not_applicable(reason::OTHER_KEYS) };
        let forge = Forge { token, algorithm, key };
        applicable(self.me_status(forge.good())? == 200, reason::OTHER_KEYS)?;
        Ok(forge)
    }

    /// Returns the control of the store.
    pub(crate) fn store_control(&self) -> CheckResult<&'a dyn StoreControl> {
        applicable(self.facts.has_external_store() != Some(false), reason::STORE_WITHIN)?;
        self.subject.store.as_deref().map_or_else(|| not_applicable(reason::NO_STORE), Ok)
    }

    /// From now on a server without its store does not count as disturbed.
    pub(crate) fn expect_store_outage(&self) {
        self.outage_expected.store(true, Ordering::Relaxed);
    }

    /// Returns a fact, if the server states it.
    pub(crate) fn require<T>(fact: Option<T>) -> CheckResult<T> {
        fact.map_or_else(|| not_applicable(reason::NO_FACTS), Ok)
    }

    /// Polls until this holds, the time is up or the run is stopped; returns whether it holds.
    pub(crate) fn wait_until(
        &self,
        within: Duration,
        mut condition: impl FnMut() -> CheckResult<bool>,
    ) -> CheckResult<bool> {
        let deadline = Instant::now() + within;
        while !condition()? {
            if Instant::now() >= deadline || self.shared.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(true)
    }
}
