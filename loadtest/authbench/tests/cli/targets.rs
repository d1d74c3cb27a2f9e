//! Targets as in production: behind balancers, gateways and redirects, and without the routes below /bench/.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use contract::{Carrier, route};
use lab::server::{Server, ServerSpec};
use serde_json::Value;
use testkit::message::Message;
use testkit::reverse_proxy::reverse_proxy;

use crate::support::{TestDir, authbench, exclusive, fast_password_hashing, json, load, start, stderr};

fn server(scheme: &str, carrier: Carrier, dir: &TestDir) -> Server {
    let log = dir.path().join("server.log");
    let (settings, scheme) = (fast_password_hashing(), scheme.parse().unwrap());
    Server::start(&ServerSpec { carrier, users: 100, settings, ..ServerSpec::new(scheme, log) }).unwrap()
}

/// Returns the result of a load of this target, which has to have sent something.
fn run_load(dir: &TestDir, target: &str, more: &[&str]) -> Value {
    let output = start(load(dir, target, more)).wait_with_output().unwrap();
    let result = json(&output);
    assert!(result["requests"].as_u64().unwrap() > 10, "{target}: {result}");
    result
}

const OPEN: [&str; 6] = ["--rate", "100", "--duration", "500ms", "--population", "3"];
const CLOSED: [&str; 6] = ["--users", "2", "--duration", "500ms", "--population", "3"];

fn is_bench_route(request: &Message) -> bool {
    request.path().starts_with("/bench/")
}

fn not_found() -> Message {
    Message::response("404 Not Found", &[], "")
}

/// Starts a balancer that sets its own cookie first, before those of the server. It accepts no credential without it,
/// and issues another one at every login and refresh, which invalidates the one before.
fn balancer(backend: SocketAddr) -> SocketAddr {
    let (issued, count) = (Mutex::new(HashSet::new()), AtomicUsize::new(0));
    reverse_proxy(backend, move |request, forward| {
        let (path, cookie) = (request.path().to_owned(), request.cookie("AWSALB"));
        let known = cookie.as_ref().is_some_and(|cookie| issued.lock().unwrap().contains(cookie));
        if is_bench_route(&request) {
            return Some(not_found());
        }
        if path != route::LOGIN && !known {
            return Some(Message::response("401 Unauthorized", &[], "not by way of this balancer"));
        }
        let mut response = forward(&request)?;
        if path == route::LOGIN || path == route::REFRESH {
            let value = format!("balanced-{}", count.fetch_add(1, Ordering::Relaxed));
            response.headers.insert(0, ("set-cookie".to_owned(), format!("AWSALB={value}; Path=/").into_bytes()));
            let mut issued = issued.lock().unwrap();
            cookie.map(|cookie| issued.remove(&cookie));
            issued.insert(value);
        }
        Some(response)
    })
}

#[test]
fn every_cookie_of_a_login_is_sent_back() {
    let _lock = exclusive();
    for carrier in [Carrier::Cookie, Carrier::Bearer] {
        let dir = TestDir::new();
        let server = server("session-memory", carrier, &dir);
        let target = format!("http://{}", balancer(server.address()));
        assert_eq!(run_load(&dir, &target, &OPEN)["errors"], 0, "{carrier}");
        let dir = TestDir::new();
        let plan = dir.file(
            "journey.toml",
            "duration_s = 0.5\narrivals = { kind = \"closed\" }\nconnections = 3\npopulation = { size = 100 }\n\
             mix = { kind = \"journey\", reads = 2 }\ninterval_s = 0.1\n",
        );
        assert_eq!(run_load(&dir, &target, &["--plan", plan.to_str().unwrap()])["errors"], 0, "{carrier}: a journey");
    }
}

#[test]
fn every_route_is_appended_to_the_path_of_the_target() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("jwt-hs256", Carrier::Bearer, &dir);
    let gateway =
        reverse_proxy(server.address(), |mut request, forward| match request.path().strip_prefix("/auth/api/") {
            Some(rest) if rest != route::BENCH_MINT.trim_start_matches('/') => {
                request.line = request.line.replacen("/auth/api/", "/", 1);
                forward(&request)
            }
            _ => Some(not_found()),
        });
    for target in [format!("http://{gateway}/auth/api"), format!("http://{gateway}/auth/api/")] {
        for more in [&OPEN[..], &CLOSED] {
            let dir = TestDir::new();
            let more = [&["--scheme-from-target"], more].concat();
            assert_eq!(run_load(&dir, &target, &more)["errors"], 0, "{target} {more:?}");
        }
    }
    for (target, why) in [("?a=b", "without a query"), ("/auth#top", "without a query")] {
        let target = format!("http://{gateway}{target}");
        for command in [&["load", "--rate", "1", "--duration", "1s", "--target"][..], &["conform", "--target"]] {
            let output = authbench(&[command, &[target.as_str()]].concat());
            assert_eq!(output.status.code(), Some(2), "{target}: {}", stderr(&output));
            assert!(stderr(&output).contains(why), "{}", stderr(&output));
        }
    }
}

