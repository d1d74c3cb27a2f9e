//! Which keys are accepted, and which are rejected with which error.

use jsonwebtoken::signature::Signer;
use jwt::{Algorithm, JwsError, KeyError, KeySet, SigningKey, verify_jws};
use serde_json::{Value, json};

use crate::forge;

fn rejection(algorithm: Algorithm, pem: &[u8]) -> String {
    SigningKey::from_pem(algorithm, pem).err().unwrap().to_string()
}

fn compact(key: &SigningKey, header: &Value) -> String {
    let message = format!("{}.{}", forge::encode(header.to_string()), forge::encode("payload"));
    let signature = forge::encode(key.try_sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}

#[test]
fn short_secrets_are_rejected() {
    let error = SigningKey::from_secret(&[7; 31]).err().unwrap();
    assert!(matches!(error, KeyError::ShortSecret { bytes: 31, least: 32 }));
    assert!(SigningKey::from_secret(&[7; 32]).is_ok());
    let jwk = |bytes: usize| format!(r#"{{"keys":[{{"kty":"oct","k":"{}"}}]}}"#, forge::encode(vec![7; bytes]));
    assert!(matches!(KeySet::from_json(&jwk(31)), Err(KeyError::ShortSecret { .. })));
    assert!(KeySet::from_json(&jwk(32)).is_ok());
}

#[test]
fn short_rsa_keys_are_rejected() {
    let text = rejection(Algorithm::Rs256, include_bytes!("keys/rsa-1024.pem"));
    assert!(text.contains("TooSmall") && text.contains("at least 2048 bits"), "{text}");
    let jwk = |n: &[u8]| json!({ "keys": [{ "kty": "RSA", "e": "AQAB", "n": forge::encode(n) }] }).to_string();
    let mut modulus = vec![0xff; 256];
    assert!(KeySet::from_json(&jwk(&modulus)).is_ok());
    modulus[0] = 0x7f;
    let text = KeySet::from_json(&jwk(&modulus)).err().unwrap().to_string();
    assert!(text.contains("2047 bits"), "{text}");
    // Leading zeros make no key longer.
    let text = KeySet::from_json(&jwk(&[&[0; 128][..], &[0xff; 128]].concat())).err().unwrap().to_string();
    assert!(text.contains("1024 bits"), "{text}");
}

#[test]
fn wrong_key_file_is_rejected_with_its_type_and_the_command_for_the_right_one() {
    let ed25519 = include_bytes!("keys/ed25519.pem");
    let pkcs1 = include_bytes!("keys/rsa-2048-pkcs1.pem");
    let framed = |label: &str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
    for (algorithm, pem, given, command) in [
        (Algorithm::EdDsa, &include_bytes!("keys/p256.pem")[..], "of type P-256", "-algorithm ED25519"),
        (Algorithm::EdDsa, include_bytes!("keys/ed25519-encrypted.pem"), "encrypted", "openssl pkey -in FILE"),
        (Algorithm::EdDsa, pkcs1, "PKCS #1", "-algorithm ED25519"),
        (Algorithm::EdDsa, b"ssh-ed25519 AAAA me@host", "public key", "the matching private key"),
        (Algorithm::Es256, ed25519, "of type Ed25519", "ec_paramgen_curve:P-256"),
        (Algorithm::Es256, include_bytes!("keys/p384.pem"), "of type P-384", "ec_paramgen_curve:P-256"),
        (Algorithm::Es256, framed("EC PRIVATE KEY").as_bytes(), "SEC 1", "openssl pkey -in FILE"),
        (Algorithm::Es256, framed("CERTIFICATE").as_bytes(), "a certificate", "the matching private key"),
        (Algorithm::Es256, framed("PRIVATE KEY").as_bytes(), "damaged", "ec_paramgen_curve:P-256"),
        (Algorithm::Rs256, ed25519, "of type Ed25519", "rsa_keygen_bits:2048"),
        (Algorithm::Rs256, include_bytes!("keys/rsa-2048-public.pem"), "a public key", "the matching private key"),
        (Algorithm::Rs256, br#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#, "a public JWK", "the matching private key"),
        (Algorithm::Rs256, br#"{"kty":"RSA","n":"AQ","e":"AQAB","d":"AQ"}"#, "a JWK", "rsa_keygen_bits:2048"),
        (Algorithm::Rs256, b"\x30\x82\xff", "DER", "-inform DER"),
        (Algorithm::Rs256, b"\n", "empty", "rsa_keygen_bits:2048"),
        (Algorithm::Rs256, b"hello", "no recognised key", "rsa_keygen_bits:2048"),
        (Algorithm::Hs256, ed25519, "of type Ed25519", "openssl rand"),
    ] {
        let text = rejection(algorithm, pem);
        assert!(text.contains(given) && text.contains(command), "{algorithm}: {text}");
    }
}

#[test]
fn key_ids_are_stable_and_generated_keys_are_distinct() {
    for algorithm in Algorithm::ALL {
        let read = || match algorithm {
            Algorithm::Hs256 => SigningKey::from_secret(forge::secret()).unwrap(),
            _ => SigningKey::from_pem(algorithm, &std::fs::read(forge::key_file(algorithm).1).unwrap()).unwrap(),
        };
        let (one, two, other) = (read(), read(), SigningKey::generate(algorithm).unwrap());
        assert_eq!(one.kid(), two.kid(), "{algorithm}");
        assert_ne!(one.kid(), other.kid(), "{algorithm}");
        let trusted = KeySet::new(vec![two.verifying_key()]).unwrap();
        let header = json!({ "alg": algorithm.name() });
        assert_eq!(verify_jws(&compact(&one, &header), &trusted), Ok(b"payload".to_vec()), "{algorithm}");
        assert_eq!(verify_jws(&compact(&other, &header), &trusted), Err(JwsError::Signature), "{algorithm}");
    }
    let pkcs1 = SigningKey::from_pem(Algorithm::Rs256, include_bytes!("keys/rsa-2048-pkcs1.pem"));
    assert!(pkcs1.is_ok());
}

#[test]
fn kid_selects_the_key_and_without_kid_every_key_of_the_algorithm_is_tried() {
    let keys = [SigningKey::generate(Algorithm::EdDsa).unwrap(), SigningKey::generate(Algorithm::EdDsa).unwrap()];
    let trusted = KeySet::new(keys.iter().map(SigningKey::verifying_key).collect()).unwrap();
    for key in &keys {
        let token = compact(key, &json!({ "alg": "EdDSA", "kid": key.kid() }));
        assert_eq!(verify_jws(&token, &trusted), Ok(b"payload".to_vec()));
    }
    let verdict = |header: Value| verify_jws(&compact(&keys[0], &header), &trusted);
    assert_eq!(verdict(json!({ "alg": "EdDSA" })), Ok(b"payload".to_vec()));
    assert_eq!(verdict(json!({ "alg": "ES256" })), Err(JwsError::Algorithm));
    let unknown_key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    assert_eq!(verify_jws(&compact(&unknown_key, &json!({ "alg": "EdDSA" })), &trusted), Err(JwsError::Signature));
    assert_eq!(verdict(json!({ "alg": "EdDSA", "kid": "other" })), Err(JwsError::UnknownKey));
    assert_eq!(verdict(json!({ "alg": "EdDSA", "kid": keys[1].kid() })), Err(JwsError::Signature));
}

#[test]
fn no_more_than_eight_keys_are_tried_for_a_token() {
    let keys: Vec<_> = (0..9).map(|_| SigningKey::generate(Algorithm::EdDsa).unwrap()).collect();
    let trusted = KeySet::new(keys.iter().map(SigningKey::verifying_key).collect()).unwrap();
    let verdicts = keys.iter().map(|key| verify_jws(&compact(key, &json!({ "alg": "EdDSA" })), &trusted));
    let taken: Vec<_> = verdicts.map(|verdict| verdict.is_ok()).collect();
    assert_eq!(taken, [true, true, true, true, true, true, true, true, false]);
}

#[test]
fn ambiguous_kid_is_rejected() {
    let key = || SigningKey::from_secret(forge::secret()).unwrap().verifying_key();
    assert!(matches!(KeySet::new(vec![key(), key()]), Err(KeyError::DuplicateKid(_))));
}

#[test]
fn unsupported_keys_are_ignored() {
    let k = forge::encode([7; 32]);
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let header = json!({ "alg": "HS256" });
    let token = compact(&SigningKey::from_secret(&[7; 32]).unwrap(), &header);
    let usable = |key: Value| {
        let set = KeySet::from_json(&json!({ "keys": [key] }).to_string()).unwrap();
        verify_jws(&token, &set).is_ok()
    };
    assert!(usable(json!({ "kty": "oct", "k": k })));
    assert!(usable(json!({ "kty": "oct", "k": k, "alg": "HS256", "use": "sig", "key_ops": ["sign", "verify"] })));
    assert!(!usable(json!({ "kty": "oct", "k": k, "alg": "HS512" })));
    assert!(!usable(json!({ "kty": "oct", "k": k, "alg": "A128KW" })));
    assert!(!usable(json!({ "kty": "oct", "k": k, "use": "enc" })));
    assert!(!usable(json!({ "kty": "oct", "k": k, "key_ops": ["encrypt"] })));
    assert!(!usable(json!({ "kty": "OKP", "crv": "X25519", "x": x })));
    assert!(!usable(json!({ "kty": "AKP", "pub": x })));
}

#[test]
fn unsafe_rsa_exponent_is_rejected() {
    let modulus = forge::encode([0xff; 256]);
    let read = |e: &[u8]| {
        let key = json!({ "kty": "RSA", "n": modulus, "e": forge::encode(e) });
        KeySet::from_json(&json!({ "keys": [key] }).to_string())
    };
    assert!(read(&[1, 0, 1]).is_ok());
    for e in [&[][..], &[0], &[1], &[0, 1], &[1, 0]] {
        assert!(matches!(read(e), Err(KeyError::Jwk(Algorithm::Rs256))), "{e:?}");
    }
}

#[test]
fn malformed_keys_are_errors() {
    let point = forge::decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3-257rn0s2ldbqkLJK2KRiMohYjlrQ");
    let ec = |x: &[u8], y: &[u8]| json!({ "kty": "EC", "crv": "P-256", "x": forge::encode(x), "y": forge::encode(y) });
    let okp = |x: &str| json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    // The frame of RFC 8410 section 4, which other formats of this key have around it.
    let frame = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    let framed = forge::encode([&frame[..], &forge::decode(x)].concat());
    let read = |key: &Value| KeySet::from_json(&json!({ "keys": [key] }).to_string());
    assert!(read(&ec(&point[..32], &point[32..])).is_ok());
    assert!(read(&okp(x)).is_ok());
    for key in [
        ec(&point[..31], &point[31..]),
        ec(&point[..32], &point[..32]),
        ec(&point, &[]),
        okp(&x[..42]),
        okp(&format!("{x}=")),
        okp(&framed),
    ] {
        assert!(matches!(read(&key), Err(KeyError::Jwk(_))), "{key}");
    }
    assert!(matches!(KeySet::from_json("[]"), Err(KeyError::Set(_))));
}
