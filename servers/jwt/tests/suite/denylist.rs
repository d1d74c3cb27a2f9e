//! `jwt-*-denylist`: a look-up a request, and revocations that count at once, everywhere.

use std::sync::Arc;

use chassis::auth::Authenticator;
use contract::body::Identity;

use crate::testbed::{
    NOW, TTL_S, Testbed, assert_invalid, assert_no_renewal_survives_revocation, assert_store_unavailable, calls,
    claims, renew_concurrently,
};

fn testbed() -> Testbed {
    Testbed::of("-denylist")
}

#[tokio::test]
async fn request_sends_one_command_and_malformed_token_none() {
    let testbed = testbed();
    let node = testbed.node().await;
    let token = node.login(1).await;
    let good = async {
        for _ in 0..5 {
            node.assert_accepted(&token).await;
        }
    };
    assert_eq!(testbed.count_commands(good).await, calls([("mget", 5)]));
    let bad = async {
        node.assert_rejected("a.b.c").await;
        assert_invalid(&node.tokens.verify(Some(&token), NOW + TTL_S).await);
    };
    assert_eq!(testbed.count_commands(bad).await, calls([]));
    assert_eq!(node.tokens.describe().revocation_window_s, Some(0));
}

#[tokio::test]
async fn logout_revokes_only_this_token_on_every_node() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let (token, other) = (one.login(1).await, one.login(1).await);
    one.revoke(&token).await.unwrap();
    for node in [&one, &two] {
        node.assert_rejected(&token).await;
        node.assert_accepted(&other).await;
        assert_invalid(&node.revoke(&token).await);
        assert_invalid(&node.renew(&token).await);
    }
}

#[tokio::test]
async fn logout_all_revokes_every_token_of_only_this_user_on_every_node() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let first = one.login(1).await;
    let own = [two.login(1).await, one.renew(&first).await.unwrap()];
    let others = [one.login(2).await, two.login(11).await];
    two.revoke_user(1).await.unwrap();
    // Also within the same second.
    let new = one.login(1).await;
    for node in [&one, &two] {
        for token in &own {
            node.assert_rejected(token).await;
            assert_invalid(&node.renew(token).await);
        }
        for token in others.iter().chain([&new]) {
            node.assert_accepted(token).await;
        }
    }
    one.revoke_user(1).await.unwrap();
    two.assert_rejected(&new).await;
}

#[tokio::test]
async fn renewal_revokes_the_old_token_and_keeps_epoch_and_login_time() {
    let testbed = testbed();
    let node = testbed.node().await;
    let old = node.login(1).await;
    let new = node.renew(&old).await.unwrap();
    node.assert_rejected(&old).await;
    assert_invalid(&node.renew(&old).await);
    node.assert_accepted(&new).await;
    assert_eq!(claims(&old)["epoch"], claims(&new)["epoch"]);
    assert_eq!(claims(&old)["auth_time"], claims(&new)["auth_time"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_one_concurrent_renewal_succeeds() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let nodes: Vec<_> = (0..8).map(|n| Arc::clone(if n % 2 == 0 { &one } else { &two })).collect();
    for _ in 0..20 {
        let old = one.login(1).await;
        let winners = renew_concurrently(&nodes, &old).await;
        assert_eq!(winners.len(), 1);
        one.assert_rejected(&old).await;
        two.assert_accepted(&winners[0]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_concurrent_with_logout_all_does_not_survive() {
    let testbed = testbed();
    assert_no_renewal_survives_revocation(&testbed.node().await, &testbed.node().await).await;
}

#[tokio::test]
async fn denylist_entries_expire_with_their_tokens() {
    let testbed = testbed();
    let node = testbed.node().await;
    let token = node.login(1).await;
    let late = NOW + TTL_S - 10;
    node.tokens.revoke(Some(&token), late).await.unwrap();
    node.revoke_user(2).await.unwrap();
    let mark = format!("test:d:{}", claims(&token)["jti"].as_str().unwrap());
    assert_eq!(testbed.redis.keys(), [&mark, "test:e:2", "test:floor", "test:tick"]);
    let left = |key: &str| testbed.query_redis::<u64>(&format!("TTL {key}"));
    assert!(left(&mark) <= 10);
    assert!((TTL_S - 10..=TTL_S).contains(&left("test:e:2")));
}

#[tokio::test]
async fn epochs_are_whole_microseconds() {
    let testbed = testbed();
    let node = testbed.node().await;
    let token = node.login(1).await;
    node.revoke_user(1).await.unwrap();
    let epoch = claims(&token)["epoch"].as_u64().unwrap();
    let stored: u64 = testbed.query_redis("GET test:e:1");
    let [seconds, _]: [u64; 2] = testbed.query_redis::<Vec<u64>>("TIME").try_into().unwrap();
    assert!(epoch < stored && stored / 1_000_000 <= seconds && stored / 1_000_000 + 60 > seconds, "{epoch} {stored}");
}

#[tokio::test]
async fn revocations_hold_after_the_redis_clock_is_set_back() {
    let testbed = testbed();
    let node = testbed.node().await;
    node.login(1).await;
    // As it is after a clock that went two centuries ahead has been put right.
    let () = testbed.query_redis("SET test:tick 8000000000000000");
    let old = node.login(1).await;
    assert_eq!(claims(&old)["epoch"], 8_000_000_000_000_001_u64);
    node.revoke_user(1).await.unwrap();
    node.assert_rejected(&old).await;
    let new = node.login(1).await;
    node.assert_accepted(&new).await;
}

#[tokio::test]
async fn stopped_redis_rejects_all_and_empty_redis_rejects_earlier_tokens() {
    let mut testbed = testbed();
    let node = testbed.node().await;
    let (good, ended, all) = (node.login(1).await, node.login(1).await, node.login(2).await);
    node.revoke(&ended).await.unwrap();
    node.revoke_user(2).await.unwrap();
    testbed.redis.kill();
    for token in [&good, &ended, &all] {
        assert_store_unavailable(&node.verify(token).await);
    }
    assert_store_unavailable(&node.renew(&good).await);
    assert_store_unavailable(&node.revoke(&good).await);
    assert_store_unavailable(&node.revoke_user(1).await);
    assert_store_unavailable(&node.tokens.issue(&Identity::seeded(1, 1), NOW).await.map(|_| ()));
    assert_store_unavailable(&node.tokens.ready().await);
    testbed.redis.restart();
    node.await_ready(&[&good, &ended, &all]).await;
    for token in [&good, &ended, &all] {
        node.assert_rejected(token).await;
    }
    // A login creates a new floor, above everything that was issued before.
    let new = node.login(1).await;
    node.assert_accepted(&new).await;
    for token in [&good, &ended, &all] {
        node.assert_rejected(token).await;
        assert_invalid(&node.renew(token).await);
    }
}

#[tokio::test]
async fn hanging_redis_rejects_all_and_loses_no_revocation() {
    let testbed = testbed();
    let node = testbed.node().await;
    let (good, ended) = (node.login(1).await, node.login(1).await);
    node.revoke(&ended).await.unwrap();
    testbed.redis.suspend();
    assert_store_unavailable(&node.verify(&good).await);
    assert_store_unavailable(&node.verify(&ended).await);
    testbed.redis.resume();
    node.await_ready(&[&ended]).await;
    node.assert_accepted(&good).await;
    node.assert_rejected(&ended).await;
}
