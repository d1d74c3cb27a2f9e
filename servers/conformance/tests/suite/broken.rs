//! Servers with one fault each: exactly the named checks must fail.

mod balancer;
mod faults;
mod hardening;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use conformance::Subject;
use conformance::checks::{self, Check};
use contract::Carrier::{self, Bearer, Cookie};
use contract::Scheme;

use crate::testbed::{SMALL, Testbed, failures, is_full};
use crate::traffic_fault::{self, TrafficFault};
use balancer::Balancer;
use testkit::message::Message;
use testkit::program::program;

/// The place of a fault.
enum FaultLocation {
    /// In the authenticator: the example `broken` with this `--fault`.
    Server(&'static str),
    /// Between the suite and a correct server.
    Proxy(Arc<dyn TrafficFault>),
}

/// A broken server.
struct FaultyServer {
    scheme: &'static str,
    carrier: Carrier,
    location: FaultLocation,
    name: &'static str,
    /// Servers like it.
    nodes: usize,
    /// The checks that must fail, and no others.
    fails: &'static [&'static str],
}

fn server(scheme: &'static str, carrier: Carrier, fault: &'static str, fails: &'static [&'static str]) -> FaultyServer {
    FaultyServer { scheme, carrier, location: FaultLocation::Server(fault), name: fault, nodes: 1, fails }
}

fn proxy(
    scheme: &'static str,
    carrier: Carrier,
    name: &'static str,
    fault: impl TrafficFault + 'static,
    fails: &'static [&'static str],
) -> FaultyServer {
    FaultyServer { scheme, carrier, location: FaultLocation::Proxy(Arc::new(fault)), name, nodes: 1, fails }
}

/// All broken servers, and some correct ones, by family.
fn families() -> [Vec<FaultyServer>; 7] {
    [tokens(), sessions(), outages(), cookies(), general(), changed_responses(), hardening::all()]
}

fn tokens() -> Vec<FaultyServer> {
    const HS256: &str = "jwt-hs256";
    const RS256: &str = "jwt-rs256";
    const REFRESH: &str = "jwt-hs256-refresh";
    vec![
        server(HS256, Bearer, "none", &[]),
        server(HS256, Bearer, "aud-ignored", &["aud-required", "aud-exact"]),
        server(HS256, Bearer, "iss-ignored", &["iss-required", "iss-exact"]),
        server(HS256, Bearer, "crit-ignored", &["crit-rejected"]),
        server(HS256, Bearer, "alg-none", &["alg-none"]),
        server(RS256, Bearer, "public-key-as-secret", &["alg-public-key-as-secret"]),
        server(RS256, Bearer, "embedded-jwk", &["key-embedded"]),
        server(RS256, Bearer, "key-forgotten", &["rotation-publishes-both"]),
        server(HS256, Bearer, "typ-ignored", &["typ-exact"]),
        server(HS256, Bearer, "long-leeway", &["exp-enforced", "leeway-small", "credential-expires"]),
        server(HS256, Bearer, "exp-optional", &["exp-required"]),
        server(HS256, Bearer, "kid-ignored", &["kid-hostile"]),
        server(HS256, Bearer, "duplicate-names", &["jws-duplicate-names"]),
        server(HS256, Bearer, "weak-key", &["weak-key-rejected"]),
        server(RS256, Bearer, "weak-key-unexplained", &["weak-key-rejected"]),
        server(
            REFRESH,
            Bearer,
            "refresh-reuse",
            &["refresh-reuse-rejected", "refresh-reuse-revokes-family", "refresh-one-winner"],
        ),
        server(REFRESH, Cookie, "family-survives", &["refresh-reuse-revokes-family"]),
        server(
            REFRESH,
            Bearer,
            "refresh-stays",
            &["refresh-rotates", "refresh-reuse-rejected", "refresh-reuse-revokes-family", "refresh-one-winner"],
        ),
        server(HS256, Bearer, "json-lenient", &["jws-json"]),
    ]
}

fn sessions() -> Vec<FaultyServer> {
    const MEMORY: &str = "session-memory";
    vec![
        server(MEMORY, Cookie, "none", &[]),
        server(MEMORY, Bearer, "logout-nothing", &["logout-revokes-credential"]),
        server(MEMORY, Bearer, "logout-all-one", &["logout-all-revokes-all"]),
        server(MEMORY, Cookie, "password-nothing", &["password-change-revokes-all"]),
        server(MEMORY, Bearer, "disabled-nothing", &["disabled-user-rejected"]),
        server(MEMORY, Bearer, "roles-nothing", &["role-change-revokes-all"]),
        server(MEMORY, Bearer, "absolute-ignored", &["absolute-limit"]),
        server(MEMORY, Bearer, "idle-ignored", &["credential-expires"]),
        server(MEMORY, Bearer, "short-ids", &["ids-wide"]),
        server(MEMORY, Bearer, "equal-ids", &["ids-distinct"]),
        server(MEMORY, Bearer, "credential-in-log", &["log-holds-no-secret"]),
        server(
            "cookie-sealed",
            Cookie,
            "sealed-loose",
            &["credential-malformed", "sealed-bits", "sealed-swapped", "mutated-rejected"],
        ),
        proxy(
            MEMORY,
            Cookie,
            "adopted-id",
            faults::AdoptedCredential,
            &["login-gives-new-id", "planted-id-not-adopted"],
        ),
    ]
}

