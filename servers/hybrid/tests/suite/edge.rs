//! The hybrid: one look-up at the edge, a signature inside, and a revocation that the edge knows at once.

use std::time::Instant;

use serde_json::{Value, json};

use crate::server_chain::{start_chain, url};
use testkit::TIMEOUT;
use testkit::program::program;
use testkit::redis::Redis;
use testkit::server::Server;

/// An edge with `count` servers behind it that trust its keys.
struct Deployment {
    edge: Server,
    inner: Vec<Server>,
}

impl Deployment {
    fn new(redis: &Redis, count: usize, edge_flags: &[&str]) -> Self {
        let address = testkit::free_address().to_string();
        let keys = format!("http://{address}/.well-known/jwks.json");
        let inner =
            start_chain(&program("jwt-server"), &["--scheme", "jwt-eddsa", "--trusted-jwks", &keys, "--bench"], count);
        let behind = url(&inner[0]);
        let own =
            ["--listen", &address, "--redis-url", &redis.url(), "--next-hop", &behind, "--bench", "--users", "100"];
        let edge = Server::start_with(crate::EDGE, &[&own, edge_flags].concat(), &[]);
        Self { edge, inner }
    }

    fn chain(&self, hops: usize, token: &str) -> u16 {
        self.edge.get(&format!("/chain?hops={hops}"), &[("authorization", token)]).status
    }
}

fn login(server: &Server, user: u32) -> String {
    format!("Bearer {}", server.login(user).json()["token"].as_str().unwrap())
}

#[test]
fn session_is_looked_up_once_for_any_number_of_hops() {
    let redis = Redis::start();
    let deployment = Deployment::new(&redis, 3, &[]);
    let token = login(&deployment.edge, 7);
    for hops in 0..=3 {
        redis.reset_calls();
        let response = deployment.edge.get(&format!("/chain?hops={hops}"), &[("authorization", &token)]);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.json()["username"], "user-000007");
        assert_eq!(redis.calls().get("get"), Some(&1), "{hops} hops");
    }
    // The session itself is worth nothing inside.
    assert_eq!(deployment.inner[0].get("/me", &[("authorization", &token)]).status, 401);
}

#[test]
fn revoked_session_is_rejected_at_the_edge_at_once() {
    let redis = Redis::start();
    let deployment = Deployment::new(&redis, 1, &[]);
    for end in ["/logout", "/logout-all", "/refresh"] {
        let token = login(&deployment.edge, 7);
        assert_eq!(deployment.chain(1, &token), 200);
        assert!(deployment.edge.post(end, &[("authorization", &token)]).status < 300);
        assert_eq!(deployment.chain(1, &token), 401, "{end}");
    }
}

#[test]
fn user_change_at_one_edge_blocks_writes_at_the_other() {
    let redis = Redis::start();
    let edge = || Server::start(crate::EDGE, &["--redis-url", &redis.url()]);
    testkit::privileged_writes::assert_changes_revoke_writes(&edge(), &edge());
}

#[test]
fn key_rotation_under_load_fails_no_request() {
    let redis = Redis::start();
    let deployment = Deployment::new(&redis, 2, &["--inner-ttl-s", "30"]);
    let tokens: Vec<_> = (0..8).map(|user| login(&deployment.edge, user)).collect();
    let failed: Vec<u16> = std::thread::scope(|scope| {
        let loads: Vec<_> = tokens
            .iter()
            .map(|token| {
                scope.spawn(|| (0..100).map(|_| deployment.chain(2, token)).filter(|status| *status != 200).collect())
            })
            .collect();
        for _ in 0..3 {
            assert_eq!(deployment.edge.post_json("/bench/rotate", &json!({})).status, 204);
            let published = deployment.edge.get("/.well-known/jwks.json", &[]).json();
            assert!(published["keys"].as_array().unwrap().len() >= 2, "the old key is still trusted: {published}");
            // The token of a new session is signed with the new key, which the servers behind do not know yet.
            assert_eq!(deployment.chain(2, &login(&deployment.edge, 9)), 200);
        }
        loads.into_iter().flat_map(|load| -> Vec<u16> { load.join().unwrap() }).collect()
    });
    assert_eq!(failed, [0_u16; 0]);
}

#[test]
fn unknown_key_flood_fetches_keys_at_most_once_a_second() {
    let redis = Redis::start();
    let deployment = Deployment::new(&redis, 1, &[]);
    let header = |n: usize| format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"unknown-{n}"}}"#);
    let encode = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let started = Instant::now();
    let rejected = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..20)
            .map(|n| {
                let token = format!("Bearer {}.{}.{}", encode(&header(n)), encode("{}"), encode(&"x".repeat(64)));
                let inner = &deployment.inner[0];
                scope.spawn(move || {
                    (0..5).filter(|_| inner.get("/me", &[("authorization", &token)]).status == 401).count()
                })
            })
            .collect();
        floods.into_iter().map(|flood| flood.join().unwrap()).sum::<usize>()
    });
    assert_eq!(rejected, 100);
    let metrics = deployment.edge.get("/metrics", &[]).body;
    let fetches = metrics.lines().find(|line| line.contains(r#"route="/.well-known/jwks.json",status="200""#));
    let fetches: u64 = fetches.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0);
    let seconds = started.elapsed().as_secs() + 2;
    assert!((1..=seconds).contains(&fetches), "{fetches} times in {seconds} s");
}

#[test]
fn an_edge_is_described_with_its_inner_window() {
    let redis = Redis::start();
    let flags = ["--redis-url", &redis.url(), "--inner-ttl-s", "30", "--inner-algorithm", "ES256"];
    let edge = Server::start(crate::EDGE, &flags);
    let descriptor: Value = edge.get("/bench/scheme", &[]).json();
    assert_eq!(descriptor["scheme"], "hybrid");
    assert_eq!(descriptor["revocation_class"], "immediate");
    assert_eq!((&descriptor["revocation_window_s"], &descriptor["inner_window_s"]), (&json!(0), &json!(30)));
    assert_eq!(edge.get("/.well-known/jwks.json", &[]).json()["keys"][0]["alg"], "ES256");
}

#[test]
fn without_redis_the_edge_answers_503_and_recovers() {
    let mut redis = Redis::start();
    let deployment = Deployment::new(&redis, 1, &[]);
    let token = login(&deployment.edge, 7);
    assert_eq!(deployment.chain(1, &token), 200);
    redis.kill();
    assert_eq!(deployment.chain(1, &token), 503, "a token that is still good inside opens no door");
    redis.restart();
    let deadline = Instant::now() + TIMEOUT;
    while deployment.edge.get("/readyz", &[]).status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
    }
    assert_eq!(deployment.chain(1, &token), 401, "Redis comes back empty");
}
