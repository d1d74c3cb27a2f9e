//! `cookie-sealed`: only a complete sealed session is accepted. Row 22 of the security table.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use testkit::server::{Server, startup_error};

fn start(flags: &[&str]) -> Server {
    Server::start(crate::BINARY, &[&["--scheme", "cookie-sealed", "--bench"], flags].concat())
}

fn login(server: &Server, user: u32) -> String {
    server.login(user).json()["token"].as_str().unwrap().to_owned()
}

fn me(server: &Server, credential: &str) -> u16 {
    server.get("/me", &[("authorization", &format!("Bearer {credential}"))]).status
}

fn post(server: &Server, path: &str, credential: &str) -> u16 {
    server.post(path, &[("authorization", &format!("Bearer {credential}"))]).status
}

fn advance(server: &Server, seconds: u64) {
    assert_eq!(server.post_json("/bench/clock", &json!({ "advance_s": seconds })).status, 200);
}

fn rotate(server: &Server) {
    assert_eq!(server.post_json("/bench/rotate", &json!({})).status, 204);
}

#[test]
fn changed_or_truncated_sealed_session_is_rejected() {
    let server = start(&[]);
    let (own, other) = (login(&server, 1), login(&server, 2));
    let bytes = URL_SAFE_NO_PAD.decode(&own).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(me(&server, &URL_SAFE_NO_PAD.encode(flipped)), 401, "bit {bit}");
    }
    for length in 0..bytes.len() {
        let status = me(&server, &URL_SAFE_NO_PAD.encode(&bytes[..length]));
        assert_eq!(status, 401, "{length} bytes");
    }
    for extra in [&b"\0"[..], b"AAAA", &bytes] {
        assert_eq!(me(&server, &URL_SAFE_NO_PAD.encode([&bytes, extra].concat())), 401);
    }
    assert_eq!(me(&server, &format!("{own}=")), 401, "a second spelling");
    let others = URL_SAFE_NO_PAD.decode(&other).unwrap();
    // Within the nonce, behind it, and before the tag.
    for cut in [10, 16, bytes.len() - 16] {
        let swapped = [&bytes[..cut], &others[cut..]].concat();
        assert_eq!(me(&server, &URL_SAFE_NO_PAD.encode(swapped)), 401, "{cut} bytes of one user, the rest of another");
    }
    assert_eq!((me(&server, &own), me(&server, &other)), (200, 200));
}

#[test]
fn sealed_session_is_unreadable() {
    let server = start(&[]);
    let (one, again) = (login(&server, 1), login(&server, 1));
    assert_ne!(one, again, "each has a nonce of its own");
    let bytes = URL_SAFE_NO_PAD.decode(&one).unwrap();
    for known in [&b"user-000001"[..], b"role-000", b"example.test", b"expires_at"] {
        assert!(!bytes.windows(known.len()).any(|window| window == known));
    }
}

#[test]
fn retired_key_is_trusted_until_its_last_session_expires() {
    let server = start(&["--credential-ttl-s", "100"]);
    let old = login(&server, 1);
    rotate(&server);
    let new = login(&server, 1);
    assert_ne!(old[..5], new[..5], "another key has another id");
    assert_eq!((me(&server, &old), me(&server, &new)), (200, 200));
    advance(&server, 60);
    let renewed = server.post("/refresh", &[("authorization", &format!("Bearer {old}"))]);
    let renewed = renewed.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(renewed[..5], new[..5], "what is renewed is sealed with the new key");
    advance(&server, 41);
    assert_eq!((me(&server, &old), me(&server, &renewed)), (401, 200));
    rotate(&server);
    rotate(&server);
    assert_eq!(me(&server, &renewed), 200, "two keys later");
    advance(&server, 100);
    assert_eq!(me(&server, &renewed), 401);
}

#[test]
fn servers_with_the_same_key_accept_only_each_others_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, [7; 32]).unwrap();
    let shared = ["--sealing-key-file", file.to_str().unwrap()];
    let (here, there, stranger) = (start(&shared), start(&shared), start(&[]));
    let credential = login(&here, 1);
    assert_eq!([&here, &there, &stranger].map(|server| me(server, &credential)), [200, 200, 401]);
}

#[test]
fn session_too_large_for_a_cookie_is_not_issued() {
    let (code, message) =
        startup_error(crate::BINARY, &["--scheme", "cookie-sealed", "--roles", "400", "--carrier", "cookie"]);
    assert_eq!(code, 2, "{message}");
    for part in ["--roles 400", "a cookie of 4096", "fewer roles"] {
        assert!(message.contains(part), "{message}");
    }
    let server = start(&["--carrier", "cookie"]);
    let admin = server.login(0).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let own_site = ("sec-fetch-site", "same-origin");
    let json = ("content-type", "application/json");
    let roles: Vec<_> = (0..400).map(|n| format!("role-{n:03}")).collect();
    let change = json!({ "username": "user-000001", "roles": roles }).to_string();
    let changed =
        testkit::http::send(server.address, "POST /admin/user", &[("cookie", &admin), own_site, json], &change);
    assert_eq!(changed.status, 204);
    let rejected = server.login(1);
    assert_eq!((rejected.status, rejected.header("set-cookie")), (500, None));
    assert_eq!(rejected.json()["type"], "urn:authbench:problem:credential-too-large");
}

/// The server's clock advances by itself, too: a minute is allowed for that.
#[test]
fn timeouts_hold_and_logout_revokes_nothing() {
    let server = start(&["--credential-ttl-s", "1000", "--absolute-ttl-s", "1500"]);
    let credential = login(&server, 1);
    assert_eq!(post(&server, "/logout", &credential), 204);
    assert_eq!(me(&server, &credential), 200, "that is the class expiry");
    advance(&server, 940);
    assert_eq!(me(&server, &credential), 200);
    let renewed = server.post("/refresh", &[("authorization", &format!("Bearer {credential}"))]).json();
    let expires_in = renewed["expires_in"].as_u64().unwrap();
    assert!((500..=560).contains(&expires_in), "{expires_in} s, and at most until the absolute timeout");
    let renewed = renewed["token"].as_str().unwrap();
    advance(&server, 60);
    assert_eq!((me(&server, &credential), me(&server, renewed)), (401, 200));
    advance(&server, 500);
    assert_eq!((me(&server, renewed), post(&server, "/refresh", renewed)), (401, 401));
}

#[test]
fn logout_all_prevents_every_renewal() {
    let server = start(&[]);
    let (one, other) = (login(&server, 1), login(&server, 2));
    assert_eq!(post(&server, "/logout-all", &one), 204);
    assert_eq!((me(&server, &one), post(&server, "/refresh", &one)), (200, 401));
    assert_eq!(post(&server, "/refresh", &other), 200);
    let again = login(&server, 1);
    assert_eq!(post(&server, "/refresh", &again), 200, "a login after it is good");
}

#[test]
fn key_of_wrong_length_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, [7; 31]).unwrap();
    let file = file.to_str().unwrap();
    let (code, message) = startup_error(crate::BINARY, &["--scheme", "cookie-sealed", "--sealing-key-file", file]);
    assert_eq!(code, 2);
    assert!(message.contains("31 bytes") && message.contains("openssl rand -out FILE 32"), "{message}");
}
