//! What can be wrong with a token or with a key.

use crate::Algorithm;
use crate::key_file::KeyFileKind;

/// Why a compact serialisation was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than [`MAX_COMPACT_BYTES`](crate::MAX_COMPACT_BYTES).
    #[error("{}", self.reason())]
    Length,
    /// Not three segments with two dots between them.
    #[error("{}", self.reason())]
    Segments,
    /// A segment that is not base64url without padding, or not its only spelling.
    #[error("{}", self.reason())]
    Encoding,
    /// A header that is not a JSON object of unique members with the right types.
    #[error("{}", self.reason())]
    Header,
    /// A header with `crit`, `b64`, `jwk`, `jku`, `x5u` or `x5c`.
    #[error("{}", self.reason())]
    ForbiddenParameter,
    /// A `typ` other than the required one.
    #[error("{}", self.reason())]
    Type,
    /// No key of the set is meant.
    #[error("{}", self.reason())]
    UnknownKey,
    /// An `alg` that is never accepted, or other than that of the key.
    #[error("{}", self.reason())]
    Algorithm,
    /// The signature does not fit.
    #[error("{}", self.reason())]
    Signature,
}

impl JwsError {
    /// The reason in words that repeat nothing of what was sent.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Length => "the token is too long",
            Self::Segments => "the token does not have exactly three segments",
            Self::Encoding => "a segment is not strict base64url",
            Self::Header => "the header is malformed",
            Self::ForbiddenParameter => "the header has a parameter that is never accepted",
            Self::Type => "the header has another token type",
            Self::UnknownKey => "the header refers to no key of the set",
            Self::Algorithm => "the algorithm in the header is not that of the key",
            Self::Signature => "the signature does not match",
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// An HMAC secret shorter than the hash it feeds.
    #[error(
        "the HMAC secret has {bytes} bytes, but RFC 8725 section 3.5 requires at least {least}: \
         generate one with `openssl rand -out FILE {least}`"
    )]
    ShortSecret {
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that it must have.
        least: usize,
    },
    /// An RSA key outside 2048 to 8192 bits, or one that is none.
    #[error(
        "the RSA key is rejected ({reason}); RFC 8725 section 3.5 requires at least 2048 bits: \
         generate one with `{}`",
        expected_key(Algorithm::Rs256).1
    )]
    Rsa {
        /// Its size, or the reason given by aws-lc.
        reason: String,
    },
    /// Not a private key or secret of this algorithm.
    #[error("{given}, not {}: {}, or generate one: `{}`", expected_key(*algorithm).0, given.remedy(), expected_key(*algorithm).1)]
    Wrong {
        /// What the key was to be for.
        algorithm: Algorithm,
        /// What it is.
        given: KeyFileKind,
    },
    /// A JWK for another use, or of a type that this server does not know.
    #[error("the JWK is not a key for HS256, EdDSA, ES256 or RS256 signatures")]
    Unsupported,
    /// A JWK whose members do not form a key.
    #[error("the {0} JWK is malformed")]
    Jwk(Algorithm),
    /// A member of a JWK set that is not a JWK.
    #[error("not a JWK: a member is missing or of another JSON type")]
    NotAJwk,
    /// A JWK that two readers may read as two keys.
    #[error("a member name occurs twice in the JWK")]
    DuplicateMember,
    /// A key that is in the set already.
    #[error("the key is already in the set")]
    DuplicateKey,
    /// More keys than are looked through for a token.
    #[error("the set has more than {most} usable keys")]
    TooMany {
        /// Keys that are used.
        most: usize,
    },
    /// A JWK set that is not JSON of this form.
    #[error("not a JWK set (RFC 7517 section 5): {0}")]
    Set(#[from] serde_json::Error),
    /// Two keys that a token cannot distinguish.
    #[error("two keys of the set have the kid {0:?}")]
    DuplicateKid(String),
    /// The system's generator failed.
    #[error("a {0} key could not be generated")]
    Generation(Algorithm),
}

/// What a key file has to hold, and the command that makes it.
const fn expected_key(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Hs256 => ("an HMAC secret of plain random bytes", "openssl rand -out FILE 32"),
        Algorithm::EdDsa => (
            "an Ed25519 private key in an unencrypted PKCS #8 PEM file",
            "openssl genpkey -algorithm ED25519 -out FILE",
        ),
        Algorithm::Es256 => (
            "a P-256 private key in an unencrypted PKCS #8 PEM file",
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE",
        ),
        Algorithm::Rs256 => (
            "an RSA private key in an unencrypted PKCS #8 or PKCS #1 PEM file",
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out FILE",
        ),
    }
}
