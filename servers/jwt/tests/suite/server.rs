//! The server as its clients see it: journeys, rows 1 to 7 and 21 of the security table, and starts that must fail.

use std::net::TcpListener;

use contract::Carrier;
use jsonwebtoken::get_current_timestamp;
use jwt::Algorithm;
use serde_json::json;

use crate::forge::{self, Forge};
use crate::invalid_tokens;
use testkit::http::Response;
use testkit::server::{Server, startup_error};

fn server(algorithm: Algorithm, more: &[&str]) -> Server {
    let (flag, file) = forge::key_file(algorithm);
    Server::start(crate::BINARY, &[&["--scheme", forge::scheme(algorithm).id(), flag, file], more].concat())
}

/// Returns the token that a response issues.
fn token(carrier: Carrier, response: &Response) -> String {
    assert_eq!(response.status, 200, "{response:?}");
    match carrier {
        Carrier::Bearer => response.json()["token"].as_str().unwrap().to_owned(),
        Carrier::Cookie => {
            let pair = response.header("set-cookie").unwrap().split(';').next().unwrap();
            pair.split_once('=').unwrap().1.to_owned()
        }
    }
}

fn header(carrier: Carrier, token: &str) -> (&'static str, String) {
    match carrier {
        Carrier::Bearer => ("authorization", format!("Bearer {token}")),
        Carrier::Cookie => ("cookie", format!("__Host-authbench={token}")),
    }
}

fn get(server: &Server, carrier: Carrier, path: &str, token: &str) -> Response {
    let (name, value) = header(carrier, token);
    server.get(path, &[(name, &value)])
}

fn post(server: &Server, carrier: Carrier, path: &str, token: &str) -> Response {
    let (name, value) = header(carrier, token);
    server.post(path, &[(name, &value), ("sec-fetch-site", "same-origin")])
}

#[test]
fn login_read_renewal_and_logout_work() {
    for algorithm in Algorithm::ALL {
        for carrier in [Carrier::Bearer, Carrier::Cookie] {
            let server = server(algorithm, &["--carrier", &carrier.to_string()]);
            let first = token(carrier, &server.login(1));
            let me = get(&server, carrier, "/me", &first);
            assert_eq!((me.status, &me.json()["username"]), (200, &json!("user-000001")), "{algorithm}, {carrier}");
            assert_eq!(get(&server, carrier, "/admin", &first).status, 403);
            let second = token(carrier, &post(&server, carrier, "/refresh", &first));
            assert_ne!(first, second);
            assert_eq!(get(&server, carrier, "/me", &second).body, me.body);
            assert_eq!(post(&server, carrier, "/logout", &second).status, 204);
            assert_eq!(post(&server, carrier, "/logout-all", &second).status, 204);
            // The class is `expiry`: what was given back works until it ends.
            assert_eq!(get(&server, carrier, "/me", &second).status, 200);
            for path in ["/refresh", "/logout", "/logout-all"] {
                assert_eq!(post(&server, carrier, path, "a.b.c").status, 401, "{path}");
            }
            let admin = token(carrier, &server.login(0));
            assert_eq!(get(&server, carrier, "/admin", &admin).status, 200);
        }
    }
}

#[test]
fn invalid_tokens_are_rejected_and_no_key_is_fetched() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = trap.local_addr().unwrap().to_string();
    for algorithm in Algorithm::ALL {
        for carrier in [Carrier::Bearer, Carrier::Cookie] {
            let server = server(algorithm, &["--carrier", &carrier.to_string()]);
            let forge = Forge::new(algorithm, &token(carrier, &server.login(7)));
            for (what, token) in invalid_tokens::tokens(&forge, &address, get_current_timestamp()) {
                // HTTP itself trims such ends, and the rest may be valid.
                if token.trim_end() == token {
                    let expected = if token.contains('\0') { 400 } else { 401 };
                    let response = get(&server, carrier, "/me", &token);
                    assert_eq!(response.status, expected, "{algorithm}, {carrier}: {what}");
                }
            }
            assert_eq!(get(&server, carrier, "/me", &forge.good()).status, 200, "{algorithm}, {carrier}");
        }
    }
    let fetched = trap.accept().map(|_| ()).unwrap_err().kind();
    assert_eq!(fetched, std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_published_keys_are_those_that_sign() {
    for algorithm in Algorithm::ALL {
        let server = server(algorithm, &[]);
        let response = server.get("/.well-known/jwks.json", &[]);
        let body = response.json();
        let published = body["keys"].as_array().cloned().unwrap_or_default();
        if algorithm == Algorithm::Hs256 {
            assert_eq!(published, [json!(null); 0], "a secret is not published");
        } else {
            let signed = token(Carrier::Bearer, &server.login(1));
            let key_id = jsonwebtoken::decode_header(&signed).unwrap().kid.unwrap();
            assert_eq!(published.iter().map(|key| &key["kid"]).collect::<Vec<_>>(), [&key_id], "{algorithm}");
        }
    }
}

#[test]
fn descriptor_states_how_long_a_revoked_token_is_accepted() {
    let server = server(Algorithm::EdDsa, &["--credential-ttl-s", "60", "--leeway-s", "2"]);
    let descriptor = server.get("/bench/scheme", &[]).json();
    assert_eq!(descriptor["scheme"], "jwt-eddsa");
    assert_eq!(descriptor["revocation_class"], "expiry");
    assert_eq!(descriptor["revocation_window_s"], 62);
    assert_eq!(descriptor["credential_ttl_s"], 60);
    assert_eq!(descriptor["leeway_s"], 2);
    assert_eq!(descriptor["store"], "none");
}

#[test]
fn configuration_file_sets_what_flags_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let (_, key) = forge::key_file(Algorithm::Es256);
    let text =
        format!("[server]\nscheme = \"jwt-es256\"\n[auth]\nkey-file = \"{key}\"\nleeway-s = 3\naudience = \"b\"\n");
    std::fs::write(&file, text).unwrap();
    let server = Server::start(crate::BINARY, &["--config", file.to_str().unwrap(), "--leeway-s", "1"]);
    let forge = Forge::new(Algorithm::Es256, &token(Carrier::Bearer, &server.login(1)));
    assert_eq!(get(&server, Carrier::Bearer, "/me", &forge.good()).status, 200);
    assert_eq!(forge.claims["aud"], "b");
    assert_eq!(server.get("/bench/scheme", &[]).json()["leeway_s"], 1);
}

