//! Reads a JWK set key by key: what cannot be used is left out and reported, and the rest serves (RFC 7517 section 5).

use std::fmt;

use jsonwebtoken::jwk::Jwk;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::{KeyError, VerifyingKey, unique};

/// Keys that one set may have; more of them are left out. Nothing is known to publish as many.
const MAX_KEYS: usize = 64;
/// Characters of a key id that are reported.
const MAX_KID_CHARS: usize = 64;

/// What a JWK set holds.
pub(crate) struct ParsedSet {
    /// The keys that can be used, none twice.
    pub(crate) keys: Vec<VerifyingKey>,
    /// The others.
    pub(crate) ignored: Vec<IgnoredKey>,
}

/// A key that cannot be used, and why. As text it holds nothing of the key but its id.
#[derive(Debug, thiserror::Error)]
#[error("key {} of the set{}: {error}", position, kid_note(kid.as_deref()))]
pub(crate) struct IgnoredKey {
    /// Its position in the set, counted from 1.
    position: usize,
    kid: Option<String>,
    pub(crate) error: KeyError,
}

fn kid_note(kid: Option<&str>) -> String {
    // Escaped and truncated, because it goes to a log and another server has chosen it.
    kid.map(|kid| format!(" (kid {:?})", kid.chars().take(MAX_KID_CHARS).collect::<String>())).unwrap_or_default()
}

/// The keys in this JSON.
pub(crate) fn parse(json: &str) -> Result<ParsedSet, KeyError> {
    let set: Members = unique::object(json)?;
    let mut read = ParsedSet { keys: vec![], ignored: vec![] };
    let mut used: Vec<Jwk> = vec![];
    for (place, member) in set.keys.into_iter().enumerate() {
        let (kid, key) = member.key(&used);
        match key {
            Ok((jwk, key)) => {
                used.push(jwk);
                read.keys.push(key);
            }
            Err(error) => read.ignored.push(IgnoredKey { position: place + 1, kid, error }),
        }
    }
    Ok(read)
}

#[derive(serde::Deserialize)]
struct Members {
    keys: Vec<Member>,
}

/// A member of the array.
enum Member {
    /// An object, and whether a member name occurs twice in it: two readers could read two keys.
    Object { members: Map<String, Value>, repeats: bool },
    /// Anything else.
    Other,
}

impl Member {
    /// The key id, if there is one, and the key, if it can be used and is none of these.
    fn key(self, used: &[Jwk]) -> (Option<String>, Result<(Jwk, VerifyingKey), KeyError>) {
        let Self::Object { members, repeats } = self else { return (None, Err(KeyError::NotAJwk)) };
        let kid = members.get("kid").and_then(Value::as_str).map(str::to_owned);
        if repeats {
            return (kid, Err(KeyError::DuplicateMember));
        }
        (kid, usable(members, used))
    }
}

fn usable(members: Map<String, Value>, used: &[Jwk]) -> Result<(Jwk, VerifyingKey), KeyError> {
    let supported = is_supported(&members);
    let unreadable = |_| if supported { KeyError::NotAJwk } else { KeyError::Unsupported };
    let jwk: Jwk = serde_json::from_value(Value::Object(members)).map_err(unreadable)?;
    let key = VerifyingKey::from_jwk(&jwk)?;
    let same = |other: &Jwk| other.algorithm == jwk.algorithm && other.common.key_id == jwk.common.key_id;
    if used.iter().any(same) {
        return Err(KeyError::DuplicateKey);
    }
    if used.len() == MAX_KEYS {
        return Err(KeyError::TooMany { most: MAX_KEYS });
    }
    Ok((jwk, key))
}

/// Returns whether this server supports its type and curve. The library rejects others like malformed members.
fn is_supported(members: &Map<String, Value>) -> bool {
    let text = |name| members.get(name).and_then(Value::as_str);
    matches!(
        (text("kty"), text("crv")),
        (Some("oct" | "RSA") | None, _) | (Some("OKP"), Some("Ed25519")) | (Some("EC"), Some("P-256"))
    )
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyMember)
    }
}

struct AnyMember;

impl<'de> Visitor<'de> for AnyMember {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Member, A::Error> {
        let (mut members, mut repeats) = (Map::new(), false);
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            repeats |= members.insert(name, value).is_some();
        }
        Ok(Member::Object { members, repeats })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Member, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Other)
    }
}
