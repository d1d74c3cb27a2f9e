//! Keys that follow one another: row 8 of the security table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chassis::auth::{AuthError, Authenticator};
use contract::body::Identity;
use jwt::{Algorithm, AnyTokens};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::forge::{self, Forge};
use crate::testbed::NOW;
use testkit::server::Server;

/// Seconds a token lives by default.
const TTL_S: u64 = 900;

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

fn published(server: &AnyTokens, now: u64) -> Vec<String> {
    let set = server.jwks(now).unwrap_or_default();
    let keys = set["keys"].as_array().cloned().unwrap_or_default();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

const UNKNOWN: AuthError = AuthError::Invalid("the header refers to no key of the set");

#[tokio::test]
async fn old_key_is_trusted_exactly_until_its_last_token_expires() {
    for algorithm in Algorithm::ALL {
        let server = forge::authenticator(algorithm).await;
        let old = forge::issued(&server, NOW).await;
        // An attacker with the old key can forge a token with a longer lifetime.
        let forged = Forge::new(algorithm, &old).with_claim("exp", NOW + 10 * TTL_S);
        assert_eq!(server.rotate(NOW + 100).await, Ok(true), "{algorithm}");
        let new = forge::issued(&server, NOW + 100).await;
        assert_ne!(kid(&old), kid(&new));
        assert!(
            server.verify(Some(&old), NOW + 100).await.is_ok() && server.verify(Some(&new), NOW + 100).await.is_ok(),
            "{algorithm}"
        );
        assert!(server.verify(Some(&old), NOW + TTL_S - 1).await.is_ok(), "{algorithm}");
        // Another server that shares the key may have signed with it until now.
        assert!(server.verify(Some(&forged), NOW + 100 + TTL_S - 1).await.is_ok(), "{algorithm}");
        assert_eq!(server.verify(Some(&forged), NOW + 100 + TTL_S).await, Err(UNKNOWN), "{algorithm}");
        let expected: &[&str] = if algorithm == Algorithm::Hs256 { &[] } else { &[&kid(&new)] };
        assert_eq!(published(&server, NOW + 100 + TTL_S), expected);
    }
}

#[tokio::test]
async fn leeway_extends_key_trust_like_token_lifetime() {
    let options = jwt::JwtOptions { leeway_s: Some(5), ..forge::options(Algorithm::Hs256) };
    let server = forge::build(&forge::start(Algorithm::Hs256), options).await;
    let old = forge::issued(&server, NOW).await;
    let forged = Forge::new(Algorithm::Hs256, &old).with_claim("exp", NOW + 10 * TTL_S);
    server.rotate(NOW).await.unwrap();
    assert!(server.verify(Some(&old), NOW + TTL_S + 4).await.is_ok());
    assert!(server.verify(Some(&forged), NOW + TTL_S + 4).await.is_ok());
    assert_eq!(server.verify(Some(&forged), NOW + TTL_S + 5).await, Err(UNKNOWN));
}

#[tokio::test]
async fn every_trusted_key_is_published_with_the_signing_key_first() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let server = forge::authenticator(algorithm).await;
        let mut kids = vec![kid(&forge::issued(&server, NOW).await)];
        for n in 1..3 {
            server.rotate(NOW + n * 100).await.unwrap();
            kids.insert(0, kid(&forge::issued(&server, NOW + n * 100).await));
            assert_eq!(published(&server, NOW + n * 100), kids, "{algorithm}");
        }
        kids.pop();
        assert_eq!(published(&server, NOW + 100 + TTL_S), kids, "{algorithm}");
        kids.pop();
        assert_eq!(published(&server, NOW + 200 + TTL_S), kids, "{algorithm}");
    }
}

#[tokio::test]
async fn a_secret_is_never_published() {
    let server = forge::authenticator(Algorithm::Hs256).await;
    server.rotate(NOW).await.unwrap();
    assert_eq!(server.jwks(NOW), None);
}

#[tokio::test]
async fn a_renewed_token_is_signed_with_the_new_key() {
    let server = forge::authenticator(Algorithm::Es256).await;
    let old = forge::issued(&server, NOW).await;
    server.rotate(NOW).await.unwrap();
    let (_, renewed) = server.renew(Some(&old), NOW + 800).await.unwrap();
    let renewed = renewed.credential.unwrap();
    assert_ne!(kid(&old), kid(&renewed));
    assert!(server.verify(Some(&renewed), NOW + 1600).await.is_ok());
}

/// Rotates the key while others issue and verify: no token may be rejected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_rotation_fails_no_request() {
    let server = Arc::new(forge::authenticator(Algorithm::EdDsa).await);
    let (rolling, checked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> = (0..4)
        .map(|user| {
            let (server, rolling, checked) = (Arc::clone(&server), Arc::clone(&rolling), Arc::clone(&checked));
            tokio::spawn(async move {
                let mut tokens = vec![];
                while rolling.load(Ordering::Relaxed) {
                    let issued = server.issue(&Identity::seeded(user, 1), NOW).await.unwrap();
                    tokens.push(issued.credential.unwrap());
                    for token in tokens.iter().rev().take(20).chain(&tokens[..1]) {
                        server.verify(Some(token), NOW).await.unwrap();
                        checked.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let before = checked.load(Ordering::Relaxed);
        server.rotate(NOW).await.unwrap();
        while checked.load(Ordering::Relaxed) < before + 100 && !load.iter().any(JoinHandle::is_finished) {
            crate::testbed::pause().await;
        }
    }
    rolling.store(false, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    assert_eq!(published(&server, NOW).len(), 21);
}

#[test]
fn bench_route_rotates_keys() {
    for algorithm in Algorithm::ALL {
        let (flag, file) = forge::key_file(algorithm);
        let scheme = forge::scheme(algorithm);
        let server = Server::start(crate::BINARY, &["--scheme", scheme.id(), flag, file, "--bench"]);
        let token = |user| server.login(user).json()["token"].as_str().unwrap().to_owned();
        let me = |token: &str| server.get("/me", &[("authorization", &format!("Bearer {token}"))]).status;
        let old = token(1);
        assert_eq!(server.post_json("/bench/rotate", &json!({})).status, 204, "{algorithm}");
        let new = token(1);
        assert_ne!(kid(&old), kid(&new));
        assert_eq!((me(&old), me(&new)), (200, 200), "{algorithm}");
        let response = server.get("/.well-known/jwks.json", &[]);
        let kids = response.json()["keys"].as_array().map_or(0, Vec::len);
        assert_eq!(kids, if algorithm == Algorithm::Hs256 { 0 } else { 2 }, "{algorithm}");
    }
}