#[test]
fn issuer_and_audience_are_configurable() {
    let server = server(Algorithm::Hs256, &["--issuer", "https://a.test", "--audience", "https://b.test"]);
    let forge = Forge::new(Algorithm::Hs256, &token(Carrier::Bearer, &server.login(1)));
    assert_eq!((&forge.claims["iss"], &forge.claims["aud"]), (&json!("https://a.test"), &json!("https://b.test")));
    let status = |token: &str| get(&server, Carrier::Bearer, "/me", token).status;
    assert_eq!(status(&forge.good()), 200);
    assert_eq!(status(&forge.with_claim("iss", "https://auth.example.test")), 401);
    assert_eq!(status(&forge.with_claim("aud", "https://api.example.test")), 401);
    assert_eq!(status(&forge.with_claim("aud", json!(["https://api.example.test", "https://b.test"]))), 200);
    let fraction: f64 = format!("{}.5", get_current_timestamp() + 60).parse().unwrap();
    assert_eq!(status(&forge.with_claim("exp", fraction)), 200);
}

#[test]
fn servers_with_the_same_key_accept_each_others_tokens_and_others_reject_them() {
    for algorithm in Algorithm::ALL {
        let (one, two) = (server(algorithm, &[]), server(algorithm, &[]));
        let other = Server::start(crate::BINARY, &["--scheme", forge::scheme(algorithm).id()]);
        let token = token(Carrier::Bearer, &one.login(1));
        assert_eq!(get(&two, Carrier::Bearer, "/me", &token).status, 200, "{algorithm}");
        assert_eq!(get(&other, Carrier::Bearer, "/me", &token).status, 401, "{algorithm}");
    }
}

#[test]
fn the_server_does_not_start_with_a_weak_or_wrong_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let short = file("short", &[b'x'; 31]);
    let with_line_end = file("with-line-end", &[&[b'x'; 31][..], b"\r\n"].concat());
    let empty = file("empty", b"");
    let public = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/keys/rsa-2048-public.pem");
    let encrypted = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/keys/ed25519-encrypted.pem");
    let weak = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/keys/rsa-1024.pem");
    let secret = forge::key_file(Algorithm::Hs256).1;
    let ed25519 = forge::key_file(Algorithm::EdDsa).1;
    for (scheme, arguments, words) in [
        ("jwt-hs256", &["--secret-file", &short][..], ["31 bytes", &short]),
        ("jwt-hs256", &["--secret-file", &with_line_end], ["31 bytes", "at least 32"]),
        ("jwt-rs256", &["--key-file", weak], ["at least 2048 bits", weak]),
        ("jwt-es256", &["--key-file", ed25519], ["not a P-256 private key", ed25519]),
        ("jwt-rs256", &["--key-file", public], ["the file contains a public key", "give the matching private key"]),
        ("jwt-eddsa", &["--key-file", encrypted], ["an encrypted private key", "decrypt it"]),
        ("jwt-es256", &["--key-file", &empty], ["the file is empty", &empty]),
        ("jwt-hs256", &["--secret-file", public], ["the file contains a public key", "not an HMAC secret"]),
        ("jwt-hs256", &["--secret-file", &empty], ["the file is empty", "openssl rand"]),
        ("jwt-eddsa", &["--key-file", "/nowhere/key.pem"], ["No such file", "/nowhere/key.pem"]),
        ("jwt-hs256", &["--key-file", ed25519], ["--secret-file", "HS256"]),
        ("jwt-eddsa", &["--secret-file", secret], ["--key-file", "EdDSA"]),
        ("jwt-hs256", &["--leeway-s", "6"], ["--leeway-s 6", "at most 5"]),
        ("jwt-es256", &["--credential-ttl-s", "61", "--absolute-ttl-s", "60"], ["--credential-ttl-s 61", "at most 60"]),
        ("jwt-hs256", &["--roles", "2000"], ["--roles 2000", "too many"]),
    ] {
        let (code, text) = startup_error(crate::BINARY, &[&["--scheme", scheme][..], arguments].concat());
        assert_eq!(code, 2, "{arguments:?}: {text}");
        assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
    }
}
