//! `jwt-*-refresh`: short-lived tokens, and families of refresh tokens; row 11 of the security table.

use std::sync::Arc;

use chassis::auth::{AuthError, Authenticator, Issued};
use jwt::JwtOptions;

use crate::forge;
use crate::testbed::{NOW, Node, TTL_S, Testbed, assert_invalid, assert_store_unavailable, calls, claims};

fn testbed() -> Testbed {
    Testbed::of("-refresh")
}

fn testbed_with_grace_period() -> Testbed {
    let testbed = testbed();
    Testbed { options: JwtOptions { refresh_grace_s: Some(10), ..testbed.options.clone() }, ..testbed }
}

/// What a login or a renewal issues.
struct Pair {
    access: String,
    refresh: String,
}

impl From<Issued> for Pair {
    fn from(issued: Issued) -> Self {
        Self { access: issued.credential.unwrap(), refresh: issued.refresh_token.unwrap() }
    }
}

async fn login(node: &Node, user: u32) -> Pair {
    node.issue(user, NOW).await.into()
}

async fn refresh_at(node: &Node, token: &str, now: u64) -> Result<Pair, AuthError> {
    node.tokens.renew(Some(token), now).await.map(|(_, issued)| issued.into())
}

async fn refresh(node: &Node, pair: &Pair) -> Result<Pair, AuthError> {
    refresh_at(node, &pair.refresh, NOW).await
}

async fn assert_rejected(node: &Node, pair: &Pair) {
    assert_invalid(&refresh(node, pair).await.map(|_| ()));
}

#[tokio::test]
async fn request_sends_no_command_and_login_and_renewal_one_script() {
    let testbed = testbed();
    let node = testbed.node().await;
    let first = login(&node, 1).await;
    let second = refresh(&node, &first).await.unwrap();
    let requests = async {
        for _ in 0..5 {
            node.assert_accepted(&second.access).await;
        }
    };
    assert_eq!(testbed.count_commands(requests).await, calls([]));
    let renewal = testbed.count_commands(async { drop(refresh(&node, &second).await.unwrap()) }).await;
    assert_eq!(renewal, calls([("evalsha", 1), ("hmget", 1), ("hset", 1)]));
    let descriptor = node.tokens.describe();
    assert_eq!((descriptor.refresh_token, descriptor.revocation_window_s), (true, Some(TTL_S)));
}

#[tokio::test]
async fn renewal_issues_two_new_tokens_of_the_same_login() {
    let testbed = testbed();
    let node = testbed.node().await;
    let first = login(&node, 1).await;
    let (identity, issued) = node.tokens.renew(Some(&first.refresh), NOW + 50).await.unwrap();
    assert_eq!((identity.id, issued.expires_in), (1, TTL_S));
    let second = Pair::from(issued);
    assert_ne!(first.refresh, second.refresh);
    assert_eq!(claims(&second.access)["auth_time"], NOW);
    assert_eq!(claims(&first.access)["sid"], claims(&second.access)["sid"]);
    assert_ne!(claims(&first.access)["jti"], claims(&second.access)["jti"]);
    node.assert_accepted(&first.access).await;
    assert!(node.tokens.verify(Some(&second.access), NOW + 50).await.is_ok());
}

