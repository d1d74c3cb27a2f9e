//! `jwt-*-epoch`: a number a user, remembered for a while.

use std::sync::Arc;

use chassis::auth::Authenticator;
use jwt::JwtOptions;

use crate::testbed::{
    Testbed, assert_invalid, assert_no_renewal_survives_revocation, assert_store_unavailable, calls, claims,
};

/// With epochs that are cached for longer than a test takes.
fn long() -> Testbed {
    let testbed = Testbed::of("-epoch");
    Testbed { options: JwtOptions { epoch_ttl_s: Some(3600), ..testbed.options.clone() }, ..testbed }
}

/// With epochs that are remembered for a second.
fn short() -> Testbed {
    Testbed::of("-epoch")
}

#[tokio::test]
async fn first_request_of_a_user_sends_one_command_and_the_next_none() {
    let testbed = long();
    let node = testbed.node().await;
    let (token, second) = (node.login(1).await, node.login(1).await);
    assert_eq!(testbed.count_commands(node.assert_accepted(&token)).await, calls([("mget", 1)]));
    let more = async {
        for _ in 0..5 {
            node.assert_accepted(&token).await;
            node.assert_accepted(&second).await;
        }
    };
    assert_eq!(testbed.count_commands(more).await, calls([]));
    assert_eq!(node.tokens.describe().revocation_window_s, Some(3600));
}

#[tokio::test]
async fn logout_revokes_all_tokens_of_only_this_user_and_locally_at_once() {
    let testbed = long();
    let node = testbed.node().await;
    let (one, other, third) = (node.login(1).await, node.login(1).await, node.login(2).await);
    for token in [&one, &other, &third] {
        node.assert_accepted(token).await;
    }
    node.revoke(&one).await.unwrap();
    node.assert_rejected(&one).await;
    node.assert_rejected(&other).await;
    assert_invalid(&node.renew(&other).await);
    node.assert_accepted(&third).await;
    let new = node.login(1).await;
    node.assert_accepted(&new).await;
    node.revoke_user(1).await.unwrap();
    node.assert_rejected(&new).await;
}

#[tokio::test]
async fn other_node_rejects_after_its_cached_epoch_expires() {
    let testbed = short();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let (seen, unseen) = (one.login(1).await, one.login(2).await);
    two.assert_accepted(&seen).await;
    one.revoke(&seen).await.unwrap();
    one.revoke_user(2).await.unwrap();
    two.assert_rejected(&unseen).await;
    two.await_rejected(&seen).await;
    let new = one.login(1).await;
    two.assert_accepted(&new).await;
}

#[tokio::test]
async fn cached_epoch_does_not_reject_newer_tokens() {
    let testbed = long();
    let (one, two) = (testbed.node().await, testbed.node().await);
    one.revoke_user(1).await.unwrap();
    let first = one.login(1).await;
    two.assert_accepted(&first).await;
    // The epoch expires in Redis before the other server's cached one does.
    let () = testbed.query_redis("DEL test:e:1");
    let second = one.login(1).await;
    two.assert_accepted(&second).await;
}

#[tokio::test]
async fn renewal_keeps_the_epoch_and_revokes_no_other_token() {
    let testbed = long();
    let node = testbed.node().await;
    let (old, other) = (node.login(1).await, node.login(1).await);
    let new = node.renew(&old).await.unwrap();
    assert_eq!(claims(&old)["epoch"], claims(&new)["epoch"]);
    for token in [&old, &other, &new] {
        node.assert_accepted(token).await;
    }
    node.revoke(&new).await.unwrap();
    for token in [&old, &other, &new] {
        node.assert_rejected(token).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_concurrent_with_logout_all_does_not_survive() {
    let testbed = short();
    let node = testbed.node().await;
    assert_no_renewal_survives_revocation(&node, &Arc::clone(&node)).await;
}

#[tokio::test]
async fn stopped_redis_is_tolerated_while_epochs_are_cached() {
    let mut testbed = long();
    let node = testbed.node().await;
    let (seen, unseen, ended) = (node.login(1).await, node.login(2).await, node.login(3).await);
    node.assert_accepted(&seen).await;
    node.revoke(&ended).await.unwrap();
    testbed.redis.kill();
    node.assert_accepted(&seen).await;
    node.assert_rejected(&ended).await;
    assert_store_unavailable(&node.verify(&unseen).await);
    assert_store_unavailable(&node.revoke(&seen).await);
    assert_store_unavailable(&node.tokens.ready().await);
    testbed.redis.restart();
    node.await_ready(&[&ended]).await;
    node.assert_rejected(&unseen).await;
}

#[tokio::test]
async fn empty_redis_rejects_earlier_tokens() {
    let mut testbed = short();
    let node = testbed.node().await;
    let (good, ended) = (node.login(1).await, node.login(2).await);
    node.assert_accepted(&good).await;
    node.revoke(&ended).await.unwrap();
    testbed.redis.kill();
    node.await_store_unavailable(&good).await;
    testbed.redis.restart();
    node.await_ready(&[&good, &ended]).await;
    node.assert_rejected(&good).await;
    let new = node.login(1).await;
    node.assert_accepted(&new).await;
    for token in [&good, &ended] {
        node.await_rejected(token).await;
    }
}

#[tokio::test]
async fn hanging_redis_is_tolerated_for_a_bounded_time() {
    let testbed = short();
    let node = testbed.node().await;
    let good = node.login(1).await;
    testbed.redis.suspend();
    node.await_store_unavailable(&good).await;
    testbed.redis.resume();
    node.await_ready(&[]).await;
    node.assert_accepted(&good).await;
}
