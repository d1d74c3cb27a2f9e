//! Targets as in production: behind balancers, gateways and redirects, and without the routes below /bench/.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use contract::{Carrier, route};
use lab::server::{Server, ServerSpec};
use serde_json::Value;

use crate::front::{Message, front};
use crate::support::{Place, alone, authbench, json, load, quick_logins, start, stderr};

fn server(scheme: &str, carrier: Carrier, place: &Place) -> Server {
    let log = place.path().join("server.log");
    let (settings, scheme) = (quick_logins(), scheme.parse().unwrap());
    Server::start(&ServerSpec { carrier, users: 100, settings, ..ServerSpec::new(scheme, log) }).unwrap()
}

/// Returns the result of a load of this target, which has to have sent something.
fn loaded(place: &Place, target: &str, more: &[&str]) -> Value {
    let output = start(load(place, target, more)).wait_with_output().unwrap();
    let result = json(&output);
    assert!(result["requests"].as_u64().unwrap() > 10, "{target}: {result}");
    result
}

const OPEN: [&str; 6] = ["--rate", "100", "--duration", "500ms", "--population", "3"];
const CLOSED: [&str; 6] = ["--users", "2", "--duration", "500ms", "--population", "3"];

fn is_of_bench(request: &Message) -> bool {
    request.path().starts_with("/bench/")
}

fn not_found() -> Message {
    Message::answer("404 Not Found", &[], "")
}

/// Starts a balancer that sets its own cookie first, before those of the server. It accepts no credential without it,
/// and issues another one at every login and refresh, which invalidates the one before.
fn balancer(behind: SocketAddr) -> SocketAddr {
    let (issued, count) = (Mutex::new(HashSet::new()), AtomicUsize::new(0));
    front(behind, move |request, pass_on| {
        let (path, shown) = (request.path().to_owned(), request.cookie("AWSALB").map(str::to_owned));
        let known = shown.as_ref().is_some_and(|shown| issued.lock().unwrap().contains(shown));
        if is_of_bench(&request) {
            return not_found();
        }
        if path != route::LOGIN && !known {
            return Message::answer("401 Unauthorized", &[], "not by way of this balancer");
        }
        let mut answer = pass_on(&request);
        if path == route::LOGIN || path == route::REFRESH {
            let value = format!("balanced-{}", count.fetch_add(1, Ordering::Relaxed));
            answer.headers.insert(0, ("set-cookie".to_owned(), format!("AWSALB={value}; Path=/")));
            let mut issued = issued.lock().unwrap();
            shown.map(|shown| issued.remove(&shown));
            issued.insert(value);
        }
        answer
    })
}

#[test]
fn every_cookie_of_a_login_is_sent_back() {
    let _alone = alone();
    for carrier in [Carrier::Cookie, Carrier::Bearer] {
        let place = Place::new();
        let server = server("session-memory", carrier, &place);
        let target = format!("http://{}", balancer(server.address()));
        assert_eq!(loaded(&place, &target, &OPEN)["errors"], 0, "{carrier}");
        let place = Place::new();
        let plan = place.file(
            "journey.toml",
            "duration_s = 0.5\narrivals = { kind = \"closed\" }\nconnections = 3\npopulation = { size = 100 }\n\
             mix = { kind = \"journey\", reads = 2 }\ninterval_s = 0.1\n",
        );
        assert_eq!(loaded(&place, &target, &["--plan", plan.to_str().unwrap()])["errors"], 0, "{carrier}: a journey");
    }
}

