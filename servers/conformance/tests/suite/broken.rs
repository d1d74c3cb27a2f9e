//! Servers with one fault each: exactly the named checks must fail.

mod balancer;
mod hardening;
mod spoilers;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use conformance::Subject;
use conformance::checks::{self, Check};
use contract::Carrier::{self, Bearer, Cookie};

use crate::bed::{Bed, SMALL, failures, is_full};
use crate::proxy::{Message, Proxy, Spoiler};
use balancer::Balancer;
use spoilers as spoil;
use testkit::program::program;

/// The place of a fault.
enum Where {
    /// In the authenticator: the example `broken` with this `--fault`.
    Server(&'static str),
    /// Between the suite and a correct server.
    Proxy(Arc<dyn Spoiler>),
}

/// A broken server.
struct Broken {
    scheme: &'static str,
    carrier: Carrier,
    place: Where,
    name: &'static str,
    /// Servers like it.
    nodes: usize,
    /// The checks that must fail, and no others.
    fails: &'static [&'static str],
}

fn server(scheme: &'static str, carrier: Carrier, fault: &'static str, fails: &'static [&'static str]) -> Broken {
    Broken { scheme, carrier, place: Where::Server(fault), name: fault, nodes: 1, fails }
}

fn proxy(
    scheme: &'static str,
    carrier: Carrier,
    name: &'static str,
    spoiler: impl Spoiler + 'static,
    fails: &'static [&'static str],
) -> Broken {
    Broken { scheme, carrier, place: Where::Proxy(Arc::new(spoiler)), name, nodes: 1, fails }
}

/// All broken servers, and some correct ones, by family.
fn families() -> [Vec<Broken>; 7] {
    [tokens(), sessions(), outages(), cookies(), manners(), answers(), hardening::all()]
}

fn tokens() -> Vec<Broken> {
    const HS256: &str = "jwt-hs256";
    const RS256: &str = "jwt-rs256";
    const REFRESH: &str = "jwt-hs256-refresh";
    vec![
        server(HS256, Bearer, "none", &[]),
        server(HS256, Bearer, "aud-ignored", &["aud-required", "aud-exact"]),
        server(HS256, Bearer, "iss-ignored", &["iss-required", "iss-exact"]),
        server(HS256, Bearer, "crit-ignored", &["crit-refused"]),
        server(HS256, Bearer, "alg-none", &["alg-none"]),
        server(RS256, Bearer, "public-key-as-secret", &["alg-public-key-as-secret"]),
        server(RS256, Bearer, "embedded-jwk", &["key-embedded"]),
        server(RS256, Bearer, "key-forgotten", &["rotation-publishes-both"]),
        server(HS256, Bearer, "typ-ignored", &["typ-exact"]),
        server(HS256, Bearer, "long-leeway", &["exp-enforced", "leeway-small", "credential-expires"]),
        server(HS256, Bearer, "exp-optional", &["exp-required"]),
        server(HS256, Bearer, "kid-ignored", &["kid-hostile"]),
        server(HS256, Bearer, "duplicate-names", &["jws-duplicate-names"]),
        server(HS256, Bearer, "weak-key", &["weak-key-refused"]),
        server(RS256, Bearer, "weak-key-unexplained", &["weak-key-refused"]),
        server(
            REFRESH,
            Bearer,
            "refresh-reuse",
            &["refresh-reuse-refused", "refresh-reuse-ends-family", "refresh-one-winner"],
        ),
        server(REFRESH, Cookie, "family-survives", &["refresh-reuse-ends-family"]),
        server(
            REFRESH,
            Bearer,
            "refresh-stays",
            &["refresh-rotates", "refresh-reuse-refused", "refresh-reuse-ends-family", "refresh-one-winner"],
        ),
        server(HS256, Bearer, "json-lenient", &["jws-json"]),
    ]
}