fn outages() -> Vec<FaultyServer> {
    const REDIS: &str = "session-redis";
    const REFUSES: [&str; 5] =
        ["outage-hanging-store", "outage-dead-store", "outage-load-hanging", "outage-load-dead", "outage-load-cut"];
    const ALLOWS: [&str; 6] = [
        "outage-hanging-store",
        "outage-dead-store",
        "outage-accepts-no-invalid-credential",
        "outage-load-hanging",
        "outage-load-dead",
        "outage-load-cut",
    ];
    const CLEARS: [&str; 4] = ["outage-clears-no-cookie", "outage-load-hanging", "outage-load-dead", "outage-load-cut"];
    vec![
        server(REDIS, Cookie, "none", &[]),
        server(REDIS, Bearer, "id-in-clear", &["store-holds-no-credential", "store-strings-are-not-credentials"]),
        server(REDIS, Bearer, "outage-refuses", &REFUSES),
        server(REDIS, Bearer, "outage-allows", &ALLOWS),
        server(REDIS, Bearer, "outage-forgets", &["outage-recovers", "outage-load-hanging", "outage-load-cut"]),
        server("jwt-hs256-refresh", Bearer, "asks-store", &REFUSES),
        FaultyServer {
            nodes: 2,
            ..server("session-redis-cached", Bearer, "serves-stale", &["disconnected-node-rejects-revoked"])
        },
        proxy(REDIS, Cookie, "outage-clears-cookie", faults::CookieClearedInOutage, &CLEARS),
        // Before an outage by the suite that is a disturbance; after it, a fault.
        proxy(
            REDIS,
            Bearer,
            "stalled-login-after-outage",
            faults::StalledLoginAfterOutage::default(),
            &["outage-recovers"],
        ),
    ]
}

fn cookies() -> Vec<FaultyServer> {
    const MEMORY: &str = "session-memory";
    vec![
        proxy(MEMORY, Cookie, "no-host-prefix", faults::NoHostPrefix, &["cookie-host-prefix"]),
        proxy(MEMORY, Cookie, "no-secure", faults::WithoutAttribute("; Secure"), &["cookie-secure"]),
        proxy(MEMORY, Cookie, "no-http-only", faults::WithoutAttribute("; HttpOnly"), &["cookie-http-only"]),
        proxy(MEMORY, Cookie, "no-same-site", faults::WithoutAttribute("; SameSite=Lax"), &["cookie-same-site"]),
        proxy(MEMORY, Cookie, "no-path", faults::WithoutAttribute("; Path=/"), &["cookie-path"]),
        proxy(MEMORY, Cookie, "a-domain", faults::WithAttribute("; Domain=example.test"), &["cookie-no-domain"]),
        proxy(MEMORY, Cookie, "behind-renaming-balancer", Balancer("sid"), &["cookie-host-prefix"]),
        proxy("jwt-hs256-refresh", Cookie, "behind-balancer", Balancer(Carrier::COOKIE_NAME), &[]),
        proxy("jwt-hs256", Bearer, "behind-balancer", Balancer(Carrier::COOKIE_NAME), &[]),
        proxy(
            MEMORY,
            Cookie,
            "csrf-unchecked",
            faults::CsrfUnchecked,
            &["csrf-rejected", "csrf-default-port", "csrf-login-rejected"],
        ),
        proxy(MEMORY, Cookie, "cookie-kept-at-logout", faults::CookieKeptAtLogout, &["cookie-cleared-at-logout"]),
    ]
}

