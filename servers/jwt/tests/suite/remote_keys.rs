//! The keys of another server (`--trusted-jwks`): one that cannot be used costs no other its use (RFC 7517 section 5).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use jsonwebtoken::EncodingKey;
use jwt::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::forge::{self, Forge};
use testkit::server::Server;

const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";

/// A server that returns a JWK set to every request.
struct Issuer {
    address: SocketAddr,
    set: Arc<Mutex<String>>,
}

impl Issuer {
    fn start(set: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, set) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(set)));
        let served = Arc::clone(&set);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let body = served.lock().unwrap().clone();
                let _ = stream.read(&mut [0; 4096]);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Self { address, set }
    }

    fn trusting_server(&self) -> Server {
        let (flag, secret) = forge::key_file(Algorithm::Hs256);
        let url = format!("http://{}/keys", self.address);
        Server::start(crate::BINARY, &["--scheme", "jwt-hs256", flag, secret, "--trusted-jwks", &url])
    }
}

fn public_jwk(algorithm: Algorithm, kid: &str) -> Value {
    let pem = std::fs::read(forge::key_file(algorithm).1).unwrap();
    let mut jwk = serde_json::to_value(SigningKey::from_pem(algorithm, &pem).unwrap().public_jwk()).unwrap();
    jwk["kid"] = kid.into();
    jwk
}

/// Keys that cannot be used, as text because one of them has a member twice.
fn unusable() -> Vec<String> {
    let ed25519 = public_jwk(Algorithm::EdDsa, "good");
    let x = ed25519["x"].as_str().unwrap();
    let mut keys: Vec<String> = [
        json!({ "kty": "oct", "k": forge::encode([7; 31]), "kid": "short-secret" }),
        json!({ "kty": "RSA", "n": forge::encode([0xff; 128]), "e": "AQAB", "kid": "short-rsa" }),
        json!({ "kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_X, "kid": "off-curve" }),
        json!({ "kty": "EC", "crv": "P-256", "x": P256_X, "kid": "no-y" }),
        json!({ "kty": "AKP", "pub": x, "kid": "unknown-type" }),
        json!({ "kty": "OKP", "crv": "Ed448", "x": x, "kid": "unknown-curve" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "ES256K", "kid": "unknown-algorithm" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "use": "enc", "kid": "other-use" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": format!("{x}="), "kid": "padded" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": 7 }),
        json!({ "x": x, "kid": "no-type" }),
        json!("text"),
        json!([ed25519]),
        Value::Null,
    ]
    .map(|key| key.to_string())
    .into();
    keys.push(format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","x":"{x}","kid":"member-twice"}}"#));
    keys.push(ed25519.to_string());
    keys
}

fn set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// The server's own token for user 7, to be signed by others.
fn forge(server: &Server) -> Forge {
    Forge::new(Algorithm::Hs256, server.login(7).json()["token"].as_str().unwrap())
}

/// This token under the key of this algorithm, with this `kid`.
fn signed(forge: &Forge, algorithm: Algorithm, kid: Option<&str>) -> String {
    let pem = std::fs::read(forge::key_file(algorithm).1).unwrap();
    let key = match algorithm {
        Algorithm::EdDsa => EncodingKey::from_ed_pem(&pem),
        Algorithm::Es256 => EncodingKey::from_ec_pem(&pem),
        _ => EncodingKey::from_rsa_pem(&pem),
    };
    let mut header = json!({ "typ": "at+jwt", "alg": algorithm.name() });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    forge::sign(&key.unwrap(), jwt::jsonwebtoken_algorithm(algorithm), header.to_string(), forge.claims_json())
}

fn me(server: &Server, token: &str) -> u16 {
    server.get("/me", &[("authorization", &format!("Bearer {token}"))]).status
}

#[test]
fn unusable_keys_are_logged_once_and_the_others_work() {
    let good = [public_jwk(Algorithm::EdDsa, "good"), public_jwk(Algorithm::Es256, "good")];
    let keys: Vec<_> = good.iter().map(Value::to_string).chain(unusable()).collect();
    let issuer = Issuer::start(set(&keys));
    let server = issuer.trusting_server();
    let forge = forge(&server);
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        for kid in [Some("good"), None] {
            assert_eq!(me(&server, &signed(&forge, algorithm, kid)), 200, "{algorithm}, kid {kid:?}");
        }
    }
    assert_eq!(me(&server, &forge.without_header("kid")), 200, "its own key is one of those that are tried");
    // The set is fetched again for each of these, and holds nothing new.
    for rejected in [Some("padded"), Some("unknown"), None] {
        assert_eq!(me(&server, &signed(&forge, Algorithm::Rs256, rejected)), 401, "{rejected:?}");
    }
    // RFC 8725 section 2.1: the parts of a public key are not secret.
    for public in [good[0]["x"].as_str().unwrap().as_bytes().to_vec(), forge::decode(good[0]["x"].as_str().unwrap())] {
        let key = EncodingKey::from_secret(&public);
        for header in
            [json!({ "typ": "at+jwt", "alg": "HS256" }), json!({ "typ": "at+jwt", "alg": "HS256", "kid": "good" })]
        {
            let token = forge::sign(&key, jsonwebtoken::Algorithm::HS256, header.to_string(), forge.claims_json());
            assert_eq!(me(&server, &token), 401, "{header}");
        }
    }
    server.signal("-TERM");
    let (_, log) = server.wait_for_exit();
    let ignored: Vec<_> = log.lines().filter(|line| line.contains("ignoring a trusted key")).collect();
    assert_eq!(ignored.len(), unusable().len(), "{log}");
    for kid in ["short-secret", "short-rsa", "off-curve", "unknown-curve", "padded", "member-twice"] {
        assert_eq!(ignored.iter().filter(|line| line.contains(&format!("{kid:?}"))).count(), 1, "{kid}: {log}");
    }
    assert!(!log.contains(good[0]["x"].as_str().unwrap()) && !log.contains(P256_X), "{log}");
}

#[test]
fn set_of_only_unusable_keys_is_reported_and_a_later_set_works() {
    let issuer = Issuer::start(set(&unusable()[..2]));
    let server = issuer.trusting_server();
    let forge = forge(&server);
    let token = signed(&forge, Algorithm::EdDsa, Some("good"));
    assert_eq!((me(&server, &token), me(&server, &forge.good())), (503, 200));
    *issuer.set.lock().unwrap() = set(&[public_jwk(Algorithm::EdDsa, "good").to_string()]);
    assert_eq!(me(&server, &token), 200);
}
