//! A compact JWS in its parts, and forged variants of it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Map, Value};

use crate::check_error::{CheckResult, not_applicable};

/// A decoded token that a server has issued.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    /// The signed text: the first two segments, unchanged.
    pub(crate) message: String,
    /// The last segment, unchanged.
    pub(crate) signature: String,
}

impl Token {
    /// Returns the parts of a credential; none if it is not a compact JWS over claims.
    pub(crate) fn open(credential: &str) -> Option<Self> {
        let [header, claims, signature] = credential.split('.').collect::<Vec<_>>().try_into().ok()?;
        let header = object(header).filter(|header| header.contains_key("alg"))?;
        let (message, _) = credential.rsplit_once('.')?;
        let (message, signature) = (message.to_owned(), signature.to_owned());
        Some(Self { header, claims: object(claims)?, message, signature })
    }

    /// Returns the algorithm in its header; none if this suite cannot sign with it.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.header.get("alg")?.as_str()?.parse().ok()
    }

    /// Returns a numeric claim.
    pub(crate) fn number(&self, claim: &str) -> Option<u64> {
        self.claims.get(claim)?.as_u64()
    }

    pub(crate) fn header_json(&self) -> String {
        Value::Object(self.header.clone()).to_string()
    }

    pub(crate) fn claims_json(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }
}

/// A token, and the key to sign variants of it.
pub(crate) struct Forge {
    pub(crate) token: Token,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

impl Forge {
    /// Returns the same token, signed again: if this is rejected, no other rejection proves anything.
    pub(crate) fn good(&self) -> String {
        self.sign(self.token.header_json(), self.token.claims_json())
    }

    /// Returns the token with this header member added or replaced.
    pub(crate) fn with_header(&self, name: &str, value: impl Into<Value>) -> String {
        let mut header = self.token.header.clone();
        header.insert(name.to_owned(), value.into());
        self.sign(Value::Object(header).to_string(), self.token.claims_json())
    }

    pub(crate) fn without_header(&self, name: &str) -> String {
        let mut header = self.token.header.clone();
        header.remove(name);
        self.sign(Value::Object(header).to_string(), self.token.claims_json())
    }

    /// Returns the token with these claims added or replaced.
    pub(crate) fn with_claims<const N: usize>(&self, members: [(&str, Value); N]) -> String {
        let mut claims = self.token.claims.clone();
        claims.extend(members.map(|(name, value)| (name.to_owned(), value)));
        self.sign(self.token.header_json(), Value::Object(claims).to_string())
    }

    pub(crate) fn without_claim(&self, name: &str) -> String {
        let mut claims = self.token.claims.clone();
        claims.remove(name);
        self.sign(self.token.header_json(), Value::Object(claims).to_string())
    }

    /// Signs these two segments with the server's key and algorithm, whatever the header says.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        sign(&self.key, self.algorithm, header, payload).expect("the key is one of the algorithm")
    }
}

/// Signs these two segments. Without a signature no rejection would prove anything.
pub(crate) fn sign(
    key: &EncodingKey,
    algorithm: Algorithm,
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
) -> CheckResult<String> {
    let message = format!("{}.{}", encode(header), encode(payload));
    match jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm) {
        Ok(signature) => Ok(format!("{message}.{signature}")),
        Err(error) => not_applicable(format!("the suite cannot sign with {algorithm:?}: {error}")),
    }
}

/// Returns a PEM file with one key (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Encodes as base64url without padding.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url without padding.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Returns this object with more text before its last brace.
pub(crate) fn and_members(object: &str, members: &str) -> String {
    format!("{},{members}}}", object.strip_suffix('}').unwrap_or(object))
}

fn object(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decode(segment)?).ok()
}
