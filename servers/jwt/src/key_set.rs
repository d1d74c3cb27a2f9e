//! The keys that a verifier trusts.

use crate::header::{self, Header};
use crate::jwk_set::{self, ParsedSet};
use crate::{Algorithm, JwsError, KeyError, VerifyingKey};

/// Keys that are tried for one token at most: a hostile one costs as many checks.
const MAX_TRIED: usize = 8;

/// A prepared JWK set (RFC 7517 section 5). It is all that [`verify_jws`](crate::verify_jws) trusts: a token
/// selects among its keys by `kid` and `alg`, and nothing in a token adds one.
pub struct KeySet {
    keys: Vec<Entry>,
    media_type: Option<&'static str>,
}

struct Entry {
    key: VerifyingKey,
    /// The header segment that this server writes for the key. A token that begins with it needs no parsing of
    /// its header, because that was looked at when this was written.
    issued_header: Option<String>,
}

impl KeySet {
    /// The set of these keys.
    pub fn new(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        for (n, key) in keys.iter().enumerate() {
            if let Some(kid) = key.kid().filter(|kid| keys[..n].iter().any(|other| other.kid() == Some(kid))) {
                return Err(KeyError::DuplicateKid(kid.to_owned()));
            }
        }
        Ok(Self::of(keys))
    }

    /// Returns the set in this JSON, without the unusable keys (RFC 7517 section 5).
    ///
    /// # Errors
    /// It is not such JSON, or no key can be used and one is weak or malformed.
    pub fn from_json(json: &str) -> Result<Self, KeyError> {
        let ParsedSet { keys, ignored } = jwk_set::parse(json)?;
        let broken = ignored.into_iter().map(|key| key.error).find(|error| !matches!(error, KeyError::Unsupported));
        match broken.filter(|_| keys.is_empty()) {
            Some(error) => Err(error),
            None => Ok(Self::of(keys)),
        }
    }

    /// Returns the set of these keys, which a token may not be able to distinguish: then each is tried.
    pub(crate) fn of(keys: Vec<VerifyingKey>) -> Self {
        let keys = keys.into_iter().map(|key| Entry { key, issued_header: None }).collect();
        Self { keys, media_type: None }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the same set, for tokens whose `typ` is this media type, and no others (RFC 8725 section 3.11).
    #[must_use]
    pub fn of_type(mut self, media_type: &'static str) -> Self {
        let names: Vec<_> = self.keys.iter().map(|entry| (entry.key.algorithm(), entry.key.kid())).collect();
        let is_one = |name| names.iter().filter(|other| **other == name).count() == 1;
        let header = |(algorithm, kid): (_, Option<&str>)| Some(header::segment(algorithm, kid?, media_type));
        let own: Vec<_> = names.iter().map(|name| if is_one(*name) { header(*name) } else { None }).collect();
        for (entry, issued_header) in self.keys.iter_mut().zip(own) {
            entry.issued_header = issued_header;
        }
        self.media_type = Some(media_type);
        self
    }

    /// The keys that this header segment may mean, at least one.
    pub(crate) fn candidates(&self, segment: &str) -> Result<CandidateKeys<'_>, JwsError> {
        match self.keys.iter().find(|entry| entry.issued_header.as_deref() == Some(segment)) {
            Some(entry) => Ok(CandidateKeys::One(&entry.key)),
            None => self.candidates_by_header(segment).map(CandidateKeys::Several),
        }
    }

    /// The same for a header that this server did not write: the keys of its algorithm that have its `kid`, and without
    /// one all of its algorithm. An unknown `kid` costs one bounded parse: nothing is fetched, reloaded or remembered
    /// for it.
    fn candidates_by_header(&self, segment: &str) -> Result<Vec<&VerifyingKey>, JwsError> {
        let header = Header::parse(segment)?;
        if self.media_type.is_some_and(|expected| !header.is_of_type(expected)) {
            return Err(JwsError::Type);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(JwsError::Algorithm)?;
        let keys = self.keys.iter().map(|entry| &entry.key);
        let mut named = keys.filter(|key| header.kid.is_none() || key.kid() == header.kid.as_deref()).peekable();
        if named.peek().is_none() {
            return Err(JwsError::UnknownKey);
        }
        // The key pins the algorithm, so that no public key ever checks an HMAC (RFC 8725 section 3.1).
        let fitting: Vec<_> = named.filter(|key| key.algorithm() == algorithm).take(MAX_TRIED).collect();
        if fitting.is_empty() { Err(JwsError::Algorithm) } else { Ok(fitting) }
    }
}

/// The keys that a header means.
pub(crate) enum CandidateKeys<'a> {
    One(&'a VerifyingKey),
    Several(Vec<&'a VerifyingKey>),
}

impl<'a> CandidateKeys<'a> {
    pub(crate) fn as_slice(&self) -> &[&'a VerifyingKey] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Several(keys) => keys,
        }
    }
}
