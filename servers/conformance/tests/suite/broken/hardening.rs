//! Servers that violate rows 23 to 30 of the security table, and servers that reject what they must accept.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::Carrier::{Bearer, Cookie};
use serde_json::Value;

use super::{FaultyServer, changed_response, faults, proxy, server};
use crate::traffic_fault::{Memory, TrafficFault};
use testkit::message::Message;

const MEMORY: &str = "session-memory";
const HS256: &str = "jwt-hs256";
const REFRESH: &str = "jwt-hs256-refresh";

pub(super) fn all() -> Vec<FaultyServer> {
    [administrators(), logouts(), slow(), guessing(), bench(), http(), accepted()].into_iter().flatten().collect()
}

fn administrators() -> Vec<FaultyServer> {
    const WRITES: [&str; 2] = ["disabled-admin-writes-nothing", "demoted-admin-writes-nothing"];
    vec![
        proxy(MEMORY, Bearer, "former-admin-writes", FormerAdmin, &WRITES),
        changed_response(
            MEMORY,
            Bearer,
            "both-password-changes",
            |request, response| request.is("POST /password ") && response.status().starts_with('4'),
            |_, response| faults::status(response, 204),
            &["password-changes-once"],
        ),
    ]
}

fn logouts() -> Vec<FaultyServer> {
    const LATE: [&str; 2] = ["logout-by-refresh-token", "logout-all-by-refresh-token"];
    vec![
        changed_response(
            REFRESH,
            Bearer,
            "logout-wants-access-token",
            |request, _| request.is("POST /logout") && request.header("authorization").is_none(),
            |_, response| faults::status(response, 401),
            &LATE,
        ),
        proxy(REFRESH, Cookie, "late-logout-nothing", LateLogoutNothing, &LATE),
        server("session-redis", Bearer, "logout-writes", &["full-store-allows-logout"]),
    ]
}

fn slow() -> Vec<FaultyServer> {
    vec![
        proxy(MEMORY, Bearer, "few-connections", FewConnections, &["half-open-flood-served"]),
        proxy(MEMORY, Bearer, "half-open-kept", HalfOpenKept, &["half-open-closed"]),
        proxy(MEMORY, Bearer, "large-head-accepted", LargeHeadAccepted, &["head-bounded"]),
    ]
}

fn guessing() -> Vec<FaultyServer> {
    vec![
        proxy(MEMORY, Bearer, "failures-kept", FailuresKept, &["success-resets-failure-count"]),
        proxy(MEMORY, Bearer, "owner-throttled", OwnerThrottled, &["throttle-keeps-sessions"]),
    ]
}

fn bench() -> Vec<FaultyServer> {
    vec![
        proxy(MEMORY, Bearer, "bench-for-any-host", BenchForAnyHost, &["bench-host-loopback"]),
        proxy(MEMORY, Bearer, "bench-for-any-site", BenchForAnySite, &["bench-other-site-rejected"]),
        proxy(HS256, Bearer, "bench-accepts-forms", BenchAcceptsForms, &["bench-body-required"]),
    ]
}

fn http() -> Vec<FaultyServer> {
    vec![
        proxy(MEMORY, Bearer, "any-number-of-hosts", AnyNumberOfHosts, &["host-exactly-one"]),
        changed_response(
            MEMORY,
            Cookie,
            "me-cached",
            |request, _| request.is("GET /me ") || request.is("GET /admin "),
            |_, response| response.without("cache-control"),
            &["cookie-responses-not-cached"],
        ),
        changed_response(
            MEMORY,
            Cookie,
            "default-port-foreign",
            |request, _| request.header("host").is_some_and(|host| host.ends_with(":443")),
            |_, response| faults::status(response, 403),
            &["csrf-default-port"],
        ),
    ]
}

/// Rejects what a correct server accepts.
fn accepted() -> Vec<FaultyServer> {
    vec![
        changed_response(
            MEMORY,
            Bearer,
            "one-space",
            |request, _| request.header("authorization").is_some_and(|text| text.starts_with("Bearer  ")),
            |_, response| faults::status(response, 401),
            &["bearer-spelling"],
        ),
        changed_response(
            HS256,
            Bearer,
            "one-audience",
            |request, _| claims(request)["aud"].is_array(),
            |_, response| faults::status(response, 401),
            &["aud-array"],
        ),
        changed_response(
            HS256,
            Bearer,
            "whole-seconds",
            |request, _| claims(request)["exp"].as_f64().is_some_and(|exp| exp.fract() > 0.0),
            |_, response| faults::status(response, 401),
            &["dates-fractional"],
        ),
    ]
}

/// The claims of the token that is presented; null if there is none.
fn claims(request: &Message) -> Value {
    let bearer = request.header("authorization").unwrap_or_default();
    let claims = bearer.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default()
}

fn json(message: &Message) -> Value {
    serde_json::from_slice(&message.body).unwrap_or_default()
}

