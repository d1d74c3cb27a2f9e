//! A small blocking client for requests outside the measurement: is the server ready, which scheme does
//! it run, issue credentials.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::body::{
    ClockRequest, ClockResponse, LoginRequest, LoginResponse, MintRequest, MintResponse, MintedCredential,
    RotateRequest,
};
use contract::{BaseUrl, SchemeDescriptor, route};
use cookie_jar::CookieJar;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Default time limit of a request, from connecting to the last byte.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Minting signs every credential, which with RSA takes about a millisecond each.
const MINT_DEADLINE: Duration = Duration::from_mins(2);
/// For a login: passwords are hashed at the lowest priority, and wait where others fill the processors.
const LOGIN_DEADLINE: Duration = Duration::from_mins(1);
/// Credentials requested at once: a body of a few megabytes.
const MINT_BATCH: u32 = 10_000;
/// The largest body that is received, in bytes.
const MAX_BODY_BYTES: u64 = 1 << 20;
/// Additional bytes allowed for each requested credential: ten times a token with a hundred roles.
const BYTES_PER_CREDENTIAL: u64 = 25 << 10;
/// Characters of an unexpected response that an error quotes.
const MAX_QUOTED_CHARS: usize = 200;

/// A connection-reusing client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

/// The response of a server.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names (in lower case) and values of the headers, in their order; a value that is not text is left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The server does not respond, or not in time.
    #[error("cannot reach {url}: {source}; check that the server is running and that the address is correct")]
    Unreachable {
        /// The URL.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// The response does not end within its bound.
    #[error("{url} sent a response larger than the limit of {limit} bytes")]
    TooLarge {
        /// The URL.
        url: String,
        /// The bound, in bytes.
        limit: u64,
    },
    /// The server responds, but not as an authentication server of `contract`.
    #[error("{base} responds, but is not an auth server that authbench can load: {why}")]
    NotAnAuthServer {
        /// The server.
        base: String,
        /// What it returned instead.
        why: String,
    },
    /// A response with an unexpected status.
    #[error("{url} returned {status} instead of {expected}: {body}")]
    Status {
        /// The URL.
        url: String,
        /// The status.
        status: u16,
        /// The expected status.
        expected: u16,
        /// The beginning of the body.
        body: String,
    },
    /// A response that is not the expected JSON.
    #[error("{url} returned a body of an unexpected form: {source}")]
    Malformed {
        /// The URL.
        url: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Fewer or more credentials than requested.
    #[error("{url} issued {found} credentials instead of {expected}")]
    MintedWrongly {
        /// The URL.
        url: String,
        /// How many came.
        found: usize,
        /// How many were requested.
        expected: usize,
    },
}

impl Client {
    /// Returns a client of the server at `base`, such as `http://127.0.0.1:8080`. It follows no redirect and uses no
    /// proxy, so that only this server responds.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the only place that creates agents, without a proxy")]
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(DEADLINE));
        Self { agent: config.build().into(), base: base.trim_end_matches('/').to_owned() }
    }

    /// The server, without a slash at the end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends `GET path` with these headers and returns the response within `deadline`, whatever its status.
    pub fn get(
        &self,
        path: &str,
        headers: &BTreeMap<String, String>,
        deadline: Duration,
    ) -> Result<Response, HttpError> {
        let url = self.url(path);
        let plain = self.agent.get(&url).config().timeout_global(Some(deadline)).build();
        let request = headers.iter().fold(plain, |request, (name, value)| request.header(name, value));
        read(request.call(), url, MAX_BODY_BYTES)
    }

    /// Sends `POST path` with a JSON body and returns the response within `deadline`, whatever its status.
    pub fn post(&self, path: &str, body: &impl Serialize, deadline: Duration) -> Result<Response, HttpError> {
        self.post_bounded(path, body, deadline, MAX_BODY_BYTES)
    }

    fn post_bounded(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: Duration,
        limit: u64,
    ) -> Result<Response, HttpError> {
        let url = self.url(path);
        let body = serde_json::to_vec(body).expect("a request body is plain data");
        let request = self.agent.post(&url).config().timeout_global(Some(deadline)).build();
        let request = request.content_type("application/json");
        read(request.send(&body), url, limit)
    }

    /// Revokes the credential in these headers, within `deadline`, with an `Origin` like a browser. Every status is a
    /// response; 204 means that it is revoked.
    pub fn logout(&self, headers: &BTreeMap<String, String>, deadline: Duration) -> Result<Response, HttpError> {
        let url = self.url(route::LOGOUT);
        let plain = self.agent.post(&url).config().timeout_global(Some(deadline)).build();
        let origin = headers.contains_key("cookie").then(|| self.base.parse::<BaseUrl>().ok()).flatten();
        let plain = origin.into_iter().fold(plain, |request, base| request.header("origin", base.origin()));
        let request = headers.iter().fold(plain, |request, (name, value)| request.header(name, value));
        read(request.send_empty(), url, MAX_BODY_BYTES)
    }

    /// Returns what the server states about its scheme, from `/bench/scheme`.
    pub fn scheme(&self) -> Result<SchemeDescriptor, HttpError> {
        let not_auth_server = |why| HttpError::NotAnAuthServer { base: self.base.clone(), why };
        let response = match self.get(route::BENCH_SCHEME, &BTreeMap::new(), DEADLINE) {
            Err(HttpError::Unreachable { source, .. }) if matches!(*source, ureq::Error::Protocol(_)) => {
                return Err(not_auth_server(format!("it does not speak HTTP/1.1: {source}")));
            }
            reached => reached?,
        };
        if response.status != 200 {
            return Err(not_auth_server(format!("{} returns status {}", route::BENCH_SCHEME, response.status)));
        }
        serde_json::from_slice(&response.body).map_err(|error| {
            not_auth_server(format!("{} does not return a scheme descriptor: {error}", route::BENCH_SCHEME))
        })
    }

    /// Ready credentials of `count` users from `first_user` on, in batches. A server that does not mint (404)
    /// gives [`HttpError::Status`].
    pub fn mint(&self, count: u32, first_user: u32) -> Result<Vec<MintedCredential>, HttpError> {
        self.mint_batches(MintRequest { count, first_user, revoked: false })
    }

    /// Issues credentials like [`Client::mint`], and revokes each at once.
    pub fn mint_revoked(&self, count: u32, first_user: u32) -> Result<Vec<MintedCredential>, HttpError> {
        self.mint_batches(MintRequest { count, first_user, revoked: true })
    }

    fn mint_batches(&self, all: MintRequest) -> Result<Vec<MintedCredential>, HttpError> {
        let mut credentials = Vec::with_capacity(all.count as usize);
        while (credentials.len() as u32) < all.count {
            let done = credentials.len() as u32;
            let count = MINT_BATCH.min(all.count - done);
            let first_user = all.first_user.wrapping_add(done);
            credentials.append(&mut self.mint_batch(MintRequest { count, first_user, ..all })?);
        }
        Ok(credentials)
    }

    fn mint_batch(&self, request: MintRequest) -> Result<Vec<MintedCredential>, HttpError> {
        let limit = MAX_BODY_BYTES + u64::from(request.count) * BYTES_PER_CREDENTIAL;
        let response = self.post_bounded(route::BENCH_MINT, &request, MINT_DEADLINE, limit)?;
        let mut credentials = self.expect_json::<MintResponse>(route::BENCH_MINT, &response)?.credentials;
        let cookies = self.cookies_after(route::BENCH_MINT, &response, route::ME);
        for credential in credentials.iter_mut().filter(|_| !cookies.is_empty()) {
            add_cookies(&mut credential.headers, &cookies);
        }
        let (found, expected) = (credentials.len(), request.count as usize);
        if found == expected {
            Ok(credentials)
        } else {
            Err(HttpError::MintedWrongly { url: self.url(route::BENCH_MINT), found, expected })
        }
    }

    /// Has the server sign or seal with a new key. One without keys (404) gives [`HttpError::Status`].
    pub fn rotate(&self) -> Result<(), HttpError> {
        let response = self.post(route::BENCH_ROTATE, &RotateRequest {}, MINT_DEADLINE)?;
        self.expect_status(route::BENCH_ROTATE, &response, 204)
    }

    /// Moves the server's clock on. One that has no such clock (404) gives [`HttpError::Status`].
    pub fn advance_clock(&self, advance_s: u64) -> Result<(), HttpError> {
        let response = self.post(route::BENCH_CLOCK, &ClockRequest { advance_s }, DEADLINE)?;
        self.expect_json::<ClockResponse>(route::BENCH_CLOCK, &response).map(drop)
    }

    /// Logs in, and also returns the unchanged response with its `Set-Cookie`.
    pub fn login(&self, username: &str, password: &str) -> Result<(LoginResponse, Response), HttpError> {
        let request = LoginRequest { username: username.to_owned(), password: password.to_owned() };
        let response = self.post(route::LOGIN, &request, LOGIN_DEADLINE)?;
        Ok((self.expect_json(route::LOGIN, &response)?, response))
    }

    /// Returns the cookies that a browser sends to this path after this login response: names and values.
    #[must_use]
    pub fn cookies(&self, login: &Response, path: &str) -> Vec<(String, String)> {
        self.cookies_after(route::LOGIN, login, path)
    }

    /// Returns the cookies for this path after this response to a request of `request_path`.
    fn cookies_after(&self, request_path: &str, response: &Response, path: &str) -> Vec<(String, String)> {
        let Ok(base) = self.base.parse::<BaseUrl>() else { return Vec::new() };
        let set = response.headers.iter().filter(|(name, _)| name == "set-cookie");
        let mut jar = CookieJar::default();
        jar.store(&base.at(request_path), set.map(|(_, line)| line.as_str()));
        let cookies = jar.cookies(&base.at(path));
        cookies.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Returns the body of a response with status 200.
    fn expect_json<T: DeserializeOwned>(&self, path: &str, response: &Response) -> Result<T, HttpError> {
        self.expect_status(path, response, 200)?;
        serde_json::from_slice(&response.body).map_err(|source| HttpError::Malformed { url: self.url(path), source })
    }

    fn expect_status(&self, path: &str, response: &Response, expected: u16) -> Result<(), HttpError> {
        if response.status == expected {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&response.body).chars().take(MAX_QUOTED_CHARS).collect();
        Err(HttpError::Status { url: self.url(path), status: response.status, expected, body })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Adds cookies to those in these headers: of equal names the added one counts.
fn add_cookies(headers: &mut BTreeMap<String, String>, cookies: &[(String, String)]) {
    let existing = headers.get("cookie").cloned().unwrap_or_default();
    let has = |name: &str| existing.split("; ").any(|pair| pair.split('=').next() == Some(name));
    let others: Vec<_> = cookies.iter().filter(|(name, _)| !has(name)).cloned().collect();
    if let Some(others) = cookie_header(&others) {
        let all = if existing.is_empty() { others } else { format!("{existing}; {others}") };
        headers.insert("cookie".to_owned(), all);
    }
}

/// Returns the value of `Cookie` with these cookies; none if there are none.
#[must_use]
pub fn cookie_header(cookies: &[(String, String)]) -> Option<String> {
    let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!pairs.is_empty()).then(|| pairs.join("; "))
}

type Reply = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

/// Reads a whole response with a body of at most this many bytes.
fn read(reply: Reply, url: String, limit: u64) -> Result<Response, HttpError> {
    read_response(reply, limit).map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(limit) => HttpError::TooLarge { url, limit },
        ureq::Error::LargeResponseHeader(_, limit) => HttpError::TooLarge { url, limit: limit as u64 },
        source => HttpError::Unreachable { url, source: Box::new(source) },
    })
}

fn read_response(reply: Reply, limit: u64) -> Result<Response, ureq::Error> {
    let mut response = reply?;
    let text = |value: &ureq::http::HeaderValue| str::from_utf8(value.as_bytes()).ok().map(str::to_owned);
    let headers =
        response.headers().iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect();
    let body = response.body_mut().with_config().limit(limit).read_to_vec()?;
    Ok(Response { status: response.status().as_u16(), headers, body })
}
