//! Refresh tokens: opaque text that means something to the store only.

use aws_lc_rs::{digest, rand};
use chassis::auth::AuthError;

use crate::base64url;

/// Random bytes of a family's id, and the characters that they take.
const FAMILY_BYTES: usize = 16;
const FAMILY_CHARS: usize = 22;
/// Random bytes of what a token has for itself, and the characters that they take.
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;
/// Bytes of a hash that name a family: as many as are random in its id.
const NAME_BYTES: usize = 16;

/// The id of a family and a secret, with nothing between them. It has no `Debug` and no `Clone`, to prevent
/// accidental copies.
pub(super) struct RefreshToken(String);

impl RefreshToken {
    /// The first token of a family.
    pub(super) fn new_family() -> Result<Self, AuthError> {
        Self::in_family(&random::<FAMILY_BYTES>()?)
    }

    /// The next token of this one's family.
    pub(super) fn successor(&self) -> Result<Self, AuthError> {
        Self::in_family(self.family())
    }

    /// The token with this text; none if no token looks like it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let in_form = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let form = text.len() == FAMILY_CHARS + SECRET_CHARS && text.bytes().all(in_form);
        form.then(|| Self(text.to_owned()))
    }

    /// Returns the public name of the family: neither an access token nor the store reveals for which family to
    /// forge refresh tokens.
    pub(super) fn sid(&self) -> String {
        base64url::encode(&sha256(self.family()).as_ref()[..NAME_BYTES])
    }

    /// Returns what the store contains of it. The text is hashed and not its decoded bytes, so that a second spelling is
    /// not a second token.
    pub(super) fn hash(&self) -> String {
        base64url::encode(sha256(&self.0))
    }

    /// Returns the text for the client.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn family(&self) -> &str {
        &self.0[..FAMILY_CHARS]
    }

    fn in_family(family: &str) -> Result<Self, AuthError> {
        Ok(Self(format!("{family}{}", random::<SECRET_BYTES>()?)))
    }
}

fn random<const N: usize>() -> Result<String, AuthError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| AuthError::Internal("no random bytes for a refresh token".to_owned()))?;
    Ok(base64url::encode(bytes))
}

fn sha256(text: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_family_and_a_secret_of_its_own() {
        let first = RefreshToken::new_family().unwrap();
        let (next, other) = (first.successor().unwrap(), RefreshToken::new_family().unwrap());
        assert_eq!(first.sid(), next.sid());
        assert_ne!(first.sid(), other.sid());
        assert_ne!(first.hash(), next.hash());
        assert!(!first.0.contains(&first.sid()), "the name reveals nothing of the id");
        let text = next.into_text();
        assert_eq!(text.len(), 65);
        assert_eq!(RefreshToken::parse(&text).unwrap().sid(), first.sid());
    }

    #[test]
    fn other_strings_do_not_parse_as_refresh_tokens() {
        let good = "a".repeat(65);
        assert!(RefreshToken::parse(&good).is_some());
        for other in ["", &good[1..], &format!("{good}a"), &good.replacen('a', ".", 1), &"\u{e4}".repeat(33)] {
            assert!(RefreshToken::parse(other).is_none(), "{other}");
        }
    }
}