#[test]
fn every_route_is_appended_to_the_path_of_the_target() {
    let _alone = alone();
    let place = Place::new();
    let server = server("jwt-hs256", Carrier::Bearer, &place);
    let gateway = front(server.address(), |mut request, pass_on| match request.path().strip_prefix("/auth/api/") {
        Some(rest) if rest != route::BENCH_MINT.trim_start_matches('/') => {
            request.line = request.line.replacen("/auth/api/", "/", 1);
            pass_on(&request)
        }
        _ => not_found(),
    });
    for target in [format!("http://{gateway}/auth/api"), format!("http://{gateway}/auth/api/")] {
        for more in [&OPEN[..], &CLOSED] {
            let place = Place::new();
            let more = [&["--scheme-from-target"], more].concat();
            assert_eq!(loaded(&place, &target, &more)["errors"], 0, "{target} {more:?}");
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
    let _alone = alone();
    let place = Place::new();
    let server = server("session-memory", Carrier::Cookie, &place);
    let reached = Arc::<AtomicUsize>::default();
    let reaching = Arc::clone(&reached);
    // It would respond to every request as the server does.
    let elsewhere = front(server.address(), move |request, pass_on| {
        reaching.fetch_add(1, Ordering::Relaxed);
        pass_on(&request)
    });
    let location = format!("http://{elsewhere}/me");
    for more in [OPEN, CLOSED] {
        let (location, reads) = (location.clone(), AtomicUsize::new(0));
        let redirecting = front(server.address(), move |request, pass_on| {
            let is_later_read = request.path() == route::ME && reads.fetch_add(1, Ordering::Relaxed) > 0;
            if is_later_read { Message::answer("302 Found", &[("location", &location)], "") } else { pass_on(&request) }
        });
        let place = Place::new();
        let result = loaded(&place, &format!("http://{redirecting}"), &more);
        assert!(result["errors"].as_u64().unwrap() + 1 >= result["requests"].as_u64().unwrap(), "{more:?}: {result}");
        let record = std::fs::read_to_string(place.run().join("record.json")).unwrap();
        assert!(record.contains("status 302"), "{more:?}: a redirect counts as the response");
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0, "no credential goes to another host");
}

const NO_CREDENTIALS: &str = "200 with no credentials";
const ENDLESS: &str = "200 with more than is read";

#[test]
fn target_without_bench_routes_gets_logins() {
    let _alone = alone();
    let place = Place::new();
    let server = server("jwt-hs256", Carrier::Bearer, &place);
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
                let target = front(server.address(), move |request, pass_on| {
                    if is_of_bench(&request) {
                        let (status, body) = match status {
                            NO_CREDENTIALS => ("200 OK", r#"{"credentials":[]}"#.to_owned()),
                            ENDLESS => ("200 OK", "x".repeat(4 << 20)),
                            status => (status, page.to_owned()),
                        };
                        return Message::answer(status, &[("location", "/"), ("content-type", "text/html")], &body);
                    }
                    pass_on(&request)
                });
                scope.spawn(move || {
                    let place = Place::new();
                    let more = ["--rate", "50", "--duration", "500ms", "--population", "1"];
                    let output = start(load(&place, &format!("http://{target}"), &more)).wait_with_output().unwrap();
                    let (result, said) = (json(&output), stderr(&output));
                    assert_eq!(result["errors"], 0, "{status}: {result}");
                    assert!(
                        said.contains("does not mint credentials") && said.contains("logging in"),
                        "{status}: {said}"
                    );
                });
            }
        });
    }
}

/// Minted credentials belong to the node that the balancer chose for minting.
#[test]
fn balancer_cookies_are_sent_with_minted_credentials() {
    let _alone = alone();
    for carrier in [Carrier::Cookie, Carrier::Bearer] {
        let place = Place::new();
        let server = server("session-memory", carrier, &place);
        let balancer = front(server.address(), |request, pass_on| {
            if request.path() == route::ME && request.cookie("AWSALB") != Some("chosen") {
                return Message::answer("401 Unauthorized", &[], "not by way of this balancer");
            }
            let mut answer = pass_on(&request);
            answer.headers.insert(0, ("set-cookie".to_owned(), "AWSALB=chosen; Path=/".to_owned()));
            answer
        });
        assert_eq!(loaded(&place, &format!("http://{balancer}"), &OPEN)["errors"], 0, "{carrier}");
    }
}
