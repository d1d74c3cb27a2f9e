//! How long a token lives, on a clock that the test holds.

use chassis::auth::{AuthError, Authenticator};
use chassis::module::{AuthModule, ModuleSettings, StartError};
use contract::body::Identity;
use contract::{Carrier, StoreDown};
use jwt::{Algorithm, Jwt, JwtOptions};

use crate::forge::{self, Forge};

const NOW: u64 = 1_800_000_000;

fn user() -> Identity {
    Identity::seeded(7, 1)
}

#[tokio::test]
async fn token_expires_exactly_after_its_lifetime() {
    let server = forge::authenticator(Algorithm::Hs256).await;
    let issued = server.issue(&user(), NOW).await.unwrap();
    assert_eq!(issued.expires_in, 900);
    let token = issued.credential.as_deref();
    assert_eq!(server.verify(token, NOW).await, Ok(user()));
    assert_eq!(server.verify(token, NOW + 899).await, Ok(user()));
    assert_eq!(server.verify(token, NOW + 900).await, Err(AuthError::Invalid("expired")));
    assert_eq!(server.verify(token, NOW - 1).await, Err(AuthError::Invalid("not yet valid")));
}

#[tokio::test]
async fn leeway_is_what_was_declared() {
    let options = JwtOptions { leeway_s: Some(5), ..forge::options(Algorithm::Hs256) };
    let server = forge::build(&forge::start(Algorithm::Hs256), options).await;
    assert_eq!(server.describe().leeway_s, Some(5));
    let forge = Forge::new(Algorithm::Hs256, &forge::issued(&server, NOW).await);
    for (name, taken, rejected) in [("exp", NOW - 4, NOW - 5), ("nbf", NOW + 5, NOW + 6), ("iat", NOW + 5, NOW + 6)] {
        assert!(server.verify(Some(&forge.with_claim(name, taken)), NOW).await.is_ok(), "{name} {taken}");
        assert!(server.verify(Some(&forge.with_claim(name, rejected)), NOW).await.is_err(), "{name} {rejected}");
    }
}

#[tokio::test]
async fn renewal_keeps_the_login_time_and_stops_at_the_absolute_timeout() {
    let start = ModuleSettings { absolute_ttl_s: 1000, ..forge::start(Algorithm::Hs256) };
    let server = forge::build(&start, forge::options(Algorithm::Hs256)).await;
    let first = server.issue(&user(), NOW).await.unwrap();
    let (identity, second) = server.renew(first.credential.as_deref(), NOW + 800).await.unwrap();
    assert_eq!((identity, second.expires_in), (user(), 200));
    assert_ne!(first.credential, second.credential);
    let (_, third) = server.renew(second.credential.as_deref(), NOW + 999).await.unwrap();
    assert_eq!(third.expires_in, 1);
    for token in [second, third] {
        assert!(server.renew(token.credential.as_deref(), NOW + 1000).await.is_err());
        assert!(server.verify(token.credential.as_deref(), NOW + 1000).await.is_err());
    }
}

#[tokio::test]
async fn token_lifetime_does_not_exceed_the_absolute_timeout() {
    let start = ModuleSettings { absolute_ttl_s: 60, ..forge::start(Algorithm::Hs256) };
    let server = forge::build(&start, forge::options(Algorithm::Hs256)).await;
    assert_eq!(server.describe().credential_ttl_s, Some(60));
    assert_eq!(server.issue(&user(), NOW).await.unwrap().expires_in, 60);
}

#[tokio::test]
async fn token_works_after_logout_as_declared() {
    let server = forge::authenticator(Algorithm::EdDsa).await;
    let token = forge::issued(&server, NOW).await;
    assert_eq!(server.revoke(Some(&token), NOW).await, Ok(()));
    assert_eq!(server.revoke_user(7, NOW).await, Ok(()));
    assert_eq!(server.verify(Some(&token), NOW).await, Ok(user()));
    let description = server.describe();
    assert_eq!(description.scheme.id(), "jwt-eddsa");
    assert_eq!(description.revocation_window_s, Some(900));
    assert_eq!(description.credential_ttl_s, Some(900));
    assert_eq!(description.absolute_ttl_s, Some(43_200));
    assert_eq!(description.scheme.store_down(), StoreDown::NotNeeded);
    assert_eq!((description.touch, description.leeway_s), (None, Some(0)));
}