fn sessions() -> Vec<Broken> {
    const MEMORY: &str = "session-memory";
    vec![
        server(MEMORY, Cookie, "none", &[]),
        server(MEMORY, Bearer, "logout-nothing", &["logout-ends-credential"]),
        server(MEMORY, Bearer, "logout-all-one", &["logout-all-ends-all"]),
        server(MEMORY, Cookie, "password-nothing", &["password-change-ends-all"]),
        server(MEMORY, Bearer, "disabled-nothing", &["disabled-user-is-out"]),
        server(MEMORY, Bearer, "roles-nothing", &["role-change-ends-all"]),
        server(MEMORY, Bearer, "absolute-ignored", &["absolute-limit"]),
        server(MEMORY, Bearer, "idle-ignored", &["credential-expires"]),
        server(MEMORY, Bearer, "short-ids", &["ids-wide"]),
        server(MEMORY, Bearer, "equal-ids", &["ids-distinct"]),
        server(MEMORY, Bearer, "credential-in-log", &["log-holds-no-secret"]),
        server(
            "cookie-sealed",
            Cookie,
            "sealed-loose",
            &["credential-malformed", "sealed-bits", "sealed-swapped", "mutated-refused"],
        ),
        proxy(MEMORY, Cookie, "adopted-id", spoil::AdoptedId, &["login-gives-new-id", "planted-id-not-adopted"]),
    ]
}

fn outages() -> Vec<Broken> {
    const REDIS: &str = "session-redis";
    const REFUSES: [&str; 5] =
        ["outage-hanging-store", "outage-dead-store", "outage-load-hanging", "outage-load-dead", "outage-load-cut"];
    const ALLOWS: [&str; 6] = [
        "outage-hanging-store",
        "outage-dead-store",
        "outage-allows-nobody",
        "outage-load-hanging",
        "outage-load-dead",
        "outage-load-cut",
    ];
    const CLEARS: [&str; 4] = ["outage-clears-no-cookie", "outage-load-hanging", "outage-load-dead", "outage-load-cut"];
    vec![
        server(REDIS, Cookie, "none", &[]),
        server(REDIS, Bearer, "id-in-clear", &["store-holds-no-credential", "store-words-open-nothing"]),
        server(REDIS, Bearer, "outage-refuses", &REFUSES),
        server(REDIS, Bearer, "outage-allows", &ALLOWS),
        server(REDIS, Bearer, "outage-forgets", &["outage-recovers", "outage-load-hanging", "outage-load-cut"]),
        server("jwt-hs256-refresh", Bearer, "asks-store", &REFUSES),
        Broken { nodes: 2, ..server("session-redis-cached", Bearer, "serves-stale", &["cut-off-node-obeys"]) },
        proxy(REDIS, Cookie, "outage-clears-cookie", spoil::ClearedOnOutage, &CLEARS),
        // Before an outage by the suite that is a disturbance; after it, a fault.
        proxy(REDIS, Bearer, "stands-still", spoil::StandsStill::default(), &["outage-recovers"]),
    ]
}

fn cookies() -> Vec<Broken> {
    const MEMORY: &str = "session-memory";
    vec![
        proxy(MEMORY, Cookie, "no-host-prefix", spoil::NoPrefix, &["cookie-host-prefix"]),
        proxy(MEMORY, Cookie, "no-secure", spoil::Without("; Secure"), &["cookie-secure"]),
        proxy(MEMORY, Cookie, "no-http-only", spoil::Without("; HttpOnly"), &["cookie-http-only"]),
        proxy(MEMORY, Cookie, "no-same-site", spoil::Without("; SameSite=Lax"), &["cookie-same-site"]),
        proxy(MEMORY, Cookie, "no-path", spoil::Without("; Path=/"), &["cookie-path"]),
        proxy(MEMORY, Cookie, "a-domain", spoil::And("; Domain=example.test"), &["cookie-no-domain"]),
        proxy(MEMORY, Cookie, "behind-renaming-balancer", Balancer("sid"), &["cookie-host-prefix"]),
        proxy("jwt-hs256-refresh", Cookie, "behind-balancer", Balancer(Carrier::COOKIE_NAME), &[]),
        proxy("jwt-hs256", Bearer, "behind-balancer", Balancer(Carrier::COOKIE_NAME), &[]),
        proxy(
            MEMORY,
            Cookie,
            "csrf-unchecked",
            spoil::CsrfUnchecked,
            &["csrf-refused", "csrf-default-port", "csrf-login-refused"],
        ),
        proxy(MEMORY, Cookie, "cookie-kept-at-logout", spoil::KeptAtLogout, &["cookie-cleared-at-logout"]),
    ]
}

