//! What a server does without its store: row 19 of the security table.

use std::time::Instant;

use crate::testbed;
use testkit::TIMEOUT;
use testkit::backend::Backend;
use testkit::http::Response;
use testkit::redis::Redis;
use testkit::server::Server;

/// The schemes that are nothing without their store.
const SHARED: [&str; 4] = ["session-redis", "session-redis-pool", "session-redis-cluster", "session-postgres"];

fn start(backend: &Backend, scheme: &str) -> (Server, String) {
    let server = testbed::server(backend, scheme, &["--carrier", "cookie", "--workers", "1"]);
    let cookie = server.login(1).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    (server, cookie)
}

/// 503 with `Retry-After` that clears nothing, and that arrives in time.
#[track_caller]
fn assert_unavailable(response: &Response) {
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.json()["type"], "urn:authbench:problem:store-unavailable");
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.header("set-cookie"), None);
    assert_eq!(response.header("www-authenticate"), None);
}

#[track_caller]
fn assert_down(server: &Server, cookie: &str) {
    let headers = [("cookie", cookie), ("sec-fetch-site", "same-origin")];
    assert_unavailable(&server.get("/me", &headers));
    assert_unavailable(&server.get("/admin", &headers));
    for path in ["/refresh", "/logout", "/logout-all"] {
        assert_unavailable(&server.post(path, &headers));
    }
    assert_unavailable(&server.login(1));
    assert_unavailable(&server.get("/readyz", &[]));
    for path in ["/healthz", "/metrics", "/bench/scheme", "/openapi.json"] {
        assert_eq!(server.get(path, &[]).status, 200, "{path} needs no store");
    }
    assert_eq!(server.get("/me", &[]).status, 401, "a request without a credential needs no store");
}

fn await_ready(server: &Server) {
    let deadline = Instant::now() + TIMEOUT;
    while server.get("/readyz", &[]).status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
    }
}

#[test]
fn stopped_store_returns_503_until_it_is_back() {
    for scheme in SHARED {
        let mut backend = Backend::of(testbed::scheme(scheme));
        let (server, cookie) = start(&backend, scheme);
        backend.kill();
        assert_down(&server, &cookie);
        backend.restart();
        await_ready(&server);
        let kept = if matches!(backend, Backend::Postgres(_)) { 200 } else { 401 };
        assert_eq!(server.get("/me", &[("cookie", &cookie)]).status, kept, "{scheme}: Redis comes back empty");
        assert_eq!(server.login(1).status, 200);
        server.signal("-TERM");
        let (_, log) = server.wait_for_exit();
        assert!(log.contains("store unavailable"), "the outage is logged: {log}");
    }
}

#[test]
fn hanging_store_returns_503_and_loses_no_session() {
    for scheme in SHARED {
        let backend = Backend::of(testbed::scheme(scheme));
        let (server, cookie) = start(&backend, scheme);
        backend.suspend();
        assert_down(&server, &cookie);
        backend.resume();
        await_ready(&server);
        let headers = [("cookie", cookie.as_str())];
        assert_eq!(server.get("/me", &headers).status, 200, "the session outlived the outage");
    }
}

/// Nodes that announce unreachable addresses and redirect a command there: the client of `redis` then drops every
/// node, and never again queries the one that it was given.
#[test]
fn cluster_is_rediscovered_after_its_addresses_were_unreachable() {
    let mut backend = Backend::of(testbed::scheme("session-redis-cluster"));
    let server = testbed::server(&backend, "session-redis-cluster", &["--carrier", "cookie", "--workers", "1"]);
    let Backend::Cluster(cluster) = &mut backend else { panic!("no cluster") };
    let own: Vec<_> = cluster.nodes.iter().map(Redis::port).collect();
    cluster.announce(&[1, 2, 3]);
    cluster.move_slots();
    // Their keys lie all over the slots, so that some have moved.
    let lost = (1..200).any(|user| server.login(user).status == 503);
    assert!(lost, "no request was redirected to an address without a node");
    cluster.announce(&own);
    await_ready(&server);
    assert_eq!(server.login(1).status, 200);
}
