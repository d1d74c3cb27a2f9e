//! What each request costs the store, in commands.

use std::collections::BTreeMap;

use serde_json::json;
use session::SessionStore;

use crate::testbed::{ALWAYS, NEVER, THROTTLED, Testbed};
use testkit::cluster::Cluster;
use testkit::postgres::Postgres;
use testkit::redis::Redis;
use testkit::server::Server;

fn calls<const N: usize>(expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// The commands of `uses` checks.
async fn cost<S: SessionStore>(testbed: &Testbed<S>, id: &str, uses: usize) -> BTreeMap<String, u64> {
    let redis = testbed.redis().unwrap();
    redis.reset_calls();
    for _ in 0..uses {
        testbed.assert_accepted(id).await;
    }
    redis.calls()
}

#[tokio::test]
async fn touch_never_only_reads() {
    let mut testbed = Testbed::over_redis(NEVER).await;
    let id = testbed.login(1).await;
    assert_eq!(cost(&testbed, &id, 5).await, calls([("get", 5)]));
    testbed.advance(900);
    assert_eq!(cost(&testbed, &id, 5).await, calls([("get", 5)]));
}

#[tokio::test]
async fn touch_throttled_writes_once_per_interval() {
    let mut testbed = Testbed::over_redis(THROTTLED).await;
    let id = testbed.login(1).await;
    testbed.advance(90);
    assert_eq!(cost(&testbed, &id, 5).await, calls([("get", 5)]));
    testbed.advance(10);
    assert_eq!(cost(&testbed, &id, 5).await, calls([("get", 5), ("set", 1)]));
    testbed.advance(90);
    assert_eq!(cost(&testbed, &id, 5).await, calls([("get", 5)]));
}

#[tokio::test]
async fn touch_always_reads_and_extends_in_one_command() {
    let mut testbed = Testbed::over_redis(ALWAYS).await;
    let id = testbed.login(1).await;
    assert_eq!(cost(&testbed, &id, 5).await, calls([("getex", 5)]));
    for _ in 0..10 {
        testbed.advance(900);
        testbed.assert_accepted(&id).await;
    }
    // At 9,000 of 10,000 seconds the idle limit ends with the absolute one; later it has to be cut.
    assert_eq!(cost(&testbed, &id, 5).await, calls([("getex", 5)]));
    testbed.advance(10);
    assert_eq!(cost(&testbed, &id, 5).await, calls([("getex", 5), ("expire", 5)]));
}

#[tokio::test]
async fn malformed_id_sends_no_command() {
    let testbed = Testbed::over_redis(THROTTLED).await;
    let redis = testbed.redis().unwrap();
    redis.reset_calls();
    for wrong in ["", "x", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"] {
        testbed.assert_rejected(wrong).await;
    }
    assert_eq!(redis.calls(), calls([]));
}

#[test]
fn request_sends_one_command_and_three_over_a_pool() {
    let redis = Redis::start();
    for (scheme, cost) in [
        ("session-redis", calls([("get", 10)])),
        ("session-redis-pool", calls([("get", 10), ("ping", 10), ("unwatch", 10)])),
    ] {
        let server = Server::start(crate::BINARY, &["--scheme", scheme, "--redis-url", &redis.url()]);
        let token = server.login(1).json()["token"].as_str().unwrap().to_owned();
        redis.reset_calls();
        for _ in 0..10 {
            assert_eq!(server.get("/me", &[("authorization", &format!("Bearer {token}"))]).status, 200);
        }
        assert_eq!(redis.calls(), cost, "{scheme}");
    }
}

#[test]
fn request_sends_one_command_to_the_cluster_node_with_the_session() {
    let cluster = Cluster::start();
    let server =
        Server::start(crate::BINARY, &["--scheme", "session-redis-cluster", "--redis-url", &cluster.url(), "--bench"]);
    let minted = server.post_json("/bench/mint", &json!({"count": 60, "first_user": 0})).json();
    let holding = cluster.nodes.iter().filter(|node| node.keys().iter().any(|key| key.contains("s:{")));
    assert_eq!(holding.count(), 3, "users are spread over all nodes");
    cluster.reset_calls();
    for credential in minted["credentials"].as_array().unwrap() {
        let token = credential["headers"]["authorization"].as_str().unwrap();
        assert_eq!(server.get("/me", &[("authorization", token)]).status, 200);
    }
    assert_eq!(cluster.calls(), calls([("get", 60)]));
}

#[test]
fn request_sends_one_prepared_select_to_postgres() {
    let postgres = Postgres::start();
    let server = Server::start(crate::BINARY, &["--scheme", "session-postgres", "--postgres-url", &postgres.url()]);
    let token = server.login(1).json()["token"].as_str().unwrap().to_owned();
    let before = postgres.statements().len();
    for _ in 0..10 {
        assert_eq!(server.get("/me", &[("authorization", &format!("Bearer {token}"))]).status, 200);
    }
    let statements = postgres.statements();
    let select = "SELECT payload FROM authbench_sessions WHERE key = $1 AND deadline > $2";
    assert_eq!(&statements[before..], [select; 10], "{statements:?}");
}