fn manners() -> Vec<Broken> {
    const MEMORY: &str = "session-memory";
    vec![
        proxy(MEMORY, Bearer, "nothing", spoil::Nothing, &[]),
        proxy(MEMORY, Cookie, "undescribed", spoil::Undescribed, &[]),
        proxy("jwt-hs256", Bearer, "undescribed", spoil::Undescribed, &[]),
        proxy(MEMORY, Bearer, "no-throttle", spoil::NoThrottle, &["login-throttled"]),
        proxy(MEMORY, Bearer, "unknown-user-at-once", spoil::UnknownAtOnce, &["login-time-even"]),
        proxy(MEMORY, Bearer, "two-credentials", spoil::FirstCounts, &["two-credentials"]),
        proxy(MEMORY, Bearer, "few-logins-at-once", spoil::FewLogins::default(), &["logins-parallel"]),
        server(MEMORY, Bearer, "remembers-refused", &["mutated-memory"]),
        proxy(MEMORY, Bearer, "no-challenge", spoil::NoChallenge, &["no-credential", "bad-credential"]),
        proxy(MEMORY, Bearer, "fault-on-garbage", spoil::FaultOnGarbage, &["credential-malformed", "mutated-refused"]),
        proxy(MEMORY, Bearer, "cached", spoil::Cached, &["credentials-not-cached"]),
        proxy(MEMORY, Bearer, "first-name-counts", spoil::FirstNameCounts, &["body-malformed"]),
    ]
}

/// Returns another response in place of one.
fn answer(
    scheme: &'static str,
    carrier: Carrier,
    name: &'static str,
    when: fn(&Message, &Message) -> bool,
    spoil: fn(&Message, &mut Message),
    fails: &'static [&'static str],
) -> Broken {
    proxy(scheme, carrier, name, spoil::Other { when, spoil }, fails)
}

