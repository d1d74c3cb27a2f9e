//! The server's own key, given to forge tokens that differ from valid ones in one property.

use jsonwebtoken::{Algorithm, EncodingKey};

/// The key with which a server signs its tokens.
pub enum SigningKeys {
    /// The secret of an HMAC.
    Secret(Vec<u8>),
    /// A private key in a PKCS #8 PEM file.
    Pem(Vec<u8>),
}

impl SigningKeys {
    /// Reads the secret from the content of a file.
    #[must_use]
    pub fn secret(file: &[u8]) -> Self {
        Self::Secret(contract::secret::without_line_end(file).to_vec())
    }

    /// Reads the private key from the content of a PKCS #8 PEM file.
    #[must_use]
    pub fn pem(file: &[u8]) -> Self {
        Self::Pem(file.to_vec())
    }

    /// Returns the key for signatures of this algorithm; none if it is of another type.
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
