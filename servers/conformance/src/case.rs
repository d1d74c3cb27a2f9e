//! The context of a running check: the servers it queries, the users it logs in, and the recorded exchanges.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use contract::body::{MintResponse, MintedCredential};
use contract::{Carrier, route, user};
use cookie_jar::CookieJar;
use serde_json::{Value, json};

use crate::facts::Facts;
use crate::half_open::HalfOpen;
use crate::login::{Handed, Login};
use crate::outcome::Exchange;
use crate::stop::{Step, applicable, ensure, fail, not_applicable, reason};
use crate::subject::{StoreControl, Subject};
use crate::token::{Forge, Token};
use crate::wire::{self, Answer, Base, Connection, HASHING_TIMEOUT, Request, Silence};

/// Exchanges that a failure shows.
const SHOWN: usize = 6;
/// The pause between two polls.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Users that are tried until one can log in: an earlier run may have throttled some.
const TRIES: usize = 5;
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
pub(crate) struct Shared<'a> {
    pub(crate) users: Users,
    /// Set once the run is to end.
    pub(crate) stop: &'a AtomicBool,
    /// A user name that was guessed at until it was throttled; none if the server throttles no name.
    pub(crate) guessed: OnceLock<Option<Guessed>>,
    /// Connections that were left half-open when the run began.
    pub(crate) half_open: HalfOpen,
}

/// A user who logged in before others guessed the password in vain.
#[derive(Clone, Debug)]
pub(crate) struct Guessed {
    pub(crate) login: Login,
    /// The wrong passwords that were rejected with 401 before the first 429.
    pub(crate) guesses: usize,
}

/// One check of one subject. Threads may share it.
pub(crate) struct Case<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) facts: &'a Facts,
    pub(crate) shared: &'a Shared<'a>,
    /// The cookies without a credential, such as those of a load balancer.
    companions: Mutex<CookieJar>,
    said: Mutex<VecDeque<(Request, Result<Answer, Silence>)>>,
    /// The check has started or ended a store outage.
    took_store: AtomicBool,
    /// A server has waited for its store in vain, without an outage by the check.
    missed_store: AtomicBool,
    /// A request got no response in time, without an outage by the check.
    timed_out: AtomicBool,
}

impl<'a> Case<'a> {
    pub(crate) fn new(subject: &'a Subject, facts: &'a Facts, shared: &'a Shared<'a>) -> Self {
        Self {
            subject,
            facts,
            shared,
            companions: Mutex::default(),
            said: Mutex::default(),
            took_store: AtomicBool::default(),
            missed_store: AtomicBool::default(),
            timed_out: AtomicBool::default(),
        }
    }

