//! The protected header of a JWS (RFC 7515 section 4).

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::{Algorithm, JwsError, base64url, unique};

/// The header parameters that count here. Others are ignored, as RFC 7515 section 4 requires.
///
/// `crit` and `b64` change what is signed; the other four supply the verifying key, or its address.
/// A sender who may choose these could make any token valid (RFC 8725 section 3.10): their mere presence is rejected.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    #[serde(default, deserialize_with = "deserialize_present")]
    pub(crate) kid: Option<String>,
    #[serde(default, deserialize_with = "deserialize_present")]
    pub(crate) typ: Option<String>,
    #[serde(default, deserialize_with = "deserialize_present")]
    crit: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "deserialize_present")]
    b64: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "deserialize_present")]
    jwk: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "deserialize_present")]
    jku: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "deserialize_present")]
    x5u: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "deserialize_present")]
    x5c: Option<IgnoredAny>,
}

/// A parameter that is there: a plain `Option` would take `null` for an absent one.
fn deserialize_present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Header {
    /// The header in the first segment of a compact serialisation.
    pub(crate) fn parse(segment: &str) -> Result<Self, JwsError> {
        let json = base64url::decode(segment)?;
        let json = str::from_utf8(&json).map_err(|_| JwsError::Header)?;
        let header: Self = unique::object(json).map_err(|_| JwsError::Header)?;
        if header.has_forbidden() { Err(JwsError::ForbiddenParameter) } else { Ok(header) }
    }

    fn has_forbidden(&self) -> bool {
        [self.crit, self.b64, self.jwk, self.jku, self.x5u, self.x5c].iter().any(Option::is_some)
    }

    /// Whether `typ` is this media type, in any case and with or without `application/` (RFC 7515 section 4.1.9).
    pub(crate) fn is_of_type(&self, media_type: &str) -> bool {
        const PREFIX: &str = "application/";
        let Some(typ) = self.typ.as_deref() else { return false };
        let subtype = match typ.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
            _ => typ,
        };
        subtype.eq_ignore_ascii_case(media_type)
    }
}

/// The first segment of every token that is signed with this key.
pub(crate) fn segment(algorithm: Algorithm, kid: &str, media_type: &str) -> String {
    let header = serde_json::json!({ "typ": media_type, "alg": algorithm.name(), "kid": kid });
    base64url::encode(header.to_string())
}
