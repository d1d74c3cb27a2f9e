//! The signature alone: an issued token is valid until it expires, and a changed user cannot renew.

use chassis::auth::{AuthError, Authenticator};
use chassis::directory::Change;
use jwt::Algorithm;

use crate::forge;
use crate::testbed::{NOW, Testbed, assert_invalid, assert_store_unavailable, calls, claims};

#[tokio::test]
async fn request_sends_no_command_even_with_redis() {
    let testbed = Testbed::of("");
    let node = testbed.node().await;
    let token = node.login(1).await;
    let requests = async {
        for _ in 0..5 {
            node.assert_accepted(&token).await;
        }
    };
    assert_eq!(testbed.count_commands(requests).await, calls([]));
}

#[tokio::test]
async fn revoked_user_cannot_renew_but_can_log_in() {
    let server = forge::authenticator(Algorithm::EdDsa).await;
    let old = forge::issued(&server, NOW).await;
    assert_eq!(claims(&old).get("epoch"), None);
    server.revoke_user(7, NOW).await.unwrap();
    assert!(server.verify(Some(&old), NOW).await.is_ok(), "the class is expiry");
    assert_eq!(server.renew(Some(&old), NOW).await.map(|_| ()), Err(AuthError::Invalid("revoked")));
    let new = forge::issued(&server, NOW).await;
    assert_eq!(claims(&new)["epoch"], 1);
    let (_, renewed) = server.renew(Some(&new), NOW).await.unwrap();
    assert_eq!(claims(&renewed.credential.unwrap())["epoch"], 1);
}

#[tokio::test]
async fn servers_with_one_redis_agree_on_renewals() {
    let testbed = Testbed::of("");
    let (one, two) = (testbed.node().await, testbed.node().await);
    let (token, other) = (one.login(1).await, one.login(2).await);
    one.directory.change(1, Change { disabled: Some(true), ..Change::default() }).await.unwrap();
    assert_invalid(&two.renew(&token).await);
    two.assert_accepted(&token).await;
    let other = two.renew(&other).await.unwrap();
    one.revoke_user(2).await.unwrap();
    assert_invalid(&two.renew(&other).await);
    // Also a token that was issued to the user by mistake since.
    let late = two.login(1).await;
    assert_invalid(&two.renew(&late).await);
}

#[tokio::test]
async fn renewed_token_has_the_current_roles() {
    let testbed = Testbed::of("");
    let node = testbed.node().await;
    let roles = vec!["other".to_owned()];
    node.directory.change(1, Change { roles: Some(roles.clone()), ..Change::default() }).await.unwrap();
    let token = node.login(1).await;
    let (identity, issued) = node.tokens.renew(Some(&token), NOW).await.unwrap();
    assert_eq!(identity.roles, roles);
    assert_eq!(node.verify(&issued.credential.unwrap()).await.unwrap().roles, roles);
}

#[tokio::test]
async fn without_redis_tokens_are_verified_and_renewal_fails() {
    let mut testbed = Testbed::of("");
    let node = testbed.node().await;
    let token = node.login(1).await;
    testbed.redis.kill();
    node.assert_accepted(&token).await;
    assert_store_unavailable(&node.renew(&token).await);
    assert_eq!(node.tokens.ready().await, Ok(()));
}
