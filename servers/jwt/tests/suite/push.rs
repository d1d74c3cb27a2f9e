//! `jwt-*-push`: a request sends no query, and revocations take effect when they have been pushed.

use std::sync::Arc;
use std::time::Instant;

use chassis::auth::{AuthError, Authenticator};
use chassis::module::{AuthModule, StartError};
use jwt::{Jwt, JwtOptions};

use crate::testbed::{
    NOW, TTL_S, Testbed, assert_invalid, assert_no_renewal_survives_revocation, assert_store_unavailable, calls,
    claims, pause, renew_concurrently,
};
use testkit::TIMEOUT;

/// With a list that may be older than any stall of the machine.
fn testbed() -> Testbed {
    let testbed = short();
    Testbed { options: JwtOptions { propagation_s: Some(60), ..testbed.options.clone() }, ..testbed }
}

/// With a list that may be a second old.
fn short() -> Testbed {
    Testbed::of("-push")
}

#[tokio::test]
async fn request_sends_no_command() {
    let testbed = testbed();
    let node = testbed.node().await;
    let (token, ended) = (node.login(1).await, node.login(1).await);
    node.revoke(&ended).await.unwrap();
    let requests = async {
        for _ in 0..5 {
            node.assert_accepted(&token).await;
            node.assert_rejected(&ended).await;
        }
    };
    assert_eq!(testbed.count_commands(requests).await, calls([]));
    assert_eq!(node.tokens.describe().revocation_window_s, Some(60));
}

#[tokio::test]
async fn local_revocation_takes_effect_at_once() {
    let testbed = testbed();
    let node = testbed.node().await;
    let (one, other, third) = (node.login(1).await, node.login(1).await, node.login(2).await);
    node.revoke(&one).await.unwrap();
    node.assert_rejected(&one).await;
    assert_invalid(&node.revoke(&one).await);
    node.assert_accepted(&other).await;
    let renewed = node.renew(&other).await.unwrap();
    node.assert_rejected(&other).await;
    node.revoke_user(1).await.unwrap();
    node.assert_rejected(&renewed).await;
    assert_invalid(&node.renew(&renewed).await);
    node.assert_accepted(&third).await;
    let new = node.login(1).await;
    node.assert_accepted(&new).await;
}

#[tokio::test]
async fn remote_revocation_is_pushed() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let (ended, all, good) = (one.login(1).await, one.login(2).await, one.login(3).await);
    two.assert_accepted(&ended).await;
    two.assert_accepted(&all).await;
    one.revoke(&ended).await.unwrap();
    one.revoke_user(2).await.unwrap();
    two.await_rejected(&ended).await;
    two.await_rejected(&all).await;
    two.assert_accepted(&good).await;
    let new = one.login(2).await;
    two.assert_accepted(&new).await;
}

#[tokio::test]
async fn server_starts_with_a_snapshot_of_earlier_revocations() {
    let testbed = testbed();
    let one = testbed.node().await;
    let (ended, all, good) = (one.login(1).await, one.login(2).await, one.login(3).await);
    one.revoke(&ended).await.unwrap();
    one.revoke_user(2).await.unwrap();
    let late = testbed.node().await;
    late.assert_rejected(&ended).await;
    late.assert_rejected(&all).await;
    late.assert_accepted(&good).await;
}

#[tokio::test]
async fn a_server_that_cannot_read_the_whole_list_does_not_start() {
    let testbed = testbed();
    testbed.node().await;
    let () = testbed.query_redis("ZADD test:denied 9999999999 nonsense");
    let rejected = Jwt::build(&testbed.start, testbed.options.clone()).await.map(|_| ());
    assert!(matches!(&rejected, Err(StartError::Failed(text)) if text.contains("not a denial")), "{rejected:?}");
}

#[tokio::test]
async fn unknown_messages_on_the_channel_are_ignored() {
    let testbed = testbed();
    let node = testbed.node().await;
    let token = node.login(1).await;
    for word in ["", "x", "9", "9-t-x"] {
        let heard: u64 =
            redis::cmd("PUBLISH").arg("test:denied").arg(word).query(&mut testbed.redis.connection()).unwrap();
        assert_eq!(heard, 1);
    }
    let other = node.login(1).await;
    node.revoke(&other).await.unwrap();
    node.assert_accepted(&token).await;
}

/// The connections of feeds are cut; what is revoked meanwhile is known afterwards.
#[tokio::test]
async fn reconnected_feed_misses_no_revocation() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    for _ in 0..5 {
        let (token, all) = (one.login(1).await, one.login(2).await);
        two.assert_accepted(&token).await;
        let cut: u64 = testbed.query_redis("CLIENT KILL TYPE pubsub");
        assert!(cut <= 2);
        one.revoke(&token).await.unwrap();
        one.revoke_user(2).await.unwrap();
        one.assert_rejected(&token).await;
        two.await_rejected(&token).await;
        two.await_rejected(&all).await;
        let new = one.login(3).await;
        two.await_verdict(&new, Result::is_ok).await;
    }
}

