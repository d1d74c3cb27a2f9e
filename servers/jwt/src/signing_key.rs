//! The key that this server signs with, parsed once: to read an RSA private key costs more than to sign with it.

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rand};
use jsonwebtoken::crypto::JwtSigner;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::signature::{Error, Signer};
use jsonwebtoken::{DecodingKey, EncodingKey};

use crate::verifying_key::{VerifyingKey, hmac_key};
use crate::{Algorithm, KeyError, KeyFileKind, base64url, jsonwebtoken_algorithm};

/// What the key id of an HMAC secret is derived from. A signing input has a dot in it and this has none, so the
/// id is never the signature of anything.
const KEY_ID_LABEL: &[u8] = b"authbench key id";
/// Bytes of the derived key id.
const KEY_ID_BYTES: usize = 16;

/// A prepared private key or secret, with its key id.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    prepared: Prepared,
}

enum Prepared {
    Hmac(Box<hmac::Key>),
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// A fresh key from the operating system's generator: 256 bits, and 2048 for RSA.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let failed = |_| KeyError::Generation(algorithm);
        match algorithm {
            Algorithm::Hs256 => {
                let mut secret = [0; 32];
                rand::fill(&mut secret).map_err(failed)?;
                Self::from_secret(&secret)
            }
            Algorithm::EdDsa => Self::new(algorithm, Prepared::Ed25519(Ed25519KeyPair::generate().map_err(failed)?)),
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
                Self::new(algorithm, Prepared::P256(pair))
            }
            Algorithm::Rs256 => {
                Self::new(algorithm, Prepared::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?))
            }
        }
    }

    /// The HMAC key in a file of this content: a secret of at least 32 bytes, and no key in any other form, of which
    /// a part may be known to all.
    pub fn from_secret_file(content: &[u8]) -> Result<Self, KeyError> {
        let (algorithm, given) = (Algorithm::Hs256, KeyFileKind::of(content));
        if !given.fits(algorithm) {
            return Err(KeyError::Wrong { algorithm, given });
        }
        Self::from_secret(contract::secret::without_line_end(content))
    }

    /// The HMAC key of at least 32 bytes that several servers may share.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        let key = hmac_key(secret)?;
        // A thumbprint would be a plain hash of the secret (RFC 7638 section 7); the output of a keyed function
        // reveals no more than any token does.
        let derived = hmac::sign(&key, KEY_ID_LABEL);
        let kid = base64url::encode(&derived.as_ref()[..KEY_ID_BYTES]);
        Ok(Self { algorithm: Algorithm::Hs256, kid, prepared: Prepared::Hmac(Box::new(key)) })
    }

    /// The private key in an unencrypted PKCS #8 PEM file; for RSA also PKCS #1. A secret has no such form.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        let given = KeyFileKind::of(pem);
        if algorithm == Algorithm::Hs256 || !given.fits(algorithm) {
            return Err(KeyError::Wrong { algorithm, given });
        }
        let other = || KeyError::Wrong { algorithm, given: KeyFileKind::Damaged };
        let prepared = match algorithm {
            Algorithm::Hs256 => return Err(other()),
            Algorithm::EdDsa => {
                let der = EncodingKey::from_ed_pem(pem).map_err(|_| other())?;
                Prepared::Ed25519(Ed25519KeyPair::from_pkcs8(der.as_bytes()).map_err(|_| other())?)
            }
            Algorithm::Es256 => {
                let der = EncodingKey::from_ec_pem(pem).map_err(|_| other())?;
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_bytes());
                Prepared::P256(pair.map_err(|_| other())?)
            }
            Algorithm::Rs256 => {
                let der = EncodingKey::from_rsa_pem(pem).map_err(|_| other())?;
                let rejected = |reason: KeyRejected| KeyError::Rsa { reason: reason.to_string() };
                Prepared::Rsa(RsaKeyPair::from_der(der.as_bytes()).map_err(rejected)?)
            }
        };
        Self::new(algorithm, prepared)
    }

    fn new(algorithm: Algorithm, prepared: Prepared) -> Result<Self, KeyError> {
        let mut key = Self { algorithm, kid: String::new(), prepared };
        let jwk = key.public_jwk().expect("a key pair has a public half");
        key.kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Jwk(algorithm))?;
        Ok(key)
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the key's id: its RFC 7638 thumbprint, or for a secret a value that reveals nothing of it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JWK; none for a secret, which has no public half.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Jwk> {
        let public = match &self.prepared {
            Prepared::Hmac(_) => return None,
            Prepared::Ed25519(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
            Prepared::P256(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Prepared::Rsa(pair) => DecodingKey::from_rsa_der(pair.public_key().as_ref()),
        };
        let mut jwk = Jwk::from_decoding_key(&public, Some(jsonwebtoken_algorithm(self.algorithm)))
            .expect("aws-lc made the public key");
        jwk.common.key_id = Some(self.kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Some(jwk)
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        if let Prepared::Hmac(key) = &self.prepared {
            return VerifyingKey::from_hmac_key(hmac::Key::clone(key), self.kid.clone());
        }
        let jwk = self.public_jwk().expect("a key pair has a public half");
        VerifyingKey::from_jwk(&jwk).expect("the public half of a valid key is valid")
    }
}

impl Signer<Vec<u8>> for SigningKey {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.prepared {
            Prepared::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Prepared::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
            Prepared::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec())
            }
            Prepared::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map(|()| signature)
            }
        }
        .map_err(|_| Error::new())
    }
}

impl JwtSigner for SigningKey {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        jsonwebtoken_algorithm(self.algorithm)
    }
}
