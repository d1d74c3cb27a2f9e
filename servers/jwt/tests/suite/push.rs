//! `jwt-*-push`: a request sends no query, and revocations take effect when they have been pushed.

use std::sync::Arc;
use std::time::Instant;

use chassis::auth::{AuthError, Authenticator};
use chassis::module::{AuthModule, StartError};
use jwt::Jwt;

use crate::bed::{
    Bed, NOW, TTL_S, assert_down, assert_invalid, breathe, calls, claims, no_renewal_slips_through, renewed_at_once,
};
use testkit::TIMEOUT;

fn bed() -> Bed {
    Bed::of("-push")
}

#[tokio::test]
async fn request_sends_no_command() {
    let bed = bed();
    let node = bed.node().await;
    let (token, ended) = (node.login(1).await, node.login(1).await);
    node.revoke(&ended).await.unwrap();
    let requests = async {
        for _ in 0..5 {
            node.assert_good(&token).await;
            node.assert_over(&ended).await;
        }
    };
    assert_eq!(bed.cost(requests).await, calls([]));
    assert_eq!(node.tokens.describe().revocation_window_s, Some(1));
}

#[tokio::test]
async fn local_revocation_takes_effect_at_once() {
    let bed = bed();
    let node = bed.node().await;
    let (one, other, third) = (node.login(1).await, node.login(1).await, node.login(2).await);
    node.revoke(&one).await.unwrap();
    node.assert_over(&one).await;
    assert_invalid(&node.revoke(&one).await);
    node.assert_good(&other).await;
    let renewed = node.renew(&other).await.unwrap();
    node.assert_over(&other).await;
    node.revoke_user(1).await.unwrap();
    node.assert_over(&renewed).await;
    assert_invalid(&node.renew(&renewed).await);
    node.assert_good(&third).await;
    let new = node.login(1).await;
    node.assert_good(&new).await;
}

#[tokio::test]
async fn remote_revocation_is_pushed() {
    let bed = bed();
    let (one, two) = (bed.node().await, bed.node().await);
    let (ended, all, good) = (one.login(1).await, one.login(2).await, one.login(3).await);
    two.assert_good(&ended).await;
    two.assert_good(&all).await;
    one.revoke(&ended).await.unwrap();
    one.revoke_user(2).await.unwrap();
    two.until_over(&ended).await;
    two.until_over(&all).await;
    two.assert_good(&good).await;
    let new = one.login(2).await;
    two.assert_good(&new).await;
}

#[tokio::test]
async fn server_starts_with_a_snapshot_of_earlier_revocations() {
    let bed = bed();
    let one = bed.node().await;
    let (ended, all, good) = (one.login(1).await, one.login(2).await, one.login(3).await);
    one.revoke(&ended).await.unwrap();
    one.revoke_user(2).await.unwrap();
    let late = bed.node().await;
    late.assert_over(&ended).await;
    late.assert_over(&all).await;
    late.assert_good(&good).await;
}

#[tokio::test]
async fn a_server_that_cannot_read_the_whole_list_does_not_start() {
    let bed = bed();
    bed.node().await;
    let () = bed.ask("ZADD test:denied 9999999999 nonsense");
    let refused = Jwt::build(&bed.start, bed.options.clone()).await.map(|_| ());
    assert!(matches!(&refused, Err(StartError::Failed(text)) if text.contains("not a denial")), "{refused:?}");
}

#[tokio::test]
async fn unknown_messages_on_the_channel_are_ignored() {
    let bed = bed();
    let node = bed.node().await;
    let token = node.login(1).await;
    for word in ["", "x", "9", "9-t-x"] {
        let heard: u64 = redis::cmd("PUBLISH").arg("test:denied").arg(word).query(&mut bed.redis.connection()).unwrap();
        assert_eq!(heard, 1);
    }
    let other = node.login(1).await;
    node.revoke(&other).await.unwrap();
    node.assert_good(&token).await;
}

