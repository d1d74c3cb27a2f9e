//! Faults between the suite and a correct server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::Carrier;
use serde_json::{Map, Value};

use crate::traffic_fault::{Memory, TrafficFault};
use testkit::message::Message;

/// No fault.
pub(crate) struct NoFault;

impl TrafficFault for NoFault {}

/// A server of another vendor: it has no bench routes.
pub(crate) struct NoBenchRoutes;

impl TrafficFault for NoBenchRoutes {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        let bench = request.is("GET /bench") || request.is("POST /bench");
        bench.then(|| Message { line: "HTTP/1.1 404 Not Found".to_owned(), ..Message::default() })
    }
}

/// Removes this attribute from cookies.
pub(crate) struct WithoutAttribute(pub(crate) &'static str);

impl TrafficFault for WithoutAttribute {
    fn response(&self, _: &Message, response: &mut Message, _: &mut Memory) {
        response.edit("set-cookie", |cookie| cookie.replace(self.0, ""));
    }
}

/// Adds this attribute to cookies.
pub(crate) struct WithAttribute(pub(crate) &'static str);

impl TrafficFault for WithAttribute {
    fn response(&self, _: &Message, response: &mut Message, _: &mut Memory) {
        response.edit("set-cookie", |cookie| format!("{cookie}{}", self.0));
    }
}

/// Uses a cookie name that any site of the domain could set.
pub(crate) struct NoHostPrefix;

impl TrafficFault for NoHostPrefix {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        for (name, value) in &mut request.headers {
            if name == "cookie" {
                *value = replace_cookie_name(value, b"authbench=", Carrier::COOKIE_NAME.as_bytes());
            }
        }
        None
    }

    fn response(&self, _: &Message, response: &mut Message, _: &mut Memory) {
        response.edit("set-cookie", |cookie| cookie.replace("__Host-", ""));
    }
}

/// Returns these bytes with each `name=` of a cookie under another name.
fn replace_cookie_name(value: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (vec![], value);
    while let Some(location) = rest.windows(from.len()).position(|window| window == from) {
        out.extend([&rest[..location], to, b"="].concat());
        rest = &rest[location + from.len()..];
    }
    [&out, rest].concat()
}

/// Makes every request look same-origin.
pub(crate) struct CsrfUnchecked;

impl TrafficFault for CsrfUnchecked {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        if !request.is("POST /bench/") {
            request.without("origin");
            request.without("sec-fetch-site");
            request.add("sec-fetch-site", "same-origin");
        }
        None
    }
}

/// A logout that does not clear the cookie.
pub(crate) struct CookieKeptAtLogout;

impl TrafficFault for CookieKeptAtLogout {
    fn response(&self, request: &Message, response: &mut Message, _: &mut Memory) {
        if request.is("POST /logout ") {
            response.without("set-cookie");
        }
    }
}

/// An outage that clears the cookie.
pub(crate) struct CookieClearedInOutage;

impl TrafficFault for CookieClearedInOutage {
    fn response(&self, _: &Message, response: &mut Message, _: &mut Memory) {
        if response.status() == "503" {
            let cleared = format!("{}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", Carrier::COOKIE_NAME);
            response.add("set-cookie", &cleared);
        }
    }
}

/// A login that makes the credential of its request valid.
pub(crate) struct AdoptedCredential;

impl TrafficFault for AdoptedCredential {
    fn request(&self, request: &mut Message, memory: &mut Memory) -> Option<Message> {
        let planted = request.header("cookie").and_then(|cookie| Some(cookie.split_once('=')?.1.to_owned()));
        if request.is("POST /login ") {
            request.without("cookie");
            if let Some(planted) = planted {
                request.add("x-planted", &planted);
            }
        } else if let Some(real) = planted.and_then(|planted| memory.get(&planted).cloned()) {
            request.edit("cookie", |_| format!("{}={real}", Carrier::COOKIE_NAME));
        }
        None
    }

    fn response(&self, request: &Message, response: &mut Message, memory: &mut Memory) {
        let set_cookie = response.header("set-cookie");
        let real = set_cookie.and_then(|cookie| Some(cookie.split(';').next()?.split_once('=')?.1.to_owned()));
        if let (Some(planted), Some(real)) = (request.header("x-planted"), real) {
            response.edit("set-cookie", |cookie| cookie.replace(&real, &planted));
            memory.insert(planted, real);
        }
    }
}

