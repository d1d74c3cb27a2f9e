//! Privileged writes (ASVS 8.3): what ends them at once, at a node that still accepts the token for reads.

use chassis::auth::Authenticator;

use crate::forge::key_file;
use crate::testbed::{NOW, Testbed, assert_invalid, assert_store_unavailable, calls, claims};
use testkit::privileged_writes::assert_changes_revoke_writes;
use testkit::redis::Redis;
use testkit::server::Server;

/// One of each scheme, with windows that no test outlives.
#[test]
fn user_change_at_one_node_blocks_writes_at_the_other() {
    let redis = Redis::start();
    let (flag, secret) = key_file(jwt::Algorithm::Hs256);
    for suffix in ["", "-refresh", "-denylist", "-push", "-epoch"] {
        let scheme = format!("jwt-hs256{suffix}");
        let prefix = format!("{scheme}:");
        let shared = ["--scheme", &scheme, flag, secret, "--redis-url", &redis.url(), "--key-prefix", &prefix];
        let windows = ["--epoch-ttl-s", "3600", "--propagation-s", "3600"];
        let node = || Server::start(crate::BINARY, &[&shared[..], &windows].concat());
        assert_changes_revoke_writes(&node(), &node());
    }
}

#[tokio::test]
async fn missed_denial_blocks_writes_but_not_reads() {
    let testbed = Testbed::of("-push");
    let node = testbed.node().await;
    let token = node.login(1).await;
    let denied = format!("SET test:d:{} 1", claims(&token)["jti"].as_str().unwrap());
    let () = testbed.query_redis(&denied);
    node.assert_accepted(&token).await;
    assert_invalid(&node.tokens.verify_current(Some(&token), NOW).await);
}

#[tokio::test]
async fn without_redis_writes_are_rejected() {
    for suffix in ["", "-refresh", "-denylist", "-push", "-epoch"] {
        let mut testbed = Testbed::of(suffix);
        let node = testbed.node().await;
        let token = node.login(1).await;
        node.assert_accepted(&token).await;
        let write =
            testbed.count_commands(async { drop(node.tokens.verify_current(Some(&token), NOW).await.unwrap()) }).await;
        assert_eq!(write.values().sum::<u64>(), 1, "{suffix}: {write:?}");
        let reads = testbed.count_commands(node.assert_accepted(&token)).await;
        assert_eq!(reads, if suffix == "-denylist" { calls([("mget", 1)]) } else { calls([]) }, "{suffix}");
        testbed.redis.kill();
        assert_store_unavailable(&node.tokens.verify_current(Some(&token), NOW).await);
    }
}