#[test]
fn redirects_are_not_followed() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("session-memory", Carrier::Cookie, &dir);
    let reached = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&reached);
    // It would respond to every request as the server does.
    let other_host = reverse_proxy(server.address(), move |request, forward| {
        counter.fetch_add(1, Ordering::Relaxed);
        forward(&request)
    });
    let location = format!("http://{other_host}/me");
    for more in [OPEN, CLOSED] {
        let (location, reads) = (location.clone(), AtomicUsize::new(0));
        let redirecting = reverse_proxy(server.address(), move |request, forward| {
            let is_later_read = request.path() == route::ME && reads.fetch_add(1, Ordering::Relaxed) > 0;
            if is_later_read {
                Some(Message::response("302 Found", &[("location", &location)], ""))
            } else {
                forward(&request)
            }
        });
        let dir = TestDir::new();
        let result = run_load(&dir, &format!("http://{redirecting}"), &more);
        assert!(result["errors"].as_u64().unwrap() + 1 >= result["requests"].as_u64().unwrap(), "{more:?}: {result}");
        let record = std::fs::read_to_string(dir.run().join("record.json")).unwrap();
        assert!(record.contains("status 302"), "{more:?}: a redirect counts as the response");
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0, "no credential goes to another host");
}

const NO_CREDENTIALS: &str = "200 with no credentials";
const ENDLESS: &str = "200 with more than is read";

#[test]
fn target_without_bench_routes_gets_logins() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("jwt-hs256", Carrier::Bearer, &dir);
    let page = "<!doctype html><title>hello</title>";
    let statuses = [
        "302 Found",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "406 Not Acceptable",
        "422 Unprocessable Content",
        "500 Internal Server Error",
        "501 Not Implemented",
        "200 OK",
        NO_CREDENTIALS,
        ENDLESS,
    ];
    // Several at a time: the figures of these loads do not matter.
    for some in statuses.chunks(4) {
        std::thread::scope(|scope| {
            for &status in some {
                let target = reverse_proxy(server.address(), move |request, forward| {
                    if is_bench_route(&request) {
                        let (status, body) = match status {
                            NO_CREDENTIALS => ("200 OK", r#"{"credentials":[]}"#.to_owned()),
                            ENDLESS => ("200 OK", "x".repeat(4 << 20)),
                            status => (status, page.to_owned()),
                        };
                        let headers = [("location", "/"), ("content-type", "text/html")];
                        return Some(Message::response(status, &headers, &body));
                    }
                    forward(&request)
                });
                scope.spawn(move || {
                    let dir = TestDir::new();
                    let more = ["--rate", "50", "--duration", "500ms", "--population", "1"];
                    let output = start(load(&dir, &format!("http://{target}"), &more)).wait_with_output().unwrap();
                    let (result, printed) = (json(&output), stderr(&output));
                    assert_eq!(result["errors"], 0, "{status}: {result}");
                    assert!(
                        printed.contains("does not mint credentials") && printed.contains("logging in"),
                        "{status}: {printed}"
                    );
                });
            }
        });
    }
}

/// Minted credentials belong to the node that the balancer chose for minting.
#[test]
fn balancer_cookies_are_sent_with_minted_credentials() {
    let _lock = exclusive();
    for carrier in [Carrier::Cookie, Carrier::Bearer] {
        let dir = TestDir::new();
        let server = server("session-memory", carrier, &dir);
        let balancer = reverse_proxy(server.address(), |request, forward| {
            if request.path() == route::ME && request.cookie("AWSALB").as_deref() != Some("chosen") {
                return Some(Message::response("401 Unauthorized", &[], "not by way of this balancer"));
            }
            let mut response = forward(&request)?;
            response.headers.insert(0, ("set-cookie".to_owned(), b"AWSALB=chosen; Path=/".to_vec()));
            Some(response)
        });
        assert_eq!(run_load(&dir, &format!("http://{balancer}"), &OPEN)["errors"], 0, "{carrier}");
    }
}
