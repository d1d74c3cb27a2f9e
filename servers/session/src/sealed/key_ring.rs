//! The keys that seal sessions: one that seals, and those before it for as long as what they sealed may live.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::UnixSeconds;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a key's id.
const ID_BYTES: usize = 4;
/// What a sealed session is authenticated as, so that nothing else that this key may ever seal passes for one.
const LABEL: &[u8] = b"authbench sealed session 1";

/// A prepared key with its id.
pub struct SealingKey {
    id: [u8; ID_BYTES],
    key: RandomizedNonceKey,
}

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the sealing key has {bytes} bytes, but AES-256 requires {KEY_BYTES}: \
     generate one with `openssl rand -out FILE {KEY_BYTES}`"
)]
pub struct SealingKeyError {
    bytes: usize,
}

impl SealingKey {
    /// A fresh key from the generator of the operating system.
    pub fn random() -> Result<Self, String> {
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes).map_err(|_| "no random bytes for a key".to_owned())?;
        Ok(Self::from_bytes(&bytes).expect("the length is right"))
    }

    /// The key that several servers may share.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealingKeyError> {
        let wrong = SealingKeyError { bytes: bytes.len() };
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).map_err(|_| wrong)?;
        // A keyed function of a label reveals nothing of the key.
        let id = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"authbench sealing key id");
        Ok(Self { id: *id.as_ref().first_chunk().expect("a hash is longer than an id"), key })
    }

    fn associated_data(&self) -> Aad<Vec<u8>> {
        Aad::from([LABEL, &self.id].concat())
    }
}

/// All keys that are trusted.
pub(super) struct KeyRing(ArcSwap<Keys>);

struct Keys {
    current: Arc<SealingKey>,
    /// Each with the instant after which it is no longer trusted.
    previous: Vec<(Arc<SealingKey>, UnixSeconds)>,
}

impl KeyRing {
    pub(super) fn new(key: SealingKey) -> Self {
        Self(ArcSwap::from_pointee(Keys { current: Arc::new(key), previous: vec![] }))
    }

    /// Seals with `key` from now on. What was sealed until now lives for `ttl_s` at most, and so does the trust.
    pub(super) fn rotate(&self, key: SealingKey, now: UnixSeconds, ttl_s: u64) {
        let key = Arc::new(key);
        self.0.rcu(|keys| {
            let mut previous = keys.previous.clone();
            previous.retain(|(_, until)| *until > now);
            previous.push((Arc::clone(&keys.current), now + ttl_s));
            Keys { current: Arc::clone(&key), previous }
        });
    }

    /// The credential that holds `payload`.
    pub(super) fn seal(&self, mut payload: Vec<u8>) -> Result<String, String> {
        let keys = self.0.load();
        let key = &keys.current;
        let nonce = key.key.seal_in_place_append_tag(key.associated_data(), &mut payload);
        let nonce = nonce.map_err(|_| "the session could not be sealed".to_owned())?;
        Ok(URL_SAFE_NO_PAD.encode([&key.id, nonce.as_ref().as_slice(), &payload].concat()))
    }

    /// What a credential holds, if a key that is trusted at `now` has sealed it.
    pub(super) fn open(&self, credential: &str, now: UnixSeconds) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(credential).ok()?;
        let (id, rest) = sealed.split_first_chunk::<ID_BYTES>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.0.load();
        let key = keys.trusted_key(*id, now)?;
        let mut payload = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let bytes = key.key.open_in_place(nonce, key.associated_data(), &mut payload).ok()?.len();
        payload.truncate(bytes);
        Some(payload)
    }
}

impl Keys {
    fn trusted_key(&self, id: [u8; ID_BYTES], now: UnixSeconds) -> Option<&SealingKey> {
        if self.current.id == id {
            return Some(&self.current);
        }
        let previous = self.previous.iter().find(|(key, until)| key.id == id && *until > now);
        previous.map(|(key, _)| key.as_ref())
    }
}