fn general() -> Vec<FaultyServer> {
    const MEMORY: &str = "session-memory";
    vec![
        proxy(MEMORY, Bearer, "nothing", faults::NoFault, &[]),
        proxy(MEMORY, Cookie, "undescribed", faults::NoBenchRoutes, &[]),
        proxy("jwt-hs256", Bearer, "undescribed", faults::NoBenchRoutes, &[]),
        proxy(MEMORY, Bearer, "no-throttle", faults::NoThrottle, &["login-throttled"]),
        proxy(MEMORY, Bearer, "fast-unknown-user", faults::FastUnknownUser, &["login-times-equal"]),
        proxy(MEMORY, Bearer, "two-credentials", faults::FirstCredentialCounts, &["two-credentials"]),
        proxy(
            MEMORY,
            Bearer,
            "concurrent-logins-rejected",
            faults::ConcurrentLoginsRejected::default(),
            &["logins-parallel"],
        ),
        server(MEMORY, Bearer, "remembers-refused", &["mutated-memory"]),
        proxy(MEMORY, Bearer, "no-challenge", faults::NoChallenge, &["no-credential", "bad-credential"]),
        proxy(MEMORY, Bearer, "error-on-binary", faults::ErrorOnBinary, &["credential-malformed", "mutated-rejected"]),
        proxy(MEMORY, Bearer, "cached", faults::WithoutCacheControl, &["credentials-not-cached"]),
        proxy(MEMORY, Bearer, "first-name-counts", faults::FirstNameCounts, &["body-malformed"]),
    ]
}

/// Returns another response in place of one.
fn changed_response(
    scheme: &'static str,
    carrier: Carrier,
    name: &'static str,
    when: fn(&Message, &Message) -> bool,
    change: fn(&Message, &mut Message),
    fails: &'static [&'static str],
) -> FaultyServer {
    proxy(scheme, carrier, name, faults::ChangedResponse { when, change }, fails)
}