/// A throttled login looks like any other rejection.
pub(crate) struct NoThrottle;

impl TrafficFault for NoThrottle {
    fn response(&self, _: &Message, response: &mut Message, _: &mut Memory) {
        if response.status() == "429" {
            "HTTP/1.1 401 Unauthorized".clone_into(&mut response.line);
        }
    }
}

/// Unknown user names are rejected without hashing, as long as that is not throttled. The rejection is a real one.
pub(crate) struct FastUnknownUser;

const REJECTION: &str = "a rejection";
/// What hashing takes where it is not made cheap for tests.
const HASHING_TIME: Duration = Duration::from_millis(25);

impl TrafficFault for FastUnknownUser {
    fn request(&self, request: &mut Message, memory: &mut Memory) -> Option<Message> {
        let name = name(request)?;
        let tries = memory.entry(name).or_default();
        tries.push('x');
        let early = tries.len() < 5;
        let rejection = memory.get(REJECTION).filter(|_| early)?;
        let headers: Vec<(String, String)> = serde_json::from_str(rejection).ok()?;
        let mut response = Message { line: "HTTP/1.1 401 Unauthorized".to_owned(), ..Message::default() };
        for (name, value) in headers {
            if name == "body" { response.body = value.into_bytes() } else { response.add(&name, &value) }
        }
        Some(response)
    }

    fn response(&self, request: &Message, response: &mut Message, memory: &mut Memory) {
        if request.is("POST /login ") && response.status() == "401" {
            if name(request).is_none() {
                std::thread::sleep(HASHING_TIME);
            }
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut parts: Vec<_> = response.headers.iter().map(|(name, value)| (name.clone(), lossy(value))).collect();
            parts.push(("body".to_owned(), lossy(&response.body)));
            memory.insert(REJECTION.to_owned(), serde_json::to_string(&parts).unwrap());
        }
    }
}

/// Returns the user name in a login of an unknown user.
fn name(request: &Message) -> Option<String> {
    let body: Value = serde_json::from_slice(&request.body).ok().filter(|_| request.is("POST /login "))?;
    body["username"].as_str().filter(|name| !name.starts_with("user-")).map(str::to_owned)
}

/// Of several credentials the first counts.
pub(crate) struct FirstCredentialCounts;

impl TrafficFault for FirstCredentialCounts {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        let mut seen = false;
        request.headers.retain(|(name, _)| {
            let credential = name == "authorization" || name == "cookie";
            let kept = !credential || !seen;
            seen |= credential;
            kept
        });
        None
    }
}

/// Of many concurrent logins some are rejected.
#[derive(Default)]
pub(crate) struct ConcurrentLoginsRejected(AtomicUsize);

const MAX_CONCURRENT_LOGINS: usize = 2;

impl TrafficFault for ConcurrentLoginsRejected {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        if !request.is("POST /login ") {
            return None;
        }
        let rejected = self.0.load(Ordering::SeqCst) == MAX_CONCURRENT_LOGINS;
        if !rejected {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        rejected.then(|| Message { line: "HTTP/1.1 503 Spoiled".to_owned(), ..Message::default() })
    }

