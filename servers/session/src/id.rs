//! Session ids, and the keys under which a store knows them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use sha2::{Digest, Sha256};

/// Bytes of an id: 256 random bits, twice what SP 800-63B and OWASP require.
const ID_BYTES: usize = 32;
/// Characters of an id, and of a key, as base64url without padding (RFC 4648 section 5).
const TEXT_CHARS: usize = 43;
/// Characters of a shard.
const SHARD_CHARS: usize = 2;

/// The shard of a user's data in a cluster: two characters of base64url that are part of the user's ids, so that
/// an id identifies the place of its session. They reveal only the user's number modulo 4096.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shard([u8; SHARD_CHARS]);

impl Shard {
    /// The shard of this user.
    #[must_use]
    pub fn of(user: u32) -> Self {
        let text = URL_SAFE_NO_PAD.encode([(user >> 4) as u8, (user << 4) as u8]);
        let [first, second, _] = text.into_bytes().try_into().expect("two bytes take three characters");
        Self([first, second])
    }

    /// Its characters.
    #[must_use]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.0).expect("a shard is made of ASCII")
    }

    fn from_text(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self).filter(|Self(own)| own.is_ascii())
    }
}

/// The secret that a client presents. It has no `Debug` and no `Clone`, to prevent accidental copies.
pub struct SessionId(String);

impl SessionId {
    /// A fresh id from the generator of the operating system, for this shard if there are any.
    pub fn random(shard: Option<Shard>) -> Result<Self, SysError> {
        let mut bytes = [0; ID_BYTES];
        SysRng.try_fill_bytes(&mut bytes)?;
        let mut text = URL_SAFE_NO_PAD.encode(bytes);
        if let Some(shard) = shard {
            text.push_str(shard.text());
        }
        Ok(Self(text))
    }

    /// The key under which a store knows it.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(&self.0).expect("an id has the format of an id")
    }

    /// Returns the text for the client.
    #[must_use]
    pub fn into_credential(self) -> String {
        self.0
    }
}

/// The SHA-256 of an id's text, and its shard. The text is hashed and not its decoded bytes, because the
/// last character of 43 has two unused bits, and a second spelling must not be a second credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    digest: [u8; 32],
    shard: Option<Shard>,
}

impl Key {
    /// The key of the id with this text; none if no id looks like it.
    #[must_use]
    pub fn of(credential: &str) -> Option<Self> {
        let shard = match credential.len().checked_sub(TEXT_CHARS)? {
            0 => None,
            SHARD_CHARS => Some(Shard::from_text(credential.get(TEXT_CHARS..)?)?),
            _ => return None,
        };
        Some(Self { digest: Sha256::digest(credential.as_bytes()).into(), shard })
    }

    /// Returns its shard in a cluster; none if the id has none.
    #[must_use]
    pub const fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// The hash itself.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Appends the key as base64url without padding.
    pub fn write_text(&self, text: &mut Vec<u8>) {
        let start = text.len();
        text.resize(start + TEXT_CHARS, 0);
        URL_SAFE_NO_PAD.encode_slice(self.digest, &mut text[start..]).expect("32 bytes take 43 characters");
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.digest))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn shards_spread_users_evenly_and_come_back_from_the_id() {
        let shards: BTreeSet<_> = (0..4096).map(|user| Shard::of(user).text().to_owned()).collect();
        assert_eq!(shards.len(), 4096);
        assert_eq!(Shard::of(5), Shard::of(5 + 4096));
        let id = SessionId::random(Some(Shard::of(77))).unwrap();
        assert_eq!(id.key().shard(), Some(Shard::of(77)));
        assert_eq!(SessionId::random(None).unwrap().key().shard(), None);
    }
}
