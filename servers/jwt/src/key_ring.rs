//! The keys of this server: one signs, and earlier ones are trusted until their last token expires.
//!
//! A check of a token uses an immutable ring: a rotation replaces it. So a check takes no
//! lock, and an expired key is detected by comparing one instant.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use chassis::auth::UnixSeconds;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::signature::Error;

use crate::claims::MEDIA_TYPE;
use crate::jws::{sign_jws, verify_jws};
use crate::{Algorithm, JwsError, KeySet, SigningKey, VerifyingKey, header};

/// Never.
const NEVER: UnixSeconds = UnixSeconds::MAX;

/// Keys of one algorithm.
pub(crate) struct KeyRing {
    algorithm: Algorithm,
    ring: ArcSwap<Ring>,
    /// Held while the ring is replaced.
    rotation_lock: Mutex<()>,
    ttl_s: u64,
    leeway_s: u64,
}

struct Ring {
    signing: Arc<SigningKey>,
    /// The first segment of every token that is signed now.
    header: String,
    /// The key that signs, then those that signed before.
    keys: Vec<Arc<TrustedKey>>,
    set: KeySet,
    /// When the next of the old keys expires.
    next_retirement: UnixSeconds,
}

/// The public half of a key. Of a key that signs no more, this is all that is left.
struct TrustedKey {
    key: VerifyingKey,
    jwk: Option<Jwk>,
    /// When the last token that it has signed ends.
    last_expiry: AtomicU64,
}

impl KeyRing {
    /// Returns a ring with only this key, for tokens that live for `ttl_s` seconds and are accepted `leeway_s` longer.
    pub(crate) fn new(signing: SigningKey, ttl_s: u64, leeway_s: u64) -> Self {
        let algorithm = signing.algorithm();
        let keys = vec![TrustedKey::from_signing_key(&signing)];
        let ring = Ring::new(Arc::new(signing), keys, leeway_s);
        Self { algorithm, ring: ArcSwap::from_pointee(ring), rotation_lock: Mutex::new(()), ttl_s, leeway_s }
    }

    /// What its keys sign with.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The compact serialisation of claims that end at `exp`.
    pub(crate) fn sign(&self, claims: &[u8], exp: UnixSeconds) -> Result<String, Error> {
        let ring = self.ring.load();
        ring.keys[0].last_expiry.fetch_max(exp, Ordering::Relaxed);
        sign_jws(&ring.header, claims, &ring.signing)
    }

    /// The claims in a compact serialisation that a key has signed which is trusted at `now`.
    pub(crate) fn verify(&self, compact: &str, now: UnixSeconds) -> Result<Vec<u8>, JwsError> {
        verify_jws(compact, &self.current(now).set)
    }

    /// The public keys that are trusted at `now`, the one that signs first; none where keys are secrets.
    pub(crate) fn jwks(&self, now: UnixSeconds) -> Option<JwkSet> {
        let keys: Vec<_> = self.current(now).keys.iter().filter_map(|key| key.jwk.clone()).collect();
        (!keys.is_empty()).then_some(JwkSet { keys })
    }

    /// Signs with this key from now on. The previous one is trusted until every token expires that it has signed, here
    /// or at another server that shares it.
    pub(crate) fn rotate(&self, signing: SigningKey, now: UnixSeconds) {
        let _guard = self.rotation_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.ring.load_full();
        old.keys[0].last_expiry.fetch_max(now.saturating_add(self.ttl_s), Ordering::Relaxed);
        let still_trusted = old.keys.iter().filter(|key| key.is_trusted(now, self.leeway_s)).cloned();
        let keys = std::iter::once(TrustedKey::from_signing_key(&signing)).chain(still_trusted).collect();
        self.ring.store(Arc::new(Ring::new(Arc::new(signing), keys, self.leeway_s)));
    }

    /// Returns the ring without the expired keys.
    fn current(&self, now: UnixSeconds) -> Guard<Arc<Ring>> {
        let ring = self.ring.load();
        if now < ring.next_retirement {
            return ring;
        }
        drop(ring);
        self.retire(now);
        self.ring.load()
    }

    #[cold]
    fn retire(&self, now: UnixSeconds) {
        let _guard = self.rotation_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring.load_full();
        let (signing, old) = ring.keys.split_first().expect("the key that signs is trusted");
        let still_trusted = old.iter().filter(|key| key.is_trusted(now, self.leeway_s));
        let keys = std::iter::once(signing).chain(still_trusted).cloned().collect();
        self.ring.store(Arc::new(Ring::new(Arc::clone(&ring.signing), keys, self.leeway_s)));
    }
}

impl Ring {
    fn new(signing: Arc<SigningKey>, keys: Vec<Arc<TrustedKey>>, leeway_s: u64) -> Self {
        let set = KeySet::new(keys.iter().map(|trusted| trusted.key.clone()).collect());
        let next_retirement = keys.iter().skip(1).map(|key| key.trusted_until(leeway_s)).min().unwrap_or(NEVER);
        Self {
            header: header::segment(signing.algorithm(), signing.kid(), MEDIA_TYPE),
            signing,
            keys,
            set: set.expect("new keys are distinct").of_type(MEDIA_TYPE),
            next_retirement,
        }
    }
}

impl TrustedKey {
    fn from_signing_key(key: &SigningKey) -> Arc<Self> {
        Arc::new(Self { key: key.verifying_key(), jwk: key.public_jwk(), last_expiry: AtomicU64::new(0) })
    }

    fn trusted_until(&self, leeway_s: u64) -> UnixSeconds {
        self.last_expiry.load(Ordering::Relaxed).saturating_add(leeway_s)
    }

    fn is_trusted(&self, now: UnixSeconds, leeway_s: u64) -> bool {
        now < self.trusted_until(leeway_s)
    }
}
