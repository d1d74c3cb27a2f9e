//! The compact serialisation of a JWS (RFC 7515 section 7.1): `header.payload.signature`.

use jsonwebtoken::signature::{Error, Signer, Verifier};

use crate::header::Header;
use crate::{JwsError, KeySet, SigningKey, base64url};

/// Bytes a compact serialisation may have: enough for a thousand roles, and too few to keep a server busy.
pub const MAX_COMPACT_BYTES: usize = 16 * 1024;

/// Returns the payload of `compact`, if a key of `jwk_set` has signed it. This is the server's own signature step, and it
/// does not check the claims in the payload.
///
/// Only tokens of exactly three segments of strict base64url are accepted; with a header of unique members, the algorithm
/// of the selected keys, and none of `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`. It does no I/O.
pub fn verify_jws(compact: &str, jwk_set: &KeySet) -> Result<Vec<u8>, JwsError> {
    if compact.len() > MAX_COMPACT_BYTES {
        return Err(JwsError::Length);
    }
    let mut segments = compact.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(JwsError::Segments);
    };
    let keys = jwk_set.candidates(header)?;
    let signing_input = &compact.as_bytes()[..header.len() + ".".len() + payload.len()];
    let signature = base64url::decode(signature)?;
    if keys.as_slice().iter().all(|key| key.verify(signing_input, &signature).is_err()) {
        return Err(JwsError::Signature);
    }
    base64url::decode(payload)
}

/// Returns whether another set of keys may still verify this token, rejected with this error: it names a key that is
/// not in the set, or names none and no key of the set has signed it.
pub(crate) fn may_match_another_key(compact: &str, error: JwsError) -> bool {
    let names_none = || {
        let segment = compact.split('.').next().unwrap_or_default();
        Header::parse(segment).is_ok_and(|header| header.kid.is_none())
    };
    match error {
        JwsError::UnknownKey => true,
        JwsError::Signature | JwsError::Algorithm => names_none(),
        _ => false,
    }
}

/// The compact serialisation of `payload` under this header segment.
pub(crate) fn sign_jws(header: &str, payload: &[u8], key: &SigningKey) -> Result<String, Error> {
    let mut compact = format!("{header}.");
    base64url::append(&mut compact, payload);
    let signature = key.try_sign(compact.as_bytes())?;
    compact.push('.');
    base64url::append(&mut compact, signature);
    Ok(compact)
}