#[tokio::test]
async fn reused_refresh_token_revokes_its_family_on_every_node() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let (first, other) = (login(&one, 1).await, login(&one, 1).await);
    let second = refresh(&one, &first).await.unwrap();
    let third = refresh(&two, &second).await.unwrap();
    assert_rejected(&two, &first).await;
    for pair in [&first, &second, &third] {
        assert_rejected(&one, pair).await;
    }
    // An issued access token stays valid until it expires, and the other login is not affected.
    one.assert_accepted(&third.access).await;
    assert!(refresh(&one, &other).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_twenty_concurrent_refreshes_succeeds_and_the_family_is_revoked() {
    let testbed = testbed();
    let nodes = [testbed.node().await, testbed.node().await];
    for _ in 0..5 {
        let first = Arc::new(login(&nodes[0], 1).await);
        let attempts: Vec<_> = (0..20)
            .map(|n| {
                let (node, first) = (Arc::clone(&nodes[n % 2]), Arc::clone(&first));
                tokio::spawn(async move { refresh(&node, &first).await })
            })
            .collect();
        let mut winners = vec![];
        for attempt in attempts {
            winners.extend(attempt.await.unwrap().ok());
        }
        assert_eq!(winners.len(), 1);
        assert_rejected(&nodes[0], &winners[0]).await;
    }
}

#[tokio::test]
async fn grace_period_accepts_only_the_immediate_predecessor() {
    let testbed = testbed_with_grace_period();
    let node = testbed.node().await;
    let first = login(&node, 1).await;
    let second = refresh(&node, &first).await.unwrap();
    let sibling = refresh(&node, &first).await.unwrap();
    // Either may go on, and the first that does makes predecessors of both.
    let third = refresh(&node, &sibling).await.unwrap();
    let late_sibling = refresh(&node, &second).await.unwrap();
    assert!(refresh(&node, &third).await.is_ok());
    assert_rejected(&node, &first).await;
    for pair in [&second, &sibling, &third, &late_sibling] {
        assert_rejected(&node, pair).await;
    }
}

#[tokio::test]
async fn grace_period_expires() {
    let testbed = testbed_with_grace_period();
    let node = testbed.node().await;
    let first = login(&node, 1).await;
    let second = refresh(&node, &first).await.unwrap();
    assert!(refresh_at(&node, &first.refresh, NOW + 10).await.is_ok());
    assert_invalid(&refresh_at(&node, &first.refresh, NOW + 11).await.map(|_| ()));
    assert_rejected(&node, &second).await;
}

#[tokio::test]
async fn a_generation_has_eight_tokens_at_most() {
    let testbed = testbed_with_grace_period();
    let node = testbed.node().await;
    let first = login(&node, 1).await;
    let mut generation = vec![];
    for _ in 0..8 {
        generation.push(refresh(&node, &first).await.unwrap());
    }
    assert_rejected(&node, &first).await;
    assert_rejected(&node, &generation[7]).await;
}

#[tokio::test]
async fn logout_revokes_this_login_and_logout_all_every_login_of_the_user() {
    let testbed = testbed();
    let (one, two) = (testbed.node().await, testbed.node().await);
    let (first, other, third) = (login(&one, 1).await, login(&two, 1).await, login(&one, 2).await);
    two.revoke(&first.access).await.unwrap();
    assert_rejected(&one, &first).await;
    // The token is valid until it expires, so a second logout is not rejected.
    one.assert_accepted(&first.access).await;
    two.revoke(&first.access).await.unwrap();
    let other = refresh(&one, &other).await.unwrap();
    one.revoke_user(1).await.unwrap();
    assert_rejected(&two, &other).await;
    assert!(refresh(&two, &third).await.is_ok());
    assert_eq!(testbed.redis.keys().len(), 2, "a family and a list: {:?}", testbed.redis.keys());
}

#[tokio::test]
async fn access_and_refresh_tokens_are_not_interchangeable() {
    let testbed = testbed();
    let node = testbed.node().await;
    let pair = login(&node, 1).await;
    assert_invalid(&node.renew(&pair.access).await);
    node.assert_rejected(&pair.refresh).await;
    assert_invalid(&node.revoke(&pair.refresh).await);
    assert_eq!(node.tokens.renew(None, NOW).await.map(|_| ()), Err(AuthError::Missing));
    for text in ["", "a.b.c", &pair.refresh[1..], &format!("{}A", pair.refresh), &"A".repeat(65)] {
        assert_invalid(&node.renew(text).await);
    }
    assert!(refresh(&node, &pair).await.is_ok(), "nothing of this was its business");
}

#[tokio::test]
async fn family_id_without_the_secret_is_rejected() {
    let testbed = testbed();
    let node = testbed.node().await;
    let pair = login(&node, 1).await;
    let forged = format!("{}{}", &pair.refresh[..22], "A".repeat(43));
    assert_invalid(&node.renew(&forged).await);
    assert_rejected(&node, &pair).await;
}

#[tokio::test]
async fn renewal_does_not_exceed_the_absolute_timeout() {
    let testbed = testbed();
    let node = testbed.node().await;
    let first = login(&node, 1).await;
    let second = refresh_at(&node, &first.refresh, NOW + 950).await.unwrap();
    assert_eq!(claims(&second.access)["exp"], NOW + 1000);
    assert_invalid(&refresh_at(&node, &second.refresh, NOW + 1000).await.map(|_| ()));
    assert_eq!(testbed.redis.keys(), [""; 0], "what is over is not kept");
}

#[tokio::test]
async fn store_contains_no_usable_token() {
    let testbed = testbed();
    let node = testbed.node().await;
    let first = login(&node, 1).await;
    let second = refresh(&node, &first).await.unwrap();
    let dump = testbed.redis.dump();
    let holds = |text: &str| dump.windows(text.len()).any(|window| window == text.as_bytes());
    let sid = claims(&second.access)["sid"].as_str().unwrap().to_owned();
    assert!(holds(&sid));
    for pair in [&first, &second] {
        assert!(!holds(&pair.refresh) && !holds(&pair.refresh[..22]) && !holds(&pair.refresh[22..]));
        assert!(!holds(&pair.access) && !claims(&pair.access).to_string().contains(&pair.refresh[..22]));
    }
    assert_eq!(forge::decode(&sid).len(), 16);
}

#[tokio::test]
async fn every_family_is_listed_for_as_long_as_it_lives() {
    let testbed = testbed();
    let node = testbed.node().await;
    let () = testbed.query_redis("ZADD test:fu:1 1 stale");
    let pairs = [login(&node, 1).await, login(&node, 1).await];
    let mut sids = pairs.each_ref().map(|pair| claims(&pair.access)["sid"].as_str().unwrap().to_owned());
    let mut listed: Vec<String> = testbed.query_redis("ZRANGE test:fu:1 0 -1");
    sids.sort();
    listed.sort();
    assert_eq!(listed, sids);
    assert!(
        testbed.query_redis::<u64>("TTL test:fu:1") >= testbed.query_redis::<u64>(&format!("TTL test:f:{}", sids[0]))
    );
    let next = refresh(&node, &pairs[0]).await.unwrap();
    assert_rejected(&node, &pairs[0]).await;
    assert_rejected(&node, &next).await;
    assert_eq!(testbed.query_redis::<u64>("ZCARD test:fu:1"), 1);
}

#[tokio::test]
async fn without_redis_only_token_verification_works() {
    let mut testbed = testbed();
    let node = testbed.node().await;
    let pair = login(&node, 1).await;
    testbed.redis.kill();
    node.assert_accepted(&pair.access).await;
    assert_store_unavailable(&refresh(&node, &pair).await.map(|_| ()));
    assert_store_unavailable(&node.revoke(&pair.access).await);
    assert_store_unavailable(&node.revoke_user(1).await);
    assert_store_unavailable(&node.tokens.ready().await);
    testbed.redis.restart();
    node.await_ready(&[]).await;
    assert_rejected(&node, &pair).await;
    let new = login(&node, 1).await;
    assert!(refresh(&node, &new).await.is_ok());
}

#[tokio::test]
async fn hanging_redis_revokes_no_family() {
    let testbed = testbed();
    let node = testbed.node().await;
    let pair = login(&node, 1).await;
    testbed.redis.suspend();
    assert_store_unavailable(&node.revoke_user(2).await);
    node.assert_accepted(&pair.access).await;
    testbed.redis.resume();
    node.await_ready(&[]).await;
    assert!(refresh(&node, &pair).await.is_ok());
}
