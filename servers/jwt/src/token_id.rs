//! The name of a token (`jti`, RFC 7519 section 4.1.7), by which it is denied.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base64url;

/// Random bytes of an id.
const BYTES: usize = 16;
/// Room for what as many characters stand for at most.
const ROOM: usize = BYTES + 2;

/// A token id: 128 random bits, so that it cannot be chosen and ids are distinct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TokenId([u8; BYTES]);

impl TokenId {
    /// A fresh id from the generator of the operating system.
    pub(crate) fn random() -> Result<Self, Unspecified> {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The id with this spelling, the only one that it has: another would pass by the list that names it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; ROOM];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        bytes[..length].try_into().ok().map(Self)
    }

    /// As base64url without padding.
    pub(crate) fn to_text(self) -> String {
        base64url::encode(self.0)
    }

    /// Returns its last byte, which serves as a hash.
    pub(crate) const fn last_byte(self) -> u8 {
        self.0[BYTES - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = TokenId::random().unwrap();
        let text = id.to_text();
        assert_eq!(TokenId::parse(&text), Some(id));
        for other in ["", "AA", &text[1..], &format!("{text}="), &format!("{text}A"), &format!("{text}AAAA")] {
            assert_eq!(TokenId::parse(other), None, "{other:?}");
        }
        // The last of 22 characters has four spare bits.
        assert!(TokenId::parse(&"A".repeat(22)).is_some());
        assert_eq!(TokenId::parse(&format!("{}B", "A".repeat(21))), None);
    }
}
