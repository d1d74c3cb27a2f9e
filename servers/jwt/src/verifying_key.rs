//! A key that checks signatures, parsed once.
//!
//! `jsonwebtoken`'s own provider makes a signer or verifier for every call: each time it runs the HMAC key schedule
//! or parses the key, which doubles the time of an HS256 check and triples that of an RS256 signature. So this crate
//! implements that library's [`JwtVerifier`] and its signing counterpart over keys that aws-lc-rs holds prepared, and
//! has PEM, JWK and thumbprints from the library.

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use jsonwebtoken::crypto::JwtVerifier;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::signature::{Error, Verifier};

use crate::{Algorithm, KeyError, base64url, jsonwebtoken_algorithm};

/// Bytes that an HMAC secret must have: as many as the hash gives (RFC 7518 section 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// Bits that an RSA modulus must have (RFC 7518 section 3.3); more than the upper bound are slow, not strong.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Bytes of an Ed25519 public key and of a P-256 coordinate, leading zeros included (RFC 7518 section 6.2.1.2).
const POINT_BYTES: usize = 32;

/// A prepared key that checks the signatures of one algorithm.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Option<String>,
    prepared: Prepared,
}

#[derive(Clone)]
enum Prepared {
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl VerifyingKey {
    /// The key that a JWK holds (RFC 7517), private members ignored.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a key of another type, algorithm or use; otherwise it is weak or malformed.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithm = algorithm_of(jwk)?;
        let prepared = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(key) => Prepared::Hmac(Box::new(hmac_key(&member(algorithm, &key.value)?)?)),
            AlgorithmParameters::OctetKeyPair(key) => {
                Prepared::Public(parse_public_key(algorithm, &ED25519, point(algorithm, &key.x)?)?)
            }
            AlgorithmParameters::EllipticCurve(key) => {
                let sec1 = [vec![0x04], point(algorithm, &key.x)?, point(algorithm, &key.y)?].concat();
                Prepared::Public(parse_public_key(algorithm, &ECDSA_P256_SHA256_FIXED, sec1)?)
            }
            AlgorithmParameters::RSA(key) => {
                Prepared::Public(rsa_key(member(algorithm, &key.n)?, member(algorithm, &key.e)?)?)
            }
            _ => return Err(KeyError::Unsupported),
        };
        Ok(Self { algorithm, kid: jwk.common.key_id.clone(), prepared })
    }

    pub(crate) fn from_hmac_key(key: hmac::Key, kid: String) -> Self {
        Self { algorithm: Algorithm::Hs256, kid: Some(kid), prepared: Prepared::Hmac(Box::new(key)) }
    }

    /// Returns the one algorithm whose signatures it verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name by which a header means this key.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

impl Verifier<Vec<u8>> for VerifyingKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        match &self.prepared {
            Prepared::Hmac(key) => hmac::verify(key, message, signature),
            Prepared::Public(key) => key.verify_sig(message, signature),
        }
        .map_err(|_| Error::new())
    }
}

impl JwtVerifier for VerifyingKey {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        jsonwebtoken_algorithm(self.algorithm)
    }
}

/// The prepared form of an HMAC secret, if it is long enough.
pub(crate) fn hmac_key(secret: &[u8]) -> Result<hmac::Key, KeyError> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(KeyError::ShortSecret { bytes: secret.len(), least: MIN_SECRET_BYTES });
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret))
}

/// The algorithm that the key's type implies, if `alg`, `use` and `key_ops` have nothing against it.
fn algorithm_of(jwk: &Jwk) -> Result<Algorithm, KeyError> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => Algorithm::Hs256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDsa,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::Es256,
        AlgorithmParameters::RSA(_) => Algorithm::Rs256,
        _ => return Err(KeyError::Unsupported),
    };
    let common = &jwk.common;
    let named = common.key_algorithm.is_none_or(|alg| alg == KeyAlgorithm::from(jsonwebtoken_algorithm(algorithm)));
    let to_sign = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let to_verify = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    if named && to_sign && to_verify { Ok(algorithm) } else { Err(KeyError::Unsupported) }
}

fn member(algorithm: Algorithm, text: &str) -> Result<Vec<u8>, KeyError> {
    base64url::decode(text).map_err(|_| KeyError::Jwk(algorithm))
}

fn point(algorithm: Algorithm, text: &str) -> Result<Vec<u8>, KeyError> {
    member(algorithm, text)
        .and_then(|bytes| if bytes.len() == POINT_BYTES { Ok(bytes) } else { Err(KeyError::Jwk(algorithm)) })
}

fn parse_public_key(
    algorithm: Algorithm,
    verification: &'static dyn aws_lc_rs::signature::VerificationAlgorithm,
    key: Vec<u8>,
) -> Result<ParsedPublicKey, KeyError> {
    ParsedPublicKey::new(verification, key).map_err(|_| KeyError::Jwk(algorithm))
}

/// aws-lc-rs looks at the modulus only when a signature is checked; here it is looked at now.
fn rsa_key(n: Vec<u8>, e: Vec<u8>) -> Result<ParsedPublicKey, KeyError> {
    let leading_zeros: usize = match n.iter().position(|&byte| byte != 0) {
        Some(zero_bytes) => zero_bytes * 8 + n[zero_bytes].leading_zeros() as usize,
        None => n.len() * 8,
    };
    let bits = n.len() * 8 - leading_zeros;
    if !RSA_BITS.contains(&bits) {
        return Err(KeyError::Rsa { reason: format!("{bits} bits") });
    }
    // An exponent of 1 would have every text signed, and none that is even has an inverse.
    let exponent: Vec<_> = e.iter().skip_while(|byte| **byte == 0).collect();
    if matches!(exponent.as_slice(), [] | [1]) || e.last().is_some_and(|byte| byte % 2 == 0) {
        return Err(KeyError::Jwk(Algorithm::Rs256));
    }
    PublicKeyComponents { n, e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| KeyError::Jwk(Algorithm::Rs256))
}
