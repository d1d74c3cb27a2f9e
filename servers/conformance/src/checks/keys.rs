//! Row 4: a token does not supply the key that verifies it, its address or a file name.

use std::io::ErrorKind;
use std::net::TcpListener;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Value, json};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, ensure, fail, not_applicable};
use crate::token::{Token, encode, pem, sign};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "key-embedded",
        row: 4,
        title: "A token signed with the key in its own jwk or x5c header is rejected.",
        source: "RFC 8725 section 3.10; RFC 7515 sections 4.1.3 and 4.1.6",
        run: embedded,
    },
    Check {
        id: "key-by-url",
        row: 4,
        title: "A token with jku or x5u is rejected, and the server does not connect to that address.",
        source: "RFC 8725 section 3.10; RFC 7515 sections 4.1.2 and 4.1.5",
        run: by_url,
    },
    Check {
        id: "kid-hostile",
        row: 4,
        title: "A token whose kid is a path, a query, a URL, blank, unknown or not a string is rejected.",
        source: "RFC 8725 section 3.10",
        run: kid,
    },
];

/// A key of an attacker, with its public half as a JWK.
struct AttackerKey {
    key: EncodingKey,
    jwk: Value,
}

impl AttackerKey {
    /// Generates a key for this algorithm; none if that is not possible here.
    fn for_algorithm(algorithm: Algorithm) -> Option<Self> {
        let (key, public) = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                let jwk = json!({ "kty": "oct", "k": encode([7; 64]), "kid": "mine" });
                return Some(Self { key: EncodingKey::from_secret(&[7; 64]), jwk });
            }
            Algorithm::EdDSA => ed25519()?,
            Algorithm::ES256 => p256()?,
            Algorithm::RS256 => rsa()?,
            _ => return None,
        };
        let mut jwk = serde_json::to_value(Jwk::from_decoding_key(&public, Some(algorithm)).ok()?).ok()?;
        jwk["kid"] = json!("mine");
        Some(Self { key, jwk })
    }
}

fn ed25519() -> Option<(EncodingKey, DecodingKey)> {
    let pair = Ed25519KeyPair::generate().ok()?;
    let pkcs8 = pair.to_pkcs8().ok()?;
    Some((EncodingKey::from_ed_der(pkcs8.as_ref()), DecodingKey::from_ed_der(pair.public_key().as_ref())))
}

fn p256() -> Option<(EncodingKey, DecodingKey)> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
    let pkcs8 = pair.to_pkcs8v1().ok()?;
    Some((EncodingKey::from_ec_der(pkcs8.as_ref()), DecodingKey::from_ec_der(pair.public_key().as_ref())))
}

fn rsa() -> Option<(EncodingKey, DecodingKey)> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    let key = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", pkcs8.as_ref()).as_bytes()).ok()?;
    Some((key, DecodingKey::from_rsa_der(pair.public_key().as_ref())))
}

fn with(token: &Token, members: &[(&str, Value)]) -> String {
    let mut header = token.header.clone();
    header.extend(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Value::Object(header).to_string()
}

fn attacker(context: &CheckContext<'_>) -> CheckResult<(Token, Algorithm, AttackerKey)> {
    let token = context.token()?;
    let Some(algorithm) = token.algorithm() else {
        return not_applicable("the suite does not support the token's alg");
    };
    match AttackerKey::for_algorithm(algorithm) {
        Some(attacker_key) => Ok((token, algorithm, attacker_key)),
        None => not_applicable("the suite cannot generate keys for the token's alg"),
    }
}

fn embedded(context: &CheckContext<'_>) -> CheckResult {
    let (token, algorithm, attacker_key) = attacker(context)?;
    let kid = token.header.get("kid").cloned().unwrap_or(Value::Null);
    let mut named = attacker_key.jwk.clone();
    named["kid"] = kid.clone();
    let embedded_keys =
        [("jwk", attacker_key.jwk.clone()), ("jwk", named), ("x5c", json!(["MIIB"])), ("x5c", json!([]))];
    for (name, value) in embedded_keys {
        for kid in [kid.clone(), json!("mine")] {
            let header = with(&token, &[(name, value.clone()), ("kid", kid)]);
            let forged = sign(&attacker_key.key, algorithm, header, token.claims_json())?;
            context.must_be_rejected(forged, &format!("signed with the key in its own {name} header"))?;
        }
    }
    Ok(())
}

fn by_url(context: &CheckContext<'_>) -> CheckResult {
    let (token, algorithm, attacker_key) = attacker(context)?;
    let Ok(trap) = TcpListener::bind("127.0.0.1:0") else {
        return not_applicable("no free port for the listener that detects a connection");
    };
    let (Ok(address), Ok(())) = (trap.local_addr(), trap.set_nonblocking(true)) else {
        return not_applicable("no free port for the listener that detects a connection");
    };
    for name in ["jku", "x5u"] {
        for kid in [token.header.get("kid").cloned().unwrap_or(Value::Null), json!("mine")] {
            let header = with(&token, &[(name, json!(format!("http://{address}/keys"))), ("kid", kid)]);
            let forged = sign(&attacker_key.key, algorithm, header, token.claims_json())?;
            context.must_be_rejected(forged, &format!("a key to fetch from the address in {name}"))?;
        }
    }
    let kid = with(&token, &[("kid", json!(format!("http://{address}/key")))]);
    context.must_be_rejected(sign(&attacker_key.key, algorithm, kid, token.claims_json())?, "a kid that is a URL")?;
    match trap.accept() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        _ => fail("the server connected to the address in the token"),
    }
}

fn kid(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    if !forge.token.header.contains_key("kid") {
        return not_applicable("the tokens have no kid");
    }
    let hostile = [
        json!(""),
        json!(" "),
        json!("../../../../../../dev/null"),
        json!("/dev/null"),
        json!("' OR '1'='1"),
        json!("'; DROP TABLE keys; --"),
        json!("| id"),
        json!("http://127.0.0.1:1/key"),
        json!("unknown"),
        json!("a".repeat(4000)),
        Value::Null,
        json!(0),
        json!(["unknown"]),
    ];
    for kid in hostile {
        context.must_be_rejected(forge.with_header("kid", kid.clone()), &format!("kid {kid}"))?;
    }
    let own_kid = forge.token.header["kid"].as_str().unwrap_or_default();
    let status = context.me_status(forge.with_header("kid", format!("{own_kid}\0")))?;
    ensure(status == 401, || format!("kid followed by NUL: {status} instead of 401"))?;
    context.must_be_accepted(forge.good(), "the valid token after that")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_of_the_attackers_key_verifies_with_its_jwk() {
        for algorithm in [Algorithm::HS256, Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256] {
            let attacker_key = AttackerKey::for_algorithm(algorithm).unwrap();
            let token = sign(&attacker_key.key, algorithm, "{}", "{}").unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            let key = DecodingKey::from_jwk(&serde_json::from_value(attacker_key.jwk).unwrap()).unwrap();
            let verified = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm);
            assert!(verified.unwrap(), "{algorithm:?}");
        }
    }
}