    /// Returns the last exchanges.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.said().iter().map(|(request, answer)| Exchange::of(request, answer.as_ref())).collect()
    }

    fn said(&self) -> MutexGuard<'_, VecDeque<(Request, Result<Answer, Silence>)>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the server that is used wherever one is enough.
    pub(crate) fn first(&self) -> &'a Base {
        &self.subject.nodes[0]
    }

    /// Returns the response of this server, or why there is none.
    pub(crate) fn try_send(&self, node: &Base, request: &Request) -> Result<Answer, Silence> {
        self.heard(request, wire::send(node, request, self.shared.stop))
    }

    /// Returns a connection that is reused for many requests.
    pub(crate) fn connection<'c>(&'c self, node: &'c Base) -> Connection<'c> {
        Connection::to(node, self.shared.stop)
    }

    /// Returns whether a server has waited for its store in vain without an outage by the check.
    pub(crate) fn missed_store(&self) -> bool {
        self.missed_store.load(Ordering::Relaxed)
    }

    /// Returns whether a request got no response in time without an outage by the check.
    pub(crate) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Returns the `Set-Cookie` headers that set or clear a credential, without those of a load balancer.
    pub(crate) fn set_credentials<'b>(&'b self, answer: &'b Answer) -> impl Iterator<Item = &'b str> {
        answer.all("set-cookie").filter(|line| self.facts.is_credential(line))
    }

    fn companions(&self) -> MutexGuard<'_, CookieJar> {
        self.companions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the cookies without a credential; the check itself sends those with one.
    fn keep_companions(&self, request: &Request, answer: &Answer) {
        let mut others = answer.all("set-cookie").filter(|line| !self.facts.is_credential(line)).peekable();
        if others.peek().is_some() {
            self.companions().store(&self.first().url(request.path()), others);
        }
    }

    fn heard(&self, request: &Request, answer: Result<Answer, Silence>) -> Result<Answer, Silence> {
        if let Ok(answer) = &answer {
            self.keep_companions(request, answer);
        }
        let in_vain = answer.as_ref().is_ok_and(|answer| answer.status == 503 && answer.took >= STALL);
        if !self.took_store.load(Ordering::Relaxed) {
            self.missed_store.fetch_or(in_vain, Ordering::Relaxed);
            self.timed_out.fetch_or(matches!(answer, Err(Silence::Late(_))), Ordering::Relaxed);
        }
        let mut said = self.said();
        said.push_back((request.clone(), answer.clone()));
        if said.len() > SHOWN {
            said.pop_front();
        }
        answer
    }

    pub(crate) fn send_to(&self, node: &Base, request: &Request) -> Step<Answer> {
        self.try_send(node, request).or_else(|silence| fail(silence.to_string()))
    }

    /// Returns the response over a reused connection.
    pub(crate) fn send_over(&self, connection: &mut Connection<'_>, request: &Request) -> Step<Answer> {
        let answer = self.heard(request, connection.send(request));
        answer.or_else(|silence| fail(silence.to_string()))
    }

    /// Returns the response of the first server.
    pub(crate) fn send(&self, request: &Request) -> Step<Answer> {
        self.send_to(self.first(), request)
    }

    /// Returns this request with this credential in the server's carrier.
    pub(crate) fn with(&self, request: Request, credential: impl AsRef<[u8]>) -> Request {
        let credential = credential.as_ref();
        match self.facts.carrier {
            Carrier::Bearer => self.with_companions(request).header("authorization", [b"Bearer ", credential].concat()),
            Carrier::Cookie => self.with_cookie(request, [self.facts.cookie.as_bytes(), b"=", credential].concat()),
        }
    }

    /// Returns this request with the cookies that have no credential.
    pub(crate) fn with_companions(&self, request: Request) -> Request {
        let companions = self.companions().header(&self.first().url(request.path()));
        companions.into_iter().fold(request, |request, companions| request.header("cookie", companions))
    }

    /// Returns this request with these cookies and those that have no credential.
    pub(crate) fn with_cookie(&self, request: Request, cookies: impl Into<Vec<u8>>) -> Request {
        let beside = self.companions().header(&self.first().url(request.path()));
        let beside = beside.map_or_else(Vec::new, |beside| format!("{beside}; ").into_bytes());
        request.header("cookie", [beside, cookies.into()].concat())
    }

    /// Returns a same-origin state change with this credential.
    pub(crate) fn post(&self, path: &str, credential: impl AsRef<[u8]>) -> Request {
        self.as_own_site(self.with(Request::post(path), credential))
    }

    /// Adds the headers that a browser sends from a page of the site itself.
    pub(crate) fn as_own_site(&self, request: Request) -> Request {
        match self.facts.carrier {
            Carrier::Bearer => request,
            Carrier::Cookie => request.header("sec-fetch-site", "same-origin"),
        }
    }

    /// Returns the status of `/me` with this credential at the first server.
    pub(crate) fn me(&self, credential: impl AsRef<[u8]>) -> Step<u16> {
        self.me_at(self.first(), credential)
    }

    pub(crate) fn me_at(&self, node: &Base, credential: impl AsRef<[u8]>) -> Step<u16> {
        self.send_to(node, &self.with(Request::get(route::ME), credential)).map(|answer| answer.status)
    }

    /// Continues if this credential is accepted.
    pub(crate) fn must_be_good(&self, credential: impl AsRef<[u8]>, what: &str) -> Step {
        let status = self.me(credential)?;
        ensure(status == 200, || format!("{what}: /me returns {status} instead of 200"))
    }

    /// Continues if this credential is rejected with 401.
    pub(crate) fn must_be_refused(&self, credential: impl AsRef<[u8]>, what: &str) -> Step {
        let status = self.me(credential)?;
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
    pub(crate) fn login(&self) -> Step<Login> {
        self.login_within(HASHING_TIMEOUT)
    }

    /// Logs in like this with another time limit: the last of many concurrent logins waits longest.
    pub(crate) fn login_within(&self, timeout: Duration) -> Step<Login> {
        for _ in 0..TRIES {
            let username = self.fresh_user();
            let answer = self.send(&Self::login_request(&username, user::PASSWORD).within(timeout))?;
            if answer.status != 429 {
                return self.logged_in(&username, answer);
            }
        }
        fail(format!("the server throttles {TRIES} seeded users in a row"))
    }

    /// Logs in this user with the seeded password.
    pub(crate) fn login_as(&self, username: &str) -> Step<Login> {
        self.login_with(username, user::PASSWORD)
    }

    pub(crate) fn login_with(&self, username: &str, password: &str) -> Step<Login> {
        let answer = self.send(&Self::login_request(username, password))?;
        self.logged_in(username, answer)
    }

    /// Returns what a login or renewal response issues; none if nothing.
    pub(crate) fn handed(&self, answer: &Answer) -> Option<Handed> {
        Handed::in_answer(self.first(), answer, &self.facts.cookie)
    }

    fn logged_in(&self, username: &str, answer: Answer) -> Step<Login> {
        answer.must_be(200, &format!("the login of {username}"))?;
        match self.handed(&answer) {
            Some(handed) => Ok(Login::new(username, handed, answer)),
            None => fail("a login issues no credential"),
        }
    }

    /// Returns the login of the admin.
    pub(crate) fn admin(&self) -> Step<Login> {
        let answer = self.send(&Self::login_request(&user::username(0), user::PASSWORD))?;
        applicable(answer.status == 200, reason::NO_ADMIN)?;
        let login = self.logged_in(&user::username(0), answer)?;
        let admin = self.send(&self.with(Request::get(route::ADMIN), &login.credential))?;
        applicable(admin.status == 200, reason::NO_ADMIN)?;
        Ok(login)
    }

    /// Returns the request that renews this login.
    pub(crate) fn renewal(&self, login: &Login) -> Request {
        match &login.refresh_token {
            Some(token) => self.renewal_by(token),
            None => self.post(route::REFRESH, &login.credential),
        }
    }

    /// Returns the request that renews with this refresh token.
    pub(crate) fn renewal_by(&self, token: &str) -> Request {
        self.by_refresh_token(route::REFRESH, token)
    }

    /// Returns a state change that only this refresh token authorizes.
    pub(crate) fn by_refresh_token(&self, path: &str, token: &str) -> Request {
        let request = Request::post(path);
        match self.facts.carrier {
            Carrier::Bearer => request.json(&json!({ "refresh_token": token })),
            Carrier::Cookie => {
                self.as_own_site(self.with_cookie(request, format!("{}={token}", self.facts.refresh_cookie)))
            }
        }
    }

    /// Returns the renewed login.
    pub(crate) fn renew(&self, login: &Login) -> Step<Login> {
        let answer = self.send(&self.renewal(login))?;
        answer.must_be(200, "a renewal")?;
        match self.handed(&answer) {
            Some(handed) => Ok(Login::new(&login.username, handed, answer)),
            None => fail("a renewal issues no credential"),
        }
    }

    /// Updates a user as the admin.
    pub(crate) fn change_user(&self, admin: &Login, change: &Value) -> Step {
        let changed = self.send(&self.post(route::ADMIN_USER, &admin.credential).json(change))?;
        changed.must_be(204, "an update of a user by the admin")
    }

    /// Returns the request that changes the password of this login's user.
    pub(crate) fn password_change(&self, login: &Login, old: &str, new: &str) -> Request {
        let change = json!({ "password": old, "new_password": new });
        self.post(route::PASSWORD, &login.credential).within(HASHING_TIMEOUT).json(&change)
    }

    /// Advances the clock of every server.
    pub(crate) fn advance(&self, seconds: u64) -> Step {
        applicable(self.facts.clock, reason::NO_CLOCK)?;
        for node in &self.subject.nodes {
            let moved = Request::post(route::BENCH_CLOCK).json(&json!({ "advance_s": seconds }));
            self.send_to(node, &moved)?.must_be(200, "an adjustment of the clock")?;
        }
        Ok(())
    }

    /// Returns credentials without passwords from this user on, each with its refresh token, if any.
    pub(crate) fn mint(&self, count: u32, first_user: u32) -> Step<Vec<(String, Option<String>)>> {
        let request = Request::post(route::BENCH_MINT).within(MINT_TIMEOUT).body_limit_bytes(MINT_LIMIT_BYTES);
        let request = request.json(&json!({ "count": count, "first_user": first_user }));
        let answer = match wire::send(self.first(), &request, self.shared.stop) {
            // Too large to record.
            Ok(minted) if minted.status == 200 => {
                self.keep_companions(&request, &minted);
                Ok(minted)
            }
            other => self.heard(&request, other),
        };
        let answer = answer.or_else(|silence| fail(format!("/bench/mint: {silence}")))?;
        // A server may respond to an unknown path with 401, 302, 404 or a page with 200.
        let minted =
            (answer.status == 200).then(|| serde_json::from_slice::<MintResponse>(&answer.body).ok()).flatten();
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
    pub(crate) fn token(&self) -> Step<Token> {
        let login = self.login()?;
        Token::open(&login.credential).map_or_else(|| not_applicable(reason::NOT_JWS), Ok)
    }

    /// Returns a new token and the server's key.
    pub(crate) fn forge(&self) -> Step<Forge> {
        applicable(self.facts.jws, reason::NOT_JWS)?;
        let Some(keys) = &self.subject.keys else { return not_applicable(reason::NO_KEYS) };
        let token = self.token()?;
        let key = token.algorithm().and_then(|algorithm| Some((algorithm, keys.for_algorithm(algorithm)?)));
        let Some((algorithm, key)) = key else { return not_applicable(reason::OTHER_KEYS) };
        let forge = Forge { token, algorithm, key };
        applicable(self.me(forge.good())? == 200, reason::OTHER_KEYS)?;
        Ok(forge)
    }

    /// Returns the control of the store.
    pub(crate) fn store(&self) -> Step<&'a dyn StoreControl> {
        applicable(self.facts.store_apart() != Some(false), reason::STORE_WITHIN)?;
        self.subject.store.as_deref().map_or_else(|| not_applicable(reason::NO_STORE), Ok)
    }

    /// From now on a server without its store does not count as disturbed.
    pub(crate) fn takes_store_away(&self) {
        self.took_store.store(true, Ordering::Relaxed);
    }

    /// Returns a fact, if the server states it.
    pub(crate) fn fact<T>(fact: Option<T>) -> Step<T> {
        fact.map_or_else(|| not_applicable(reason::NO_FACTS), Ok)
    }

    /// Polls until this holds, the time is up or the run is stopped; returns whether it holds.
    pub(crate) fn comes_to_hold(&self, within: Duration, mut holds: impl FnMut() -> Step<bool>) -> Step<bool> {
        let deadline = Instant::now() + within;
        while !holds()? {
            if Instant::now() >= deadline || self.shared.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(true)
    }
}
