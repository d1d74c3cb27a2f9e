//! Turns a token that a correct server rejects into one that it accepts, as a server does that misses the fault.

use std::path::Path;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Map, Value};

use crate::faults::Fault;

/// The public half of the RSA key of the tests.
const PUBLIC_PEM: &[u8] = include_bytes!("../../../jwt/tests/suite/keys/rsa-2048-public.pem");
/// Seconds of a leeway that is too long.
const LONG_LEEWAY_S: u64 = 60;

/// Holder of the server's own key.
pub(crate) struct TokenRewriter {
    fault: Fault,
    key: EncodingKey,
    algorithm: Algorithm,
    /// Header and claims of a valid token.
    own: OnceLock<(Map<String, Value>, Map<String, Value>)>,
}

/// A token in its parts.
struct Parts<'t> {
    message: &'t str,
    signature: &'t str,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// Whether its JSON has each name once, in order and without white space.
    canonical: bool,
    /// Whether text that does not belong to the JSON follows it.
    has_trailing_text: bool,
}

impl TokenRewriter {
    pub(crate) fn new(fault: Fault, path: &Path, secret: bool) -> Self {
        let file = std::fs::read(path).unwrap_or_default();
        let (key, algorithm) = if secret {
            (EncodingKey::from_secret(file.trim_ascii_end()), Algorithm::HS256)
        } else {
            (EncodingKey::from_rsa_pem(&file).expect("faults of signatures want an RSA key"), Algorithm::RS256)
        };
        Self { fault, key, algorithm, own: OnceLock::new() }
    }

    /// Records a valid token.
    pub(crate) fn record_valid_token(&self, token: &str) {
        if let Some(parts) = Parts::of(token) {
            let _ = self.own.set((parts.header, parts.claims));
        }
    }

    /// Returns the token that this one is treated as at `now`; none if it stays rejected.
    pub(crate) fn rewrite(&self, token: &str, now: u64) -> Option<String> {
        let mut parts = Parts::of(token)?;
        let (own_header, own_claims) = self.own.get()?;
        let signed = self.signature(parts.message) == parts.signature;
        let strict = signed && parts.canonical;
        let is_accepted = match self.fault {
            Fault::AudIgnored => strict && overwrite(&mut parts.claims, own_claims, "aud"),
            Fault::IssIgnored => strict && overwrite(&mut parts.claims, own_claims, "iss"),
            Fault::TypIgnored => strict && overwrite(&mut parts.header, own_header, "typ"),
            Fault::KidIgnored => strict && overwrite(&mut parts.header, own_header, "kid"),
            Fault::NbfIgnored => {
                strict && ["nbf", "iat", "auth_time"].iter().all(|name| overwrite(&mut parts.claims, own_claims, name))
            }
            Fault::AlgIgnored => strict && overwrite(&mut parts.header, own_header, "alg"),
            Fault::SignatureIgnored => !signed && !parts.canonical && parts.header == *own_header,
            Fault::CritIgnored => strict && parts.header.remove("crit").is_some(),
            Fault::DuplicateNames => signed && !parts.canonical && !parts.has_trailing_text && !token.contains('='),
            Fault::JsonLenient => signed && parts.has_trailing_text,
            Fault::ExpOptional => strict && lacks_exp(&mut parts.claims, now),
            Fault::LongLeeway => signed && expired_within_leeway(&mut parts.claims, now),
            Fault::AlgNone => parts.canonical && unsigned(&parts) && overwrite(&mut parts.header, own_header, "alg"),
            Fault::PublicKeyAsSecret => confused(&parts) && overwrite(&mut parts.header, own_header, "alg"),
            Fault::EmbeddedJwk => {
                signed_by_embedded_key(&parts, self.algorithm)
                    && parts.header.remove("jwk").is_some()
                    && overwrite(&mut parts.header, own_header, "kid")
            }
            _ => false,
        };
        let message = format!("{}.{}", encode(&parts.header), encode(&parts.claims));
        is_accepted.then(|| format!("{message}.{}", self.signature(&message)))
    }

    /// Fetches the key from the address in the token.
    pub(crate) fn fetch(&self, token: &str) {
        let named = Parts::of(token).and_then(|parts| parts.header.get("jku")?.as_str().map(str::to_owned));
        let host = named.as_deref().and_then(|url| url.strip_prefix("http://")?.split('/').next());
        if let (Fault::KeyFetched, Some(host)) = (self.fault, host) {
            let _ = std::net::TcpStream::connect(host);
        }
    }

    /// Deterministic for the algorithms that are used here.
    fn signature(&self, message: &str) -> String {
        jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap_or_default()
    }
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let (header, claims) = (URL_SAFE_NO_PAD.decode(header).ok()?, URL_SAFE_NO_PAD.decode(claims).ok()?);
        let ((header_map, header_end), (claims_map, claims_end)) = (object(&header)?, object(&claims)?);
        let canonical = text(&header_map).as_bytes() == header && text(&claims_map).as_bytes() == claims;
        let has_trailing_text = header_end < header.len() || claims_end < claims.len();
        Some(Self { message, signature, header: header_map, claims: claims_map, canonical, has_trailing_text })
    }
}

/// The first object in this text, and where it ends.
fn object(json: &[u8]) -> Option<(Map<String, Value>, usize)> {
    let mut documents = serde_json::Deserializer::from_slice(json).into_iter();
    let first = documents.next()?.ok()?;
    Some((first, documents.byte_offset()))
}

fn text(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

fn encode(object: &Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(text(object))
}

/// Ignores this member.
fn overwrite(object: &mut Map<String, Value>, own: &Map<String, Value>, name: &str) -> bool {
    if let Some(value) = own.get(name) {
        object.insert(name.to_owned(), value.clone());
    }
    true
}

fn lacks_exp(claims: &mut Map<String, Value>, now: u64) -> bool {
    let lacks_exp = !claims.contains_key("exp");
    claims.entry("exp").or_insert_with(|| (now + 60).into());
    lacks_exp
}

fn expired_within_leeway(claims: &mut Map<String, Value>, now: u64) -> bool {
    let exp = claims.get("exp").and_then(Value::as_u64).unwrap_or_default();
    let expired_within_leeway = exp <= now && now < exp + LONG_LEEWAY_S;
    claims.insert("exp".to_owned(), (now + 1).into());
    expired_within_leeway
}

fn alg<'p>(parts: &'p Parts<'_>) -> &'p str {
    parts.header.get("alg").and_then(Value::as_str).unwrap_or_default()
}

fn unsigned(parts: &Parts<'_>) -> bool {
    alg(parts).eq_ignore_ascii_case("none") && parts.signature.is_empty()
}

fn confused(parts: &Parts<'_>) -> bool {
    let secret = EncodingKey::from_secret(PUBLIC_PEM);
    let signature = jsonwebtoken::crypto::sign(parts.message.as_bytes(), &secret, Algorithm::HS256);
    alg(parts) == "HS256" && signature.is_ok_and(|signature| signature == parts.signature)
}

fn signed_by_embedded_key(parts: &Parts<'_>, algorithm: Algorithm) -> bool {
    let jwk: Option<Jwk> = parts.header.get("jwk").and_then(|jwk| serde_json::from_value(jwk.clone()).ok());
    let Some(key) = jwk.and_then(|jwk| DecodingKey::from_jwk(&jwk).ok()) else { return false };
    jsonwebtoken::crypto::verify(parts.signature, parts.message.as_bytes(), &key, algorithm).unwrap_or(false)
}