#[rustfmt::skip]
fn answers() -> Vec<Broken> {
    const MEMORY: &str = "session-memory";
    const REFRESH: &str = "jwt-hs256-refresh";
    vec![
        answer(MEMORY, Bearer, "somebody-else", |request, _| request.is("GET /me "),
            |_, answer| spoil::replace(answer, "user-", "uzer-"), &["credential-works"]),
        answer(MEMORY, Bearer, "everybody-is-admin", |request, answer| request.is("GET /admin ") && answer.status() == "403",
            |_, answer| spoil::status(answer, 200), &["role-missing"]),
        answer(MEMORY, Cookie, "credential-in-body", |request, _| request.is("POST /login "),
            |_, answer| spoil::tell(answer), &["cookie-not-in-body"]),
        answer(MEMORY, Bearer, "nobody-told", |request, _| spoil::is_of_nobody(request),
            |_, answer| answer.add("x-nobody", "1"), &["login-answer-even"]),
        answer(MEMORY, Cookie, "own-site-refused", |request, _| request.text("origin").is_some(),
            |_, answer| spoil::status(answer, 403), &["csrf-own-site-passes", "csrf-default-port"]),
        answer(MEMORY, Bearer, "bearer-not-exempt", |request, _| request.text("origin").is_some(),
            |_, answer| spoil::status(answer, 403), &["csrf-bearer-exempt"]),
        answer(MEMORY, Bearer, "fault-on-odd-path", |request, _| request.line.split(' ').nth(1).is_some_and(|path| path.contains('%')),
            |_, answer| spoil::status(answer, 500), &["paths-odd"]),
        answer(MEMORY, Bearer, "wrong-expiry", |request, _| request.is("POST /login "),
            |_, answer| spoil::replace(answer, r#""expires_in":1800"#, r#""expires_in":7"#), &["expiry-told"]),
        answer("session-redis", Bearer, "others-unserved", |request, _| request.is("GET /openapi.json "),
            |_, answer| spoil::status(answer, 503), &["outage-others-served"]),
        answer("jwt-hs256", Bearer, "fault-on-unknown-kid", |request, _| spoil::says(request, "unknown-"),
            |_, answer| spoil::status(answer, 500), &["unknown-kid-flood"]),
        answer(REFRESH, Bearer, "refresh-token-at-api", |request, _| request.text("authorization").is_some_and(|text| text.len() == "Bearer ".len() + 65),
            |_, answer| spoil::status(answer, 200), &["refresh-token-at-api"]),
        answer(REFRESH, Bearer, "fault-on-no-refresh-token", |request, _| request.is("POST /refresh ") && request.body.is_empty(),
            |_, answer| spoil::status(answer, 500), &["refresh-unknown-refused"]),
        proxy(MEMORY, Cookie, "first-cookie-counts", spoil::FirstCounts, &["two-credentials", "cookies-duplicate"]),
        proxy(MEMORY, Bearer, "dropped-headers", spoil::DroppedHeaders, &["headers-oversized", "head-bounded"]),
        proxy(MEMORY, Bearer, "telling-metrics", spoil::TellingMetrics, &["metrics-hold-no-secret"]),
        server("jwt-hs256", Bearer, "key-fetched", &["key-by-url"]),
        server("jwt-hs256", Bearer, "nbf-ignored", &["nbf-enforced"]),
        server("jwt-hs256", Bearer, "alg-ignored", &["alg-exact", "alg-other"]),
        server("jwt-hs256", Bearer, "signature-ignored", &[
            "signature-checked", "jws-spelling", "credential-malformed", "planted-id-not-adopted", "mutated-refused",
        ]),
        server("jwt-hs256", Bearer, "rotation-forgets", &["rotation-under-load"]),
        server(MEMORY, Bearer, "logout-ends-all", &["logout-scope"]),
        server(MEMORY, Bearer, "no-touch", &["activity-extends", "absolute-limit"]),
        server("cookie-sealed", Cookie, "sealed-cut", &["sealed-truncated", "credential-malformed", "mutated-refused"]),
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
const AT_ONCE: usize = 3;

/// The checks that a broken server must pass, in addition to those that it must fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// All others of the table.
    All,
    /// Those of the same rows of the security table.
    OfItsRows,
}

/// Returns how the suite's verdict on this server is wrong.
fn misjudged(broken: &Broken, others: Others) -> Option<String> {
    let scheme = broken.scheme.parse().unwrap();
    let more = if let Where::Server(fault) = broken.place { vec!["--fault", fault] } else { vec![] };
    let bed = match &broken.place {
        Where::Server(_) => Bed::with(program("examples/broken"), scheme, broken.carrier, broken.nodes, &more),
        Where::Proxy(_) => Bed::with(program(scheme.binary()), scheme, broken.carrier, broken.nodes, &more),
    };
    let proxy = match &broken.place {
        Where::Proxy(spoiler) => Some(Proxy::start(bed.address(), Arc::clone(spoiler))),
        Where::Server(_) => None,
    };
    let mut subject = Subject { extent: SMALL, ..bed.subject() };
    if let Some(proxy) = &proxy {
        subject.nodes = vec![proxy.address.into()];
    }
    let must: BTreeSet<_> = broken.fails.iter().copied().collect();
    let is_named = |check: &&Check| must.contains(check.id);
    let rows: BTreeSet<_> = checks::all().filter(is_named).map(|check| check.row).collect();
    let wanted = |check: &Check| others == Others::All || rows.contains(&check.row);
    let report = conformance::run_those(&subject, wanted, &mut (), &AtomicBool::new(false))
        .unwrap_or_else(|error| panic!("{}: {error}", broken.name));
    let failed: BTreeSet<_> = report.failures().map(|outcome| outcome.id.as_str()).collect();
    let accused: Vec<_> = failed.difference(&must).collect();
    let missed: Vec<_> = must.difference(&failed).collect();
    (failed != must).then(|| {
        let (name, scheme) = (broken.name, broken.scheme);
        format!("{name} of {scheme}: wrongly accused of {accused:?}, not accused of {missed:?}\n{}", failures(&report))
    })
}

/// Returns every broken server with the checks of its rows; with all checks the first of each family, correct ones, and
/// under `--full` every server.
fn examinations() -> Vec<(Broken, Others)> {
    let wanted = std::env::var("CONFORMANCE_FAULTS").unwrap_or_default();
    let wanted = |broken: &Broken| wanted.is_empty() || wanted.split(',').any(|name| name == broken.name);
    let others = |first: bool| if first || is_full() { Others::All } else { Others::OfItsRows };
    let examined = families().into_iter().flat_map(|family| {
        let (sound, broken): (Vec<_>, Vec<_>) = family.into_iter().partition(|broken| broken.fails.is_empty());
        let broken = broken.into_iter().enumerate().map(|(place, broken)| (broken, others(place == 0)));
        sound.into_iter().map(|sound| (sound, Others::All)).chain(broken).collect::<Vec<_>>()
    });
    examined.filter(|(broken, _)| wanted(broken)).collect()
}

#[test]
fn each_fault_fails_its_checks_and_no_others() {
    let queue = Mutex::new(examinations());
    let wrong = Mutex::new(vec![]);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((broken, others)) = { queue.lock().unwrap().pop() } {
                    let started = std::time::Instant::now();
                    let opinion = misjudged(&broken, others);
                    eprintln!("{} of {}: {:?} {}", broken.name, broken.scheme, started.elapsed(), opinion.is_none());
                    wrong.lock().unwrap().extend(opinion);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
