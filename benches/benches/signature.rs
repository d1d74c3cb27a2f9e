//! What the check of a signed token costs, step by step: `<algorithm>/<step>`.
//!
//! | step | what is measured |
//! | --- | --- |
//! | `signature` | the signature alone, with a prepared key: aws-lc-rs, and nothing of JWT around it |
//! | `claims` | parsing the claims |
//! | `verify_jws` | the step of this repository's server: segments, header, signature, but no claims |
//! | `jsonwebtoken` | the library's own `decode`, whose key is kept from check to check |
//! | `jsonwebtoken-new-key` | the same with a key that is made from its JWK, or secret, for each check |

use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::signature::{Signer as _, Verifier as _};
use jsonwebtoken::{DecodingKey, Validation};
use jwt::{Algorithm, KeySet, SigningKey, VerifyingKey, jsonwebtoken_algorithm, verify_jws};
use serde::Deserialize;
use serde_json::json;

/// As long as the hash, and used only here.
const SECRET: &[u8; 32] = b"a secret that is used only here!";
const AUDIENCE: &str = "authbench-api";
/// In the year 2100.
const EXPIRY: u64 = 4_102_444_800;

/// The claims of the server's own tokens.
#[derive(Deserialize)]
#[expect(dead_code, reason = "they are parsed")]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    auth_time: u64,
    username: String,
    email: String,
    roles: Vec<String>,
}

/// A token, and all keys with which it can be checked.
struct Signed {
    algorithm: Algorithm,
    compact: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
    key: VerifyingKey,
    set: KeySet,
    /// None for a secret.
    jwk: Option<Jwk>,
}

impl Signed {
    fn new(algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::Hs256 => SigningKey::from_secret(SECRET),
            other => SigningKey::generate(other),
        };
        let key = key.expect("the system makes keys");
        let payload = serde_json::to_vec(&json!({
            "iss": "https://issuer.example.test", "aud": AUDIENCE, "sub": "42", "exp": EXPIRY, "nbf": 1, "iat": 1,
            "jti": "5f1c1b0e9c5d4f3f8c1f6d0a7b2e4c90", "auth_time": 1, "username": "user-000042",
            "email": "user-000042@example.test", "roles": ["reader", "writer"],
        }));
        let payload = payload.expect("the claims are JSON");
        let header = json!({"alg": jsonwebtoken_algorithm(algorithm), "typ": "at+jwt", "kid": key.kid()});
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let input = format!("{}.{}", encode(header.to_string().as_bytes()), encode(&payload));
        let signature: Vec<u8> = key.sign(input.as_bytes());
        let set = KeySet::new(vec![key.verifying_key()]).expect("one key is a set");
        Self {
            algorithm,
            compact: format!("{input}.{}", encode(&signature)),
            payload,
            signature,
            key: key.verifying_key(),
            set,
            jwk: key.public_jwk(),
        }
    }

    /// Returns what is signed.
    fn input(&self) -> &[u8] {
        self.compact.rsplit_once('.').expect("a token has three segments").0.as_bytes()
    }

    fn decoding_key(&self) -> DecodingKey {
        self.jwk.as_ref().map_or_else(
            || DecodingKey::from_secret(SECRET),
            |jwk| DecodingKey::from_jwk(jwk).expect("the JWK of a new key is valid"),
        )
    }

    fn decode(&self, key: &DecodingKey, validation: &Validation) -> Claims {
        jsonwebtoken::decode::<Claims>(black_box(&self.compact), key, validation).expect("the token is valid").claims
    }

    fn validation(&self) -> Validation {
        let mut validation = Validation::new(jsonwebtoken_algorithm(self.algorithm));
        validation.set_audience(&[AUDIENCE]);
        validation
    }

    /// Every step accepts the token, and those with a signature reject a changed one.
    fn check(&self) {
        assert_eq!(verify_jws(&self.compact, &self.set).as_ref(), Ok(&self.payload));
        let (key, validation) = (self.decoding_key(), self.validation());
        assert_eq!(self.decode(&key, &validation).sub, "42");
        self.key.verify(self.input(), &self.signature).expect("the signature is valid");
        let mut changed = self.signature.clone();
        changed[0] ^= 1;
        assert!(self.key.verify(self.input(), &changed).is_err());
        let tampered = self.compact.replacen(".ey", ".fy", 1);
        assert!(verify_jws(&tampered, &self.set).is_err());
        assert!(jsonwebtoken::decode::<Claims>(&tampered, &key, &validation).is_err());
    }
}

fn steps(criterion: &mut Criterion) {
    for algorithm in [Algorithm::Hs256, Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let signed = Signed::new(algorithm);
        signed.check();
        let (key, validation) = (signed.decoding_key(), signed.validation());
        let mut group = criterion.benchmark_group(algorithm.to_string());
        group.bench_function("signature", |bencher| {
            bencher.iter(|| signed.key.verify(black_box(signed.input()), &signed.signature).is_ok());
        });
        group.bench_function("claims", |bencher| {
            bencher.iter(|| serde_json::from_slice::<Claims>(black_box(&signed.payload)).is_ok());
        });
        group.bench_function("verify_jws", |bencher| {
            bencher.iter(|| verify_jws(black_box(&signed.compact), &signed.set).is_ok());
        });
        group.bench_function("jsonwebtoken", |bencher| bencher.iter(|| signed.decode(&key, &validation)));
        group.bench_function("jsonwebtoken-new-key", |bencher| {
            bencher.iter(|| signed.decode(&signed.decoding_key(), &validation));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = steps
}
criterion_main!(benches);
