//! The server's own key, lent so that tokens can be forged which are wrong in one thing only.

use jsonwebtoken::{Algorithm, EncodingKey};

/// What a server signs its tokens with.
pub enum SigningKeys {
    /// The secret of an HMAC.
    Secret(Vec<u8>),
    /// A private key in a PKCS #8 PEM file.
    Pem(Vec<u8>),
}

impl SigningKeys {
    /// The secret in a file of this content.
    #[must_use]
    pub fn secret(file: &[u8]) -> Self {
        Self::Secret(contract::secret::in_file(file).to_vec())
    }

    /// The private key in a PKCS #8 PEM file of this content.
    #[must_use]
    pub fn pem(file: &[u8]) -> Self {
        Self::Pem(file.to_vec())
    }

    /// The key for signatures of this algorithm; none if it is of another type.
    pub(crate) fn for_algorithm(&self, algorithm: Algorithm) -> Option<EncodingKey> {
        use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512};
        match (self, algorithm) {
            (Self::Secret(secret), HS256 | HS384 | HS512) => Some(EncodingKey::from_secret(secret)),
            (Self::Secret(_), _) | (Self::Pem(_), HS256 | HS384 | HS512) => None,
            (Self::Pem(pem), EdDSA) => EncodingKey::from_ed_pem(pem).ok(),
            (Self::Pem(pem), ES256 | ES384) => EncodingKey::from_ec_pem(pem).ok(),
            (Self::Pem(pem), _) => EncodingKey::from_rsa_pem(pem).ok(),
        }
    }
}
