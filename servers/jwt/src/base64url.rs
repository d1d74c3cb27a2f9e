//! base64url without padding (RFC 7515 section 2), where every byte string has exactly one spelling.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::JwsError;

/// Returns the bytes of `text`; padding, white space and set trailing bits are rejected.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwsError::Encoding)
}

/// The spelling of `bytes`.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Writes the spelling of `bytes` behind `text`.
pub(crate) fn append(text: &mut String, bytes: impl AsRef<[u8]>) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(decode("AQ").unwrap(), [1]);
        for text in ["AR", "AQ==", "AQ=", "A", " AQ", "AQ\n", "A Q", "A+", "A/", "\u{e4}"] {
            assert_eq!(decode(text), Err(JwsError::Encoding), "{text:?}");
        }
    }
}
