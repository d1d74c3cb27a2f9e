//! `jwt-*-epoch`: a number a user, remembered for a while.

use std::sync::Arc;

use chassis::auth::Authenticator;
use jwt::JwtOptions;

use crate::bed::{Bed, assert_down, assert_invalid, calls, claims, no_renewal_slips_through};

/// With epochs that are cached for longer than a test takes.
fn long() -> Bed {
    let bed = Bed::of("-epoch");
    Bed { options: JwtOptions { epoch_ttl_s: Some(3600), ..bed.options.clone() }, ..bed }
}

/// With epochs that are remembered for a second.
fn short() -> Bed {
    Bed::of("-epoch")
}

#[tokio::test]
async fn first_request_of_a_user_sends_one_command_and_the_next_none() {
    let bed = long();
    let node = bed.node().await;
    let (token, second) = (node.login(1).await, node.login(1).await);
    assert_eq!(bed.cost(node.assert_good(&token)).await, calls([("mget", 1)]));
    let more = async {
        for _ in 0..5 {
            node.assert_good(&token).await;
            node.assert_good(&second).await;
        }
    };
    assert_eq!(bed.cost(more).await, calls([]));
    assert_eq!(node.tokens.describe().revocation_window_s, Some(3600));
}

#[tokio::test]
async fn logout_revokes_all_tokens_of_only_this_user_and_locally_at_once() {
    let bed = long();
    let node = bed.node().await;
    let (one, other, third) = (node.login(1).await, node.login(1).await, node.login(2).await);
    for token in [&one, &other, &third] {
        node.assert_good(token).await;
    }
    node.revoke(&one).await.unwrap();
    node.assert_over(&one).await;
    node.assert_over(&other).await;
    assert_invalid(&node.renew(&other).await);
    node.assert_good(&third).await;
    let new = node.login(1).await;
    node.assert_good(&new).await;
    node.revoke_user(1).await.unwrap();
    node.assert_over(&new).await;
}

#[tokio::test]
async fn other_node_rejects_after_its_cached_epoch_expires() {
    let bed = short();
    let (one, two) = (bed.node().await, bed.node().await);
    let (seen, unseen) = (one.login(1).await, one.login(2).await);
    two.assert_good(&seen).await;
    one.revoke(&seen).await.unwrap();
    one.revoke_user(2).await.unwrap();
    two.assert_over(&unseen).await;
    two.until_over(&seen).await;
    let new = one.login(1).await;
    two.assert_good(&new).await;
}

#[tokio::test]
async fn cached_epoch_does_not_reject_newer_tokens() {
    let bed = long();
    let (one, two) = (bed.node().await, bed.node().await);
    one.revoke_user(1).await.unwrap();
    let first = one.login(1).await;
    two.assert_good(&first).await;
    // The epoch expires in Redis before the other server's cached one does.
    let () = bed.ask("DEL test:e:1");
    let second = one.login(1).await;
    two.assert_good(&second).await;
}

#[tokio::test]
async fn renewal_keeps_the_epoch_and_revokes_no_other_token() {
    let bed = long();
    let node = bed.node().await;
    let (old, other) = (node.login(1).await, node.login(1).await);
    let new = node.renew(&old).await.unwrap();
    assert_eq!(claims(&old)["epoch"], claims(&new)["epoch"]);
    for token in [&old, &other, &new] {
        node.assert_good(token).await;
    }
    node.revoke(&new).await.unwrap();
    for token in [&old, &other, &new] {
        node.assert_over(token).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_concurrent_with_logout_all_does_not_survive() {
    let bed = short();
    let node = bed.node().await;
    no_renewal_slips_through(&node, &Arc::clone(&node)).await;
}

#[tokio::test]
async fn stopped_redis_is_tolerated_while_epochs_are_cached() {
    let mut bed = long();
    let node = bed.node().await;
    let (seen, unseen, ended) = (node.login(1).await, node.login(2).await, node.login(3).await);
    node.assert_good(&seen).await;
    node.revoke(&ended).await.unwrap();
    bed.redis.kill();
    node.assert_good(&seen).await;
    node.assert_over(&ended).await;
    assert_down(&node.verify(&unseen).await);
    assert_down(&node.revoke(&seen).await);
    assert_down(&node.tokens.ready().await);
    bed.redis.revive();
    node.until_ready(&[&ended]).await;
    node.assert_over(&unseen).await;
}

#[tokio::test]
async fn empty_redis_rejects_earlier_tokens() {
    let mut bed = short();
    let node = bed.node().await;
    let (good, ended) = (node.login(1).await, node.login(2).await);
    node.assert_good(&good).await;
    node.revoke(&ended).await.unwrap();
    bed.redis.kill();
    node.until_down(&good).await;
    bed.redis.revive();
    node.until_ready(&[&good, &ended]).await;
    node.assert_over(&good).await;
    let new = node.login(1).await;
    node.assert_good(&new).await;
    for token in [&good, &ended] {
        node.until_over(token).await;
    }
}

#[tokio::test]
async fn hanging_redis_is_tolerated_for_a_bounded_time() {
    let bed = short();
    let node = bed.node().await;
    let good = node.login(1).await;
    bed.redis.suspend();
    node.until_down(&good).await;
    bed.redis.resume();
    node.until_ready(&[]).await;
    node.assert_good(&good).await;
}