/// The list is still fresh enough to be used, but would not stay so.
#[tokio::test]
async fn server_is_not_ready_while_its_feed_cannot_connect() {
    let testbed = testbed();
    let node = testbed.node().await;
    let token = node.login(1).await;
    assert_eq!(node.tokens.ready().await, Ok(()));
    let () = testbed.query_redis("ACL SETUSER default -subscribe");
    let deadline = Instant::now() + TIMEOUT;
    while node.tokens.ready().await.is_ok() {
        assert!(Instant::now() < deadline, "it is ready without a feed");
        let _: u64 = testbed.query_redis("CLIENT KILL TYPE pubsub");
        pause().await;
    }
    node.assert_accepted(&token).await;
    let () = testbed.query_redis("ACL SETUSER default +subscribe");
    node.await_ready(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_one_concurrent_renewal_succeeds_before_the_push_arrives() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let nodes: Vec<_> = (0..8).map(|n| Arc::clone(if n % 2 == 0 { &one } else { &two })).collect();
    for _ in 0..20 {
        let old = one.login(1).await;
        let winners = renew_concurrently(&nodes, &old).await;
        assert_eq!(winners.len(), 1);
        two.assert_accepted(&winners[0]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_concurrent_with_logout_all_does_not_survive() {
    let testbed = testbed();
    assert_no_renewal_survives_revocation(&testbed.node().await, &testbed.node().await).await;
}

#[tokio::test]
async fn stopped_redis_is_tolerated_for_a_bounded_time() {
    let mut testbed = short();
    let node = testbed.node().await;
    let (good, ended, all) = (node.login(1).await, node.login(1).await, node.login(2).await);
    node.revoke(&ended).await.unwrap();
    node.revoke_user(2).await.unwrap();
    testbed.redis.kill();
    node.await_store_unavailable(&good).await;
    assert_store_unavailable(&node.verify(&ended).await);
    assert_store_unavailable(&node.revoke(&good).await);
    assert_store_unavailable(&node.tokens.ready().await);
    testbed.redis.restart();
    node.await_ready(&[&ended, &all]).await;
    // It came back empty: all users log in again, and revoked tokens stay rejected.
    let new = node.login(1).await;
    node.await_verdict(&new, Result::is_ok).await;
    let late = testbed.node().await;
    for token in [&good, &ended, &all] {
        node.await_rejected(token).await;
        late.assert_rejected(token).await;
    }
    late.assert_accepted(&new).await;
}

#[tokio::test]
async fn hanging_feed_rejects_all_after_its_time_limit() {
    let testbed = short();
    let node = testbed.node().await;
    let (good, ended) = (node.login(1).await, node.login(1).await);
    node.revoke(&ended).await.unwrap();
    testbed.redis.suspend();
    node.await_store_unavailable(&good).await;
    testbed.redis.resume();
    node.await_verdict(&good, Result::is_ok).await;
    node.assert_rejected(&ended).await;
}

/// While Redis hangs nothing is pushed; afterwards a server knows remote revocations before it trusts its list again.
#[tokio::test]
async fn revocations_during_a_feed_outage_are_known_when_the_feed_is_fresh_again() {
    let testbed = short();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let token = one.login(1).await;
    two.assert_accepted(&token).await;
    // Two waits for responses as long as clients are paused, and one for its own turn.
    let revoking = {
        let (one, token) = (Arc::clone(&one), token.clone());
        let () = testbed.query_redis("CLIENT PAUSE 2500 ALL");
        tokio::spawn(async move {
            let deadline = Instant::now() + TIMEOUT;
            while matches!(one.revoke(&token).await, Err(AuthError::StoreUnavailable(_))) {
                assert!(Instant::now() < deadline, "it does not recover");
                pause().await;
            }
        })
    };
    two.await_store_unavailable(&token).await;
    revoking.await.unwrap();
    two.await_rejected(&token).await;
}

#[tokio::test]
async fn expired_denials_leave_the_list() {
    let testbed = testbed();
    let node = testbed.node().await;
    let last_second = NOW + TTL_S - 1;
    let deadline = Instant::now() + TIMEOUT;
    let first = node.login(1).await;
    node.tokens.revoke(Some(&first), last_second).await.unwrap();
    let entry = format!("t {}", claims(&first)["jti"].as_str().unwrap());
    let listed = || {
        let entries: Vec<String> = testbed.query_redis("ZRANGE test:denied 0 -1");
        entries.contains(&entry)
    };
    assert!(listed());
    while listed() {
        assert!(Instant::now() < deadline, "it stays listed");
        let other = node.login(1).await;
        node.tokens.revoke(Some(&other), NOW).await.unwrap();
        pause().await;
    }
}

#[tokio::test]
async fn a_user_is_listed_once() {
    let testbed = testbed();
    let node = testbed.node().await;
    for user in [1, 1, 2, 1] {
        node.revoke_user(user).await.unwrap();
    }
    let listed: Vec<String> = testbed.query_redis("ZRANGE test:denied 0 -1");
    assert_eq!(listed.len(), 2, "{listed:?}");
    let left: u64 = testbed.query_redis("TTL test:denied");
    // Redis has counted down since then.
    assert!((TTL_S - 20..=TTL_S + 1).contains(&left), "{left}");
}