/// The user name of a login.
fn username(request: &Message) -> Option<String> {
    json(request)["username"].as_str().filter(|_| request.is("POST /login ")).map(str::to_owned)
}

/// Returns the bearer token that this login response issues.
fn bearer(request: &Message, response: &Message) -> Option<String> {
    let token = json(response)["token"].as_str().map(|token| format!("Bearer {token}"));
    token.filter(|_| request.is("POST /login ") && response.status() == "200")
}

fn error_response(status: &str) -> Message {
    Message { line: format!("HTTP/1.1 {status} Spoiled"), ..Message::default() }
}

fn throttled() -> Message {
    let mut response = error_response("429");
    response.add("retry-after", "30");
    response
}

/// A user who was an administrator once may update users again: the updates run as the administrator.
struct FormerAdmin;

impl TrafficFault for FormerAdmin {
    fn request(&self, request: &mut Message, memory: &mut Memory) -> Option<Message> {
        let own = request.header("authorization").filter(|_| request.is("POST /admin/user "))?;
        if let (true, Some(admin)) = (memory.contains_key(&own), memory.get("admin")) {
            request.edit("authorization", |_| admin.clone());
        }
        None
    }

    fn response(&self, request: &Message, response: &mut Message, memory: &mut Memory) {
        if let (Some("user-000000"), Some(bearer)) = (username(request).as_deref(), bearer(request, response)) {
            memory.insert("admin".to_owned(), bearer);
        }
        let changed = request.is("POST /admin/user ") && response.status() == "204";
        memory.extend(request.header("authorization").filter(|_| changed).map(|own| (own, String::new())));
    }
}

/// A logout without an access token revokes nothing, and does not report that.
struct LateLogoutNothing;

impl TrafficFault for LateLogoutNothing {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        let cookies = request.header("cookie").unwrap_or_default();
        let late = cookies.starts_with(contract::Carrier::REFRESH_COOKIE_NAME) && !cookies.contains(';');
        (request.is("POST /logout") && late).then(|| error_response("204"))
    }
}

/// Of many connections some are served, the others when those have closed.
struct FewConnections;

impl TrafficFault for FewConnections {
    fn connections(&self) -> usize {
        50
    }

    /// Longer than the suite waits for a response.
    fn request_timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(20))
    }
}

/// A request may stay incomplete without limit.
struct HalfOpenKept;

impl TrafficFault for HalfOpenKept {
    fn request_timeout(&self) -> Option<Duration> {
        None
    }
}

/// A head of some hundred kilobytes is accepted like any other.
struct LargeHeadAccepted;

impl TrafficFault for LargeHeadAccepted {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        request.headers.retain(|(name, value)| name != "x-large" || value.len() > 512 * 1024);
        None
    }
}

/// Ten failures are too many, whatever happens between them.
struct FailuresKept;

impl TrafficFault for FailuresKept {
    fn request(&self, request: &mut Message, memory: &mut Memory) -> Option<Message> {
        let failures = memory.get(&username(request)?)?.len();
        (failures >= 10).then(throttled)
    }

    fn response(&self, request: &Message, response: &mut Message, memory: &mut Memory) {
        if let (Some(name), "401") = (username(request), response.status()) {
            memory.entry(name).or_default().push('x');
        }
    }
}

/// A throttled user name is throttled everywhere.
struct OwnerThrottled;

impl TrafficFault for OwnerThrottled {
    fn request(&self, request: &mut Message, memory: &mut Memory) -> Option<Message> {
        let own = request.header("authorization").filter(|_| request.is("POST /password "))?;
        memory.get(memory.get(&own)?).map(|_| throttled())
    }

    fn response(&self, request: &Message, response: &mut Message, memory: &mut Memory) {
        let Some(name) = username(request) else { return };
        if let Some(bearer) = bearer(request, response) {
            memory.insert(bearer, name);
        } else if response.status() == "429" {
            memory.insert(name, String::new());
        }
    }
}

/// The bench routes accept every host name.
struct BenchForAnyHost;

impl TrafficFault for BenchForAnyHost {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        if request.is("POST /bench/") {
            request.edit("host", |_| "localhost".to_owned());
        }
        None
    }
}

/// The bench routes accept requests from every page.
struct BenchForAnySite;

impl TrafficFault for BenchForAnySite {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        if request.is("POST /bench/") {
            request.without("origin");
            request.without("sec-fetch-site");
        }
        None
    }
}

/// The bench routes accept an HTML form.
struct BenchAcceptsForms;

impl TrafficFault for BenchAcceptsForms {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        if request.is("POST /bench/") {
            request.edit("content-type", |_| "application/json".to_owned());
        }
        None
    }
}

/// A missing `Host` is accepted, and of two the first counts.
struct AnyNumberOfHosts;

impl TrafficFault for AnyNumberOfHosts {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        let host = request.header("host").unwrap_or_else(|| "localhost".to_owned());
        request.without("host");
        request.add("host", &host);
        None
    }
}