/// The connections of feeds are cut; what is revoked meanwhile is known afterwards.
#[tokio::test]
async fn reconnected_feed_misses_no_revocation() {
    let bed = bed();
    let (one, two) = (bed.node().await, bed.node().await);
    for _ in 0..5 {
        let (token, all) = (one.login(1).await, one.login(2).await);
        two.assert_good(&token).await;
        let cut: u64 = bed.ask("CLIENT KILL TYPE pubsub");
        assert!(cut <= 2);
        one.revoke(&token).await.unwrap();
        one.revoke_user(2).await.unwrap();
        one.assert_over(&token).await;
        two.until_over(&token).await;
        two.until_over(&all).await;
        let new = one.login(3).await;
        two.until(&new, Result::is_ok).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_one_concurrent_renewal_succeeds_before_the_push_arrives() {
    let bed = bed();
    let (one, two) = (bed.node().await, bed.node().await);
    let nodes: Vec<_> = (0..8).map(|n| Arc::clone(if n % 2 == 0 { &one } else { &two })).collect();
    for _ in 0..20 {
        let old = one.login(1).await;
        let winners = renewed_at_once(&nodes, &old).await;
        assert_eq!(winners.len(), 1);
        two.assert_good(&winners[0]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_concurrent_with_logout_all_does_not_survive() {
    let bed = bed();
    no_renewal_slips_through(&bed.node().await, &bed.node().await).await;
}

#[tokio::test]
async fn stopped_redis_is_tolerated_for_a_bounded_time() {
    let mut bed = bed();
    let node = bed.node().await;
    let (good, ended, all) = (node.login(1).await, node.login(1).await, node.login(2).await);
    node.revoke(&ended).await.unwrap();
    node.revoke_user(2).await.unwrap();
    bed.redis.kill();
    node.until_down(&good).await;
    assert_down(&node.verify(&ended).await);
    assert_down(&node.revoke(&good).await);
    assert_down(&node.tokens.ready().await);
    bed.redis.revive();
    node.until_ready(&[&ended, &all]).await;
    // It came back empty: all users log in again, and revoked tokens stay rejected.
    let new = node.login(1).await;
    node.until(&new, Result::is_ok).await;
    let late = bed.node().await;
    for token in [&good, &ended, &all] {
        node.until_over(token).await;
        late.assert_over(token).await;
    }
    late.assert_good(&new).await;
}

#[tokio::test]
async fn hanging_feed_rejects_all_after_its_time_limit() {
    let bed = bed();
    let node = bed.node().await;
    let (good, ended) = (node.login(1).await, node.login(1).await);
    node.revoke(&ended).await.unwrap();
    bed.redis.suspend();
    node.until_down(&good).await;
    bed.redis.resume();
    node.until(&good, Result::is_ok).await;
    node.assert_over(&ended).await;
}

/// While Redis hangs nothing is pushed; afterwards a server knows remote revocations before it trusts its list again.
#[tokio::test]
async fn revocations_during_a_feed_outage_are_known_when_the_feed_is_fresh_again() {
    let bed = bed();
    let (one, two) = (bed.node().await, bed.node().await);
    let token = one.login(1).await;
    two.assert_good(&token).await;
    // Two waits for responses as long as clients are paused, and one for its own turn.
    let revoking = {
        let (one, token) = (Arc::clone(&one), token.clone());
        let () = bed.ask("CLIENT PAUSE 2500 ALL");
        tokio::spawn(async move {
            let deadline = Instant::now() + TIMEOUT;
            while matches!(one.revoke(&token).await, Err(AuthError::StoreUnavailable(_))) {
                assert!(Instant::now() < deadline, "it does not recover");
                breathe().await;
            }
        })
    };
    two.until_down(&token).await;
    revoking.await.unwrap();
    two.until_over(&token).await;
}

#[tokio::test]
async fn expired_denials_leave_the_list() {
    let bed = bed();
    let node = bed.node().await;
    let last_second = NOW + TTL_S - 1;
    let deadline = Instant::now() + TIMEOUT;
    let first = node.login(1).await;
    node.tokens.revoke(Some(&first), last_second).await.unwrap();
    let entry = format!("t {}", claims(&first)["jti"].as_str().unwrap());
    let listed = || {
        let entries: Vec<String> = bed.ask("ZRANGE test:denied 0 -1");
        entries.contains(&entry)
    };
    assert!(listed());
    while listed() {
        assert!(Instant::now() < deadline, "it stays listed");
        let other = node.login(1).await;
        node.tokens.revoke(Some(&other), NOW).await.unwrap();
        breathe().await;
    }
}

#[tokio::test]
async fn a_user_is_listed_once() {
    let bed = bed();
    let node = bed.node().await;
    for user in [1, 1, 2, 1] {
        node.revoke_user(user).await.unwrap();
    }
    let listed: Vec<String> = bed.ask("ZRANGE test:denied 0 -1");
    assert_eq!(listed.len(), 2, "{listed:?}");
    let left: u64 = bed.ask("TTL test:denied");
    assert!((TTL_S..=TTL_S + 1).contains(&left), "{left}");
}
