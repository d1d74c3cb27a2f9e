//! The compact serialisation of a JWS (RFC 7515 section 7.1): `header.payload.signature`.

use jsonwebtoken::signature::{Error, Signer, Verifier};

use crate::{JwsError, KeySet, SigningKey, base64url};

/// Bytes a compact serialisation may have: enough for a thousand roles, and too few to keep a server busy.
pub const MAX_COMPACT_BYTES: usize = 16 * 1024;

/// The payload of `compact`, if a key of `jwk_set` has signed it. This is the server's own signature step, and it
/// says nothing of the claims in the payload.
///
/// Exactly three segments of strict base64url are taken; a header with unique members, the algorithm of the key
/// that it means, and none of `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`. It does no I/O.
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
    let key = jwk_set.key_for(header)?;
    let signing_input = &compact[..header.len() + ".".len() + payload.len()];
    key.verify(signing_input.as_bytes(), &base64url::decode(signature)?).map_err(|_| JwsError::Signature)?;
    base64url::decode(payload)
}

/// The compact serialisation of `payload` under this header segment.
pub(crate) fn sign_jws(header: &str, payload: &[u8], key: &SigningKey) -> Result<String, Error> {
    let mut compact = format!("{header}.");
    base64url::push(&mut compact, payload);
    let signature = key.try_sign(compact.as_bytes())?;
    compact.push('.');
    base64url::push(&mut compact, signature);
    Ok(compact)
}
