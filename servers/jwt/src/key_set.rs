//! The keys that a verifier trusts.

use jsonwebtoken::jwk::JwkSet;

use crate::header::{self, Header};
use crate::{Algorithm, JwsError, KeyError, VerifyingKey};

/// A prepared JWK set (RFC 7517 section 5). It is all that [`verify_jws`](crate::verify_jws) trusts: a token
/// chooses among its keys by `kid`, and nothing that a token says adds one.
pub struct KeySet {
    keys: Vec<Entry>,
    media_type: Option<&'static str>,
}

struct Entry {
    key: VerifyingKey,
    /// The header segment that this server writes for the key. A token that begins with it needs no parsing of
    /// its header, because that was looked at when this was written.
    own_header: Option<String>,
}

impl KeySet {
    /// The set of these keys.
    pub fn new(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        for (n, key) in keys.iter().enumerate() {
            if let Some(kid) = key.kid().filter(|kid| keys[..n].iter().any(|other| other.kid() == Some(kid))) {
                return Err(KeyError::DuplicateKid(kid.to_owned()));
            }
        }
        let keys = keys.into_iter().map(|key| Entry { key, own_header: None }).collect();
        Ok(Self { keys, media_type: None })
    }

    /// The set in this JSON. Keys of other types, algorithms and uses are passed over (RFC 7517 section 5); a key
    /// that is weak or malformed is an error.
    pub fn from_json(json: &str) -> Result<Self, KeyError> {
        let set: JwkSet = serde_json::from_str(json)?;
        let understood = |key: &Result<VerifyingKey, KeyError>| !matches!(key, Err(KeyError::NotUnderstood));
        Self::new(set.keys.iter().map(VerifyingKey::from_jwk).filter(understood).collect::<Result<_, _>>()?)
    }

    /// The same set, for tokens whose `typ` is this media type, and no others (RFC 8725 section 3.11).
    #[must_use]
    pub fn of_type(mut self, media_type: &'static str) -> Self {
        for entry in &mut self.keys {
            entry.own_header = entry.key.kid().map(|kid| header::segment(entry.key.algorithm(), kid, media_type));
        }
        self.media_type = Some(media_type);
        self
    }

    /// The key that this header segment means.
    pub(crate) fn key_for(&self, segment: &str) -> Result<&VerifyingKey, JwsError> {
        match self.keys.iter().find(|entry| entry.own_header.as_deref() == Some(segment)) {
            Some(entry) => Ok(&entry.key),
            None => self.key_for_foreign(segment),
        }
    }

    /// The same for a header that this server did not write. An unknown `kid` costs one bounded parse: nothing is
    /// fetched, reloaded or remembered for it.
    fn key_for_foreign(&self, segment: &str) -> Result<&VerifyingKey, JwsError> {
        let header = Header::parse(segment)?;
        if self.media_type.is_some_and(|wanted| !header.is_of_type(wanted)) {
            return Err(JwsError::Type);
        }
        if Algorithm::named(&header.alg).is_none() {
            return Err(JwsError::Algorithm);
        }
        let entry = match (&header.kid, self.keys.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|entry| entry.key.kid() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let key = &entry.ok_or(JwsError::UnknownKey)?.key;
        if header.alg == key.algorithm().name() { Ok(key) } else { Err(JwsError::Algorithm) }
    }
}
