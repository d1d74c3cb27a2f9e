//! The signature algorithms, one a scheme.

use std::fmt;

use contract::Scheme;

/// An algorithm of the allow-list. Its key type has no other algorithm here, so a key pins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 7518 section 3.2).
    Hs256,
    /// Ed25519 (RFC 8037 section 3.1).
    EdDsa,
    /// ECDSA over P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
}

impl Algorithm {
    /// Every algorithm of the allow-list.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::EdDsa, Self::Es256, Self::Rs256];

    /// The algorithm that the id of a scheme names, such as `jwt-es256` or `jwt-es256-push`; none for a scheme
    /// without signatures.
    #[must_use]
    pub fn of_scheme(scheme: Scheme) -> Option<Self> {
        let word = scheme.id().strip_prefix("jwt-")?.split('-').next()?;
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(word))
    }

    /// The value of the header parameter `alg` (RFC 7518 section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The inverse of [`name`](Self::name). Case counts (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::EdDsa => Self::EdDSA,
            Algorithm::Es256 => Self::ES256,
            Algorithm::Rs256 => Self::RS256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_of_this_server_names_an_algorithm() {
        let mut plain = vec![];
        for scheme in Scheme::of_binary("jwt-server") {
            let algorithm = Algorithm::of_scheme(scheme).unwrap();
            let id = format!("jwt-{}", algorithm.name().to_lowercase());
            assert!(scheme.id().starts_with(&id), "{scheme}");
            plain.extend((scheme.id() == id).then_some(algorithm));
        }
        assert_eq!(plain, Algorithm::ALL);
        assert_eq!(Algorithm::of_scheme(Scheme::CONTROL), None);
    }

    #[test]
    fn only_the_exact_name_is_an_algorithm() {
        assert_eq!(Algorithm::named("ES256"), Some(Algorithm::Es256));
        for name in ["", "es256", "none", "None", "NONE", "nOnE", "HS384", "ES256 ", "PS256"] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
    }
}
