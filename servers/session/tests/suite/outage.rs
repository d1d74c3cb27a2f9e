//! What a server does without its store: row 19 of the security table.

use std::time::Instant;

use crate::http::{Answer, PATIENCE};
use crate::redis_process::Redis;
use crate::server::Server;

const SHARED: [&str; 2] = ["session-redis", "session-redis-pool"];

fn start(redis: &Redis, scheme: &str) -> (Server, String) {
    let flags = ["--scheme", scheme, "--redis-url", &redis.url(), "--carrier", "cookie", "--workers", "1"];
    let server = Server::start(crate::BINARY, &flags);
    let cookie = server.login(1).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    (server, cookie)
}

/// 503 that says when to ask again, takes nothing away, and comes: the client waits for no answer for ever.
#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["type"], "urn:authbench:problem:store-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("www-authenticate"), None);
}

#[track_caller]
fn assert_down(server: &Server, cookie: &str) {
    let headers = [("cookie", cookie)];
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
    assert_eq!(server.get("/me", &[]).status, 401, "nobody needs no store");
}

fn await_ready(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while server.get("/readyz", &[]).status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
    }
}

#[test]
fn a_redis_that_is_gone_gives_503_until_it_is_back() {
    for scheme in SHARED {
        let mut redis = Redis::start();
        let (server, cookie) = start(&redis, scheme);
        redis.kill();
        assert_down(&server, &cookie);
        redis.revive();
        await_ready(&server);
        assert_eq!(server.get("/me", &[("cookie", &cookie)]).status, 401, "it came back empty");
        assert_eq!(server.login(1).status, 200);
        server.signal("-TERM");
        let (_, log) = server.ended();
        assert!(log.contains("store unavailable"), "the outage is logged: {log}");
    }
}

#[test]
fn a_redis_that_hangs_gives_503_and_loses_no_session() {
    for scheme in SHARED {
        let redis = Redis::start();
        let (server, cookie) = start(&redis, scheme);
        redis.signal("-STOP");
        assert_down(&server, &cookie);
        redis.signal("-CONT");
        await_ready(&server);
        let headers = [("cookie", cookie.as_str())];
        assert_eq!(server.get("/me", &headers).status, 200, "the session outlived the outage");
    }
}