#[rustfmt::skip]
fn changed_responses() -> Vec<FaultyServer> {
    const MEMORY: &str = "session-memory";
    const REFRESH: &str = "jwt-hs256-refresh";
    vec![
        changed_response(MEMORY, Bearer, "wrong-user", |request, _| request.is("GET /me "),
            |_, response| faults::replace(response, "user-", "uzer-"), &["credential-works"]),
        changed_response(MEMORY, Bearer, "every-user-is-admin", |request, response| request.is("GET /admin ") && response.status() == "403",
            |_, response| faults::status(response, 200), &["role-missing"]),
        changed_response(MEMORY, Cookie, "credential-in-body", |request, _| request.is("POST /login "),
            |_, response| faults::copy_cookie_into_body(response), &["cookie-not-in-body"]),
        changed_response(MEMORY, Bearer, "unknown-user-header", |request, _| faults::is_login_of_unknown_user(request),
            |_, response| response.add("x-unknown-user", "1"), &["login-responses-equal"]),
        changed_response(MEMORY, Cookie, "own-site-refused", |request, _| request.header("origin").is_some(),
            |_, response| faults::status(response, 403), &["csrf-own-site-passes", "csrf-default-port"]),
        changed_response(MEMORY, Bearer, "bearer-not-exempt", |request, _| request.header("origin").is_some(),
            |_, response| faults::status(response, 403), &["csrf-bearer-exempt"]),
        changed_response(MEMORY, Bearer, "fault-on-odd-path", |request, _| request.line.split(' ').nth(1).is_some_and(|path| path.contains('%')),
            |_, response| faults::status(response, 500), &["paths-odd"]),
        changed_response(MEMORY, Bearer, "wrong-expiry", |request, _| request.is("POST /login "),
            |_, response| faults::replace(response, r#""expires_in":1800"#, r#""expires_in":7"#), &["expiry-stated"]),
        changed_response("session-redis", Bearer, "others-unserved", |request, _| request.is("GET /openapi.json "),
            |_, response| faults::status(response, 503), &["outage-others-served"]),
        changed_response("jwt-hs256", Bearer, "fault-on-unknown-kid", |request, _| faults::header_contains(request, "unknown-"),
            |_, response| faults::status(response, 500), &["unknown-kid-flood"]),
        changed_response(REFRESH, Bearer, "refresh-token-at-api", |request, _| request.header("authorization").is_some_and(|text| text.len() == "Bearer ".len() + 65),
            |_, response| faults::status(response, 200), &["refresh-token-at-api"]),
        changed_response(REFRESH, Bearer, "fault-on-no-refresh-token", |request, _| request.is("POST /refresh ") && request.body.is_empty(),
            |_, response| faults::status(response, 500), &["refresh-unknown-rejected"]),
        proxy(MEMORY, Cookie, "first-cookie-counts", faults::FirstCredentialCounts, &["two-credentials", "cookies-duplicate"]),
        proxy(MEMORY, Bearer, "dropped-headers", faults::DroppedHeaders, &["headers-oversized", "head-bounded"]),
        proxy(MEMORY, Bearer, "credential-in-metrics", faults::CredentialInMetrics, &["metrics-hold-no-secret"]),
        server("jwt-hs256", Bearer, "key-fetched", &["key-by-url"]),
        server("jwt-hs256", Bearer, "nbf-ignored", &["nbf-enforced"]),
        server("jwt-hs256", Bearer, "alg-ignored", &["alg-exact", "alg-other"]),
        server("jwt-hs256", Bearer, "signature-ignored", &[
            "signature-checked", "jws-spelling", "credential-malformed", "planted-id-not-adopted", "mutated-rejected",
        ]),
        server("jwt-hs256", Bearer, "rotation-forgets", &["rotation-under-load"]),
        server(MEMORY, Bearer, "logout-ends-all", &["logout-scope"]),
        server(MEMORY, Bearer, "no-touch", &["activity-extends", "absolute-limit"]),
        server("cookie-sealed", Cookie, "sealed-cut", &["sealed-truncated", "credential-malformed", "mutated-rejected"]),
        server("cookie-sealed", Cookie, "sealed-readable", &["sealed-unreadable"]),
        server("cookie-sealed", Cookie, "sealed-forever", &["sealed-retired-key", "credential-expires", "absolute-limit"]),
    ]
}

#[test]
fn every_check_can_fail() {
    let families = families();
    let covered: BTreeSet<_> = families.iter().flatten().flat_map(|broken| broken.fails).copied().collect();
    let uncovered: Vec<_> = checks::all().map(|check| check.id).filter(|id| !covered.contains(id)).collect();
    assert!(uncovered.is_empty(), "{uncovered:?}");
}

/// Number of broken servers that are checked at a time.
const CONCURRENCY: usize = 4;

/// The checks that a broken server must pass, in addition to those that it must fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CheckSelection {
    /// All others of the table.
    All,
    /// Those of the same rows of the security table.
    SameRows,
}

/// Returns how the suite's verdict on this server is wrong.
fn wrong_verdict(broken: &FaultyServer, others: CheckSelection) -> Option<String> {
    let scheme: Scheme = broken.scheme.parse().unwrap();
    let more = if let FaultLocation::Server(fault) = broken.location { vec!["--fault", fault] } else { vec![] };
    let program = match &broken.location {
        FaultLocation::Server(_) => program("examples/broken"),
        FaultLocation::Proxy(_) => program(scheme.binary()),
    };
    let testbed = Testbed::with(program, scheme, broken.carrier, broken.nodes, &more);
    let mut subject = Subject { extent: SMALL, ..testbed.subject() };
    if let FaultLocation::Proxy(fault) = &broken.location {
        subject.nodes = vec![traffic_fault::start(testbed.address(), Arc::clone(fault)).into()];
    }
    let expected: BTreeSet<_> = broken.fails.iter().copied().collect();
    let is_named = |check: &&Check| expected.contains(check.id);
    let rows: BTreeSet<_> = checks::all().filter(is_named).map(|check| check.row).collect();
    let wanted = |check: &Check| others == CheckSelection::All || rows.contains(&check.row);
    let report = conformance::run_selected(&subject, wanted, &mut (), &AtomicBool::new(false))
        .unwrap_or_else(|error| panic!("{}: {error}", broken.name));
    let failed: BTreeSet<_> = report.failures().map(|outcome| outcome.id.as_str()).collect();
    let wrongly_failed: Vec<_> = failed.difference(&expected).collect();
    let wrongly_passed: Vec<_> = expected.difference(&failed).collect();
    (failed != expected).then(|| {
        let (name, scheme) = (broken.name, broken.scheme);
        format!(
            "{name} of {scheme}: wrongly failed {wrongly_failed:?}, wrongly passed {wrongly_passed:?}\n{}",
            failures(&report)
        )
    })
}

/// Returns every broken server with the checks of its rows; with all checks the first of each family, correct ones, and
/// under `--full` every server.
fn selected_servers() -> Vec<(FaultyServer, CheckSelection)> {
    let wanted = std::env::var("CONFORMANCE_FAULTS").unwrap_or_default();
    let wanted = |broken: &FaultyServer| wanted.is_empty() || wanted.split(',').any(|name| name == broken.name);
    let others = |first: bool| if first || is_full() { CheckSelection::All } else { CheckSelection::SameRows };
    let examined = families().into_iter().flat_map(|family| {
        let (correct, broken): (Vec<_>, Vec<_>) = family.into_iter().partition(|broken| broken.fails.is_empty());
        let broken = broken.into_iter().enumerate().map(|(location, broken)| (broken, others(location == 0)));
        correct.into_iter().map(|correct| (correct, CheckSelection::All)).chain(broken).collect::<Vec<_>>()
    });
    examined.filter(|(broken, _)| wanted(broken)).collect()
}

#[test]
fn each_fault_fails_its_checks_and_no_others() {
    let queue = Mutex::new(selected_servers());
    let wrong = Mutex::new(vec![]);
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENCY {
            scope.spawn(|| {
                while let Some((broken, others)) = { queue.lock().unwrap().pop() } {
                    let started = std::time::Instant::now();
                    let verdict = wrong_verdict(&broken, others);
                    eprintln!("{} of {}: {:?} {}", broken.name, broken.scheme, started.elapsed(), verdict.is_none());
                    wrong.lock().unwrap().extend(verdict);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
