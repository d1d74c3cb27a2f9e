//! Detects what a key file contains: the error for a wrong one says what it is, not only what it is not.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::Algorithm;

/// Bytes of a PKCS #8 key in which its algorithm is named.
const ALGORITHM_BYTES: usize = 64;

/// The DER encodings of the object identifiers that a PKCS #8 file names its algorithm by, those of curves first
/// because they follow the one that all of them have (RFC 5480 section 2.1.1.1, RFC 8410 section 3, RFC 8017
/// appendix A.1).
const IDENTIFIERS: [(&[u8], &str); 10] = [
    (b"\x06\x03\x2b\x65\x70", "Ed25519"),
    (b"\x06\x03\x2b\x65\x71", "Ed448"),
    (b"\x06\x03\x2b\x65\x6e", "X25519"),
    (b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-256"),
    (b"\x06\x05\x2b\x81\x04\x00\x22", "P-384"),
    (b"\x06\x05\x2b\x81\x04\x00\x23", "P-521"),
    (b"\x06\x05\x2b\x81\x04\x00\x0a", "secp256k1"),
    (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "RSA"),
    (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSA-PSS"),
    (b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", "EC"),
];

/// What a key file turned out to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileKind {
    /// Nothing.
    Empty,
    /// A public key.
    PublicKey,
    /// A certificate, or a request for one.
    Certificate,
    /// An encrypted private key.
    Encrypted,
    /// A private key in PKCS #1 form.
    Pkcs1,
    /// A private key in SEC 1 form.
    Sec1,
    /// A private key in the form of OpenSSH.
    OpenSsh,
    /// A private key in PKCS #8 form, and its algorithm or curve.
    PrivateKey(&'static str),
    /// A private key that is damaged, or of a type that has no name here.
    Damaged,
    /// A PEM file of another kind.
    OtherPem,
    /// A JWK or a set of them.
    Jwk {
        /// Whether it has no private member.
        public: bool,
    },
    /// A key without the frame of PEM.
    Der,
    /// Anything else.
    Other,
}

impl KeyFileKind {
    /// What a file of this content holds.
    pub(crate) fn of(content: &[u8]) -> Self {
        if content.trim_ascii().is_empty() {
            return Self::Empty;
        }
        match str::from_utf8(content) {
            Ok(text) => Self::of_text(text),
            Err(_) if content.starts_with(b"\x30") => Self::Der,
            Err(_) => Self::Other,
        }
    }

    fn of_text(text: &str) -> Self {
        let ssh = ["ssh-", "ecdsa-sha2-", "sk-ssh-"];
        if ssh.iter().any(|prefix| text.starts_with(prefix)) {
            return Self::PublicKey;
        }
        if let Ok(Value::Object(members)) = serde_json::from_str(text)
            && (members.contains_key("kty") || members.contains_key("keys"))
        {
            let private = ["d", "k"].iter().any(|member| members.contains_key(*member));
            return Self::Jwk { public: !private };
        }
        // A file of an EC key may begin with its parameters.
        labels(text).find(|label| *label != "EC PARAMETERS").map_or(Self::Other, |label| Self::of_pem(label, text))
    }

    fn of_pem(label: &str, text: &str) -> Self {
        match label {
            "ENCRYPTED PRIVATE KEY" => Self::Encrypted,
            _ if text.contains("Proc-Type: 4,ENCRYPTED") => Self::Encrypted,
            "RSA PRIVATE KEY" => Self::Pkcs1,
            "EC PRIVATE KEY" => Self::Sec1,
            "OPENSSH PRIVATE KEY" => Self::OpenSsh,
            "PRIVATE KEY" => pkcs8_algorithm(text).map_or(Self::Damaged, Self::PrivateKey),
            label if label.ends_with("PUBLIC KEY") => Self::PublicKey,
            label if label.contains("CERTIFICATE") => Self::Certificate,
            _ => Self::OtherPem,
        }
    }

    /// Whether it may be the private key for this algorithm, which its content decides.
    pub(crate) fn fits(self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Hs256 => matches!(self, Self::Other | Self::Der),
            Algorithm::EdDsa => self == Self::PrivateKey("Ed25519"),
            Algorithm::Es256 => self == Self::PrivateKey("P-256"),
            Algorithm::Rs256 => matches!(self, Self::PrivateKey("RSA") | Self::Pkcs1),
        }
    }

    /// How it becomes one that fits, where it can.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Self::PublicKey | Self::Certificate | Self::Jwk { public: true } => "give the matching private key",
            Self::Encrypted => "decrypt it with `openssl pkey -in FILE -out NEW`",
            Self::Sec1 | Self::OpenSsh | Self::Pkcs1 => {
                "if it is a key of this algorithm, convert it with `openssl pkey -in FILE -out NEW`"
            }
            Self::Der => "convert it with `openssl pkey -inform DER -in FILE -out NEW`",
            _ => "check the path",
        }
    }
}

impl fmt::Display for KeyFileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::PublicKey => f.write_str("the file contains a public key"),
            Self::Certificate => f.write_str("the file contains a certificate"),
            Self::Encrypted => f.write_str("the file contains an encrypted private key"),
            Self::Pkcs1 => f.write_str("the file contains an RSA private key in PKCS #1 format"),
            Self::Sec1 => f.write_str("the file contains an EC private key in SEC 1 format"),
            Self::OpenSsh => f.write_str("the file contains a private key in OpenSSH format"),
            Self::PrivateKey(algorithm) => write!(f, "the file contains a private key of type {algorithm}"),
            Self::Damaged => f.write_str("the file contains a private key that is damaged or of an unknown type"),
            Self::OtherPem => f.write_str("the file contains a PEM block of another type"),
            Self::Jwk { public: true } => f.write_str("the file contains a public JWK"),
            Self::Jwk { public: false } => f.write_str("the file contains a JWK"),
            Self::Der => f.write_str("the file contains binary data, such as a key in DER format"),
            Self::Other => f.write_str("the file contains no recognised key"),
        }
    }
}

/// Returns the labels of the PEM blocks in this text.
fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

/// The algorithm that the first PKCS #8 block of this text names.
fn pkcs8_algorithm(text: &str) -> Option<&'static str> {
    let block = text.split_once("-----BEGIN PRIVATE KEY-----")?.1.split_once("-----END")?.0;
    let base64: String = block.split_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    let head = &der[..der.len().min(ALGORITHM_BYTES)];
    let names = |identifier: &[u8]| head.windows(identifier.len()).any(|window| window == identifier);
    IDENTIFIERS.iter().find(|(identifier, _)| names(identifier)).map(|(_, name)| *name)
}
