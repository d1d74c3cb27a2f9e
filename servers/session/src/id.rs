//! Session ids, and the keys under which a store knows them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use sha2::{Digest, Sha256};

/// Bytes of an id: 256 random bits, twice what SP 800-63B and OWASP ask for.
const ID_BYTES: usize = 32;
/// Characters of an id, and of a key, as base64url without padding (RFC 4648 section 5).
const TEXT_CHARS: usize = 43;

/// The secret that a client presents. It has no `Debug` and no `Clone`, so that it goes nowhere unseen.
pub struct SessionId(String);

impl SessionId {
    /// A fresh id from the generator of the operating system.
    pub fn random() -> Result<Self, SysError> {
        let mut bytes = [0; ID_BYTES];
        SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The key under which a store knows it.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::digest(&self.0)
    }

    /// The text that goes to the client.
    #[must_use]
    pub fn into_credential(self) -> String {
        self.0
    }
}

/// The SHA-256 of an id's text. The text is hashed and not the bytes it stands for, because the
/// last character of 43 has two spare bits, and a second spelling must not be a second credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of the id with this text; none if no id looks like it.
    #[must_use]
    pub fn of(credential: &str) -> Option<Self> {
        (credential.len() == TEXT_CHARS).then(|| Self::digest(credential))
    }

    fn digest(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The hash itself.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Appends the key as base64url without padding.
    pub fn write_text(&self, text: &mut Vec<u8>) {
        let start = text.len();
        text.resize(start + TEXT_CHARS, 0);
        URL_SAFE_NO_PAD.encode_slice(self.0, &mut text[start..]).expect("32 bytes take 43 characters");
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}