#[tokio::test]
async fn operations_without_a_valid_token_are_rejected() {
    let server = forge::authenticator(Algorithm::Es256).await;
    let late = NOW + 900;
    let token = forge::issued(&server, NOW).await;
    for (token, expected) in [(None, AuthError::Missing), (Some(token.as_str()), AuthError::Invalid("expired"))] {
        assert_eq!(server.verify(token, late).await, Err(expected.clone()));
        assert_eq!(server.revoke(token, late).await, Err(expected.clone()));
        assert_eq!(server.renew(token, late).await.map(|_| ()), Err(expected));
    }
    assert_eq!(server.ready().await, Ok(()));
}

#[tokio::test]
async fn user_names_survive_a_round_trip() {
    let server = forge::authenticator(Algorithm::Hs256).await;
    let identity = Identity {
        id: u32::MAX,
        username: "\"quoted\\ \u{1f511}\n\u{0}".to_owned(),
        email: String::new(),
        roles: vec!["a,b".to_owned(), "\u{e9}".to_owned(), String::new()],
    };
    let token = server.issue(&identity, NOW).await.unwrap().credential;
    assert_eq!(server.verify(token.as_deref(), NOW).await, Ok(identity));
}

#[tokio::test]
async fn token_ids_have_128_bits_and_do_not_repeat() {
    let server = forge::authenticator(Algorithm::Hs256).await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..10_000 {
        let token = forge::issued(&server, NOW).await;
        let claims: serde_json::Value = serde_json::from_slice(&forge::decode(forge::segments(&token)[1])).unwrap();
        let id = forge::decode(claims["jti"].as_str().unwrap());
        assert_eq!(id.len(), 16);
        assert!(ids.insert(id));
    }
}

#[tokio::test]
async fn too_many_roles_for_a_token_prevent_the_start() {
    let start = ModuleSettings { roles: 2000, ..forge::start(Algorithm::Hs256) };
    let Err(StartError::Usage(text)) = Jwt::build(&start, forge::options(Algorithm::Hs256)).await else {
        panic!("a token of 2000 roles is longer than any that is taken");
    };
    assert!(text.contains("--roles 2000"), "{text}");
    let start = ModuleSettings { roles: 1000, ..forge::start(Algorithm::Hs256) };
    let server = forge::build(&start, forge::options(Algorithm::Hs256)).await;
    let many = Identity::seeded(1, 1000);
    let token = server.issue(&many, NOW).await.unwrap().credential;
    assert_eq!(server.verify(token.as_deref(), NOW).await, Ok(many));
}

#[tokio::test]
async fn too_many_roles_for_a_cookie_prevent_the_start_and_fewer_are_issued() {
    let start = |roles| ModuleSettings { roles, carrier: Carrier::Cookie, ..forge::start(Algorithm::EdDsa) };
    let mut most = 0;
    for roles in 100..400 {
        match Jwt::build(&start(roles), forge::options(Algorithm::EdDsa)).await {
            Ok(_) => most = roles,
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&format!("--roles {roles}")) && text.contains("4096 bytes"), "{text}");
                break;
            }
        }
    }
    assert!((100..399).contains(&most), "{most}");
    let server = forge::build(&start(most), forge::options(Algorithm::EdDsa)).await;
    for user in [0, 7, 999_999] {
        let token = server.issue(&Identity::seeded(user, most), NOW).await.unwrap().credential.unwrap();
        assert!(chassis::carrier::fits(Carrier::Cookie, &token), "{}", token.len());
    }
}