    fn response(&self, request: &Message, _: &mut Message, _: &mut Memory) {
        if request.is("POST /login ") {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// The first login after an outage waits for the store in vain, as on a machine that paused.
#[derive(Default)]
pub(crate) struct StalledLoginAfterOutage(AtomicUsize);

/// The last state: no outage, then the server is ready, and then a credential is accepted.
const NOTHING: usize = 0;
const READY: usize = 1;
const RECOVERED: usize = 2;

impl TrafficFault for StalledLoginAfterOutage {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        let stalls = request.is("POST /login ") && self.0.swap(NOTHING, Ordering::SeqCst) == RECOVERED;
        stalls.then(|| {
            std::thread::sleep(Duration::from_millis(600));
            Message { line: "HTTP/1.1 503 Service Unavailable".to_owned(), ..Message::default() }
        })
    }

    fn response(&self, request: &Message, response: &mut Message, _: &mut Memory) {
        let good = response.status() == "200";
        if request.is("GET /readyz ") {
            self.0.store(if good { READY } else { NOTHING }, Ordering::SeqCst);
        } else if request.is("GET /me ") && self.0.load(Ordering::SeqCst) == READY {
            self.0.store(if good { RECOVERED } else { NOTHING }, Ordering::SeqCst);
        }
    }
}

/// A 401 without a challenge.
pub(crate) struct NoChallenge;

impl TrafficFault for NoChallenge {
    fn response(&self, _: &Message, response: &mut Message, _: &mut Memory) {
        if response.status() == "401" {
            response.without("www-authenticate");
        }
    }
}

/// Bytes that are not text crash the server.
pub(crate) struct ErrorOnBinary;

impl TrafficFault for ErrorOnBinary {
    fn response(&self, request: &Message, response: &mut Message, _: &mut Memory) {
        let is_binary = |(name, value): &(String, Vec<u8>)| name == "authorization" && str::from_utf8(value).is_err();
        if request.headers.iter().any(is_binary) {
            "HTTP/1.1 500 Internal Server Error".clone_into(&mut response.line);
        }
    }
}

/// Caches may store credentials.
pub(crate) struct WithoutCacheControl;

impl TrafficFault for WithoutCacheControl {
    fn response(&self, _: &Message, response: &mut Message, _: &mut Memory) {
        response.without("cache-control");
    }
}

/// Of a duplicate member one counts, as in most parsers.
pub(crate) struct FirstNameCounts;

impl TrafficFault for FirstNameCounts {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(&request.body) {
            request.body = Value::Object(object).to_string().into_bytes();
        }
        None
    }
}

/// Changes the response to some requests.
pub(crate) struct ChangedResponse {
    /// The responses to change.
    pub(crate) when: fn(&Message, &Message) -> bool,
    /// The change.
    pub(crate) change: fn(&Message, &mut Message),
}

impl TrafficFault for ChangedResponse {
    fn response(&self, request: &Message, response: &mut Message, _: &mut Memory) {
        if (self.when)(request, response) {
            (self.change)(request, response);
        }
    }
}

/// Sets the status of a response.
pub(crate) fn status(response: &mut Message, status: u16) {
    response.line = format!("HTTP/1.1 {status} Spoiled");
}

/// Replaces text in the body of a response.
pub(crate) fn replace(response: &mut Message, from: &str, to: &str) {
    response.body = String::from_utf8_lossy(&response.body).replace(from, to).into_bytes();
}

/// Copies the value of a cookie into the body.
pub(crate) fn copy_cookie_into_body(response: &mut Message) {
    let cookie = response.header("set-cookie").unwrap_or_default();
    let value = cookie.split(';').next().and_then(|pair| pair.split_once('=')).unwrap_or_default().1.to_owned();
    replace(response, "{\"user\"", &format!("{{\"copy\":\"{value}\",\"user\""));
}

/// Returns whether a login is of an unknown user.
pub(crate) fn is_login_of_unknown_user(request: &Message) -> bool {
    name(request).is_some()
}

/// Returns whether the header of a bearer token contains this text.
pub(crate) fn header_contains(request: &Message, text: &str) -> bool {
    let bearer = request.header("authorization").unwrap_or_default();
    let header = bearer.trim_start_matches("Bearer ").split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    String::from_utf8_lossy(&header).contains(text)
}

/// Drops headers that are too large.
pub(crate) struct DroppedHeaders;

impl TrafficFault for DroppedHeaders {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        request.headers.retain(|(name, value)| value.len() < 10_000 || name == "authorization");
        None
    }
}

/// The metrics contain the last credential.
pub(crate) struct CredentialInMetrics;

impl TrafficFault for CredentialInMetrics {
    fn response(&self, request: &Message, response: &mut Message, memory: &mut Memory) {
        if let Some(credential) = request.header("authorization") {
            memory.insert("last".to_owned(), credential);
        }
        if let (true, Some(last)) = (request.is("GET /metrics"), memory.get("last")) {
            response.body.extend(last.bytes());
        }
    }
}
