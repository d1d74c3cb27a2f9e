//! A request that crosses several servers: where it is looked up, where a signature is checked, and what comes back.

use serde_json::json;

use crate::server_chain::{start_chain, url};
use testkit::program::program;
use testkit::redis::Redis;
use testkit::server::Server;

fn login(server: &Server, user: u32) -> String {
    format!("Bearer {}", server.login(user).json()["token"].as_str().unwrap())
}

fn expected_user(user: u32) -> serde_json::Value {
    json!({
        "id": user,
        "username": format!("user-{user:06}"),
        "email": format!("user-{user:06}@example.test"),
        "roles": ["role-000"],
    })
}

#[test]
fn a_session_is_looked_up_at_every_hop() {
    let redis = Redis::start();
    let servers =
        start_chain(&program("session-server"), &["--scheme", "session-redis", "--redis-url", &redis.url()], 4);
    let token = login(&servers[0], 7);
    for hops in [0, 1, 3] {
        redis.reset_calls();
        let response = servers[0].get(&format!("/chain?hops={hops}"), &[("authorization", &token)]);
        assert_eq!((response.status, response.json()), (200, expected_user(7)));
        assert_eq!(redis.calls()["get"], hops + 1);
    }
    assert_eq!(servers[0].get("/chain", &[("authorization", &token)]).json(), expected_user(7), "no query, no hop");
}

#[test]
fn a_token_is_checked_at_every_hop_without_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, [7; 32]).unwrap();
    let servers = start_chain(&program("jwt-server"), &["--secret-file", secret.to_str().unwrap()], 4);
    let token = login(&servers[0], 7);
    let response = servers[0].get("/chain?hops=3", &[("authorization", &token)]);
    assert_eq!((response.status, response.json()), (200, expected_user(7)));
    // The second server checks by itself: it rejects what the first would accept.
    let strangers = start_chain(&program("jwt-server"), &[], 2);
    let token = login(&strangers[0], 7);
    let rejected = strangers[0].get("/chain?hops=1", &[("authorization", &token)]);
    assert_eq!((rejected.status, rejected.header("www-authenticate")), (401, Some(r#"Bearer error="invalid_token""#)));
}

#[test]
fn cookies_cross_hops_as_cookies() {
    let redis = Redis::start();
    let flags = ["--scheme", "session-redis", "--redis-url", &redis.url(), "--carrier", "cookie"];
    let servers = start_chain(&program("session-server"), &flags, 2);
    let cookie = servers[0].login(7).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(servers[0].get("/chain?hops=1", &[("cookie", &cookie)]).json(), expected_user(7));
}

#[test]
fn control_crosses_hops_without_a_credential() {
    let servers = start_chain(&program("anonymous-server"), &[], 11);
    assert_eq!(servers[0].get("/chain?hops=10", &[]).json(), expected_user(1));
}

#[test]
fn request_without_credential_is_rejected_at_the_first_server() {
    let servers = start_chain(&program("session-server"), &[], 2);
    for path in ["/chain", "/chain?hops=1"] {
        assert_eq!(servers[0].get(path, &[]).status, 401);
    }
}

#[test]
fn short_broken_or_invalid_chain_returns_a_problem() {
    let servers = start_chain(&program("session-server"), &[], 1);
    let token = login(&servers[0], 7);
    let ask = |path: &str| servers[0].get(path, &[("authorization", &token)]).status;
    for absurd in ["/chain?hops=17", "/chain?hops=-1", "/chain?hops=", "/chain?jumps=1", "/chain?hops=1&hops=2"] {
        assert_eq!(ask(absurd), 400, "{absurd}");
    }
    assert_eq!(ask("/chain?hops=1"), 404, "there is no next hop");
    let mut two = start_chain(&program("anonymous-server"), &[], 2);
    drop(two.pop());
    let broken = two[0].get("/chain?hops=1", &[]);
    assert_eq!(broken.status, 502);
    assert_eq!(broken.json()["type"], "urn:authbench:problem:next-hop-unavailable");
    assert_eq!(url(&two[0]), format!("http://{}", two[0].address));
}
