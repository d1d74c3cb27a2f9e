//! The denials that still count, in the memory of this process.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use crate::token_id::TokenId;

/// Locks of each kind: enough that rare writers rarely block readers.
const SHARDS: usize = 64;
/// Denials in a shard before it is first purged of expired ones.
const FIRST_PURGE: usize = 64;

/// Seconds of a clock that its owner chooses.
type Seconds = u64;

/// What is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Denial {
    /// One token.
    Token(TokenId),
    /// The tokens of a user with an earlier epoch.
    User {
        /// The user.
        user: u32,
        /// The minimum epoch of the user's tokens.
        epoch: u64,
    },
}

/// A text that is not a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParseDenialError;

impl FromStr for Denial {
    type Err = ParseDenialError;

    /// From `t <token id>` or `u <user> <epoch>`, as the scripts write them.
    fn from_str(text: &str) -> Result<Self, ParseDenialError> {
        let words: Vec<_> = text.split(' ').collect();
        match words.as_slice() {
            ["t", id] => TokenId::parse(id).map(Self::Token).ok_or(ParseDenialError),
            ["u", user, epoch] => Ok(Self::User {
                user: user.parse().map_err(|_| ParseDenialError)?,
                epoch: epoch.parse().map_err(|_| ParseDenialError)?,
            }),
            _ => Err(ParseDenialError),
        }
    }
}

/// The denials. What is added stays to its end, whatever else is added in whichever order.
pub(super) struct Denials {
    floor: AtomicU64,
    tokens: Box<[Tokens]>,
    users: Box<[Users]>,
}

type Tokens = RwLock<Shard<TokenId, (), BuildHasherDefault<FirstBytes>>>;
type Users = RwLock<Shard<u32, u64, RandomState>>;

impl Default for Denials {
    fn default() -> Self {
        Self {
            floor: AtomicU64::new(0),
            tokens: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            users: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
        }
    }
}

impl Denials {
    /// Whether a token with this id, of this user and epoch, is denied.
    pub(super) fn is_denied(&self, id: TokenId, user: u32, epoch: u64) -> bool {
        epoch < self.floor.load(Ordering::Acquire) || self.has_token(id) || self.min_epoch(user) > Some(epoch)
    }

    /// Denies every token with a lower epoch, permanently.
    pub(super) fn raise_floor(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::AcqRel);
    }

    /// Adds a denial that may be dropped at `expires_at`.
    pub(super) fn add(&self, denial: Denial, expires_at: Seconds, now: Seconds) {
        match denial {
            Denial::Token(id) => write(self.tokens_of(id)).add(id, (), expires_at, now),
            Denial::User { user, epoch } => write(self.users_of(user)).add(user, epoch, expires_at, now),
        }
    }

    fn has_token(&self, id: TokenId) -> bool {
        let shard = self.tokens_of(id).read().unwrap_or_else(PoisonError::into_inner);
        shard.entries.contains_key(&id)
    }

    fn min_epoch(&self, user: u32) -> Option<u64> {
        let shard = self.users_of(user).read().unwrap_or_else(PoisonError::into_inner);
        shard.entries.get(&user).map(|entry| entry.min_epoch)
    }

    fn tokens_of(&self, id: TokenId) -> &Tokens {
        &self.tokens[usize::from(id.last_byte()) % SHARDS]
    }

    fn users_of(&self, user: u32) -> &Users {
        &self.users[user as usize % SHARDS]
    }
}

/// A poisoned lock guards a map that is whole: what may panic here is memory running out, which aborts.
fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

struct Shard<K, V, S> {
    entries: HashMap<K, Entry<V>, S>,
    /// Number of denials that triggers the next purge: twice what the last one left, so that a purge costs an addition a
    /// bounded number of steps on average, and expired ones take at most as much room as the others.
    purge_at: usize,
}

struct Entry<V> {
    min_epoch: V,
    expires_at: Seconds,
}

impl<K, V, S: Default> Default for Shard<K, V, S> {
    fn default() -> Self {
        Self { entries: HashMap::default(), purge_at: FIRST_PURGE }
    }
}

impl<K: Eq + Hash, V: Ord + Copy, S: BuildHasher> Shard<K, V, S> {
    fn add(&mut self, key: K, min_epoch: V, expires_at: Seconds, now: Seconds) {
        let entry = self.entries.entry(key).or_insert(Entry { min_epoch, expires_at });
        entry.min_epoch = entry.min_epoch.max(min_epoch);
        entry.expires_at = entry.expires_at.max(expires_at);
        if self.entries.len() >= self.purge_at {
            self.entries.retain(|_, entry| entry.expires_at > now);
            self.entries.shrink_to(2 * self.entries.len());
            self.purge_at = FIRST_PURGE.max(2 * self.entries.len());
        }
    }
}

/// Takes the first eight bytes of a token id for its hash: they are random, and only our own tokens get here.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length, which all ids share.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Denials {
        fn count(&self) -> usize {
            let tokens = self.tokens.iter().map(|shard| shard.read().unwrap().entries.len());
            tokens.chain(self.users.iter().map(|shard| shard.read().unwrap().entries.len())).sum()
        }
    }

    fn id(n: u64) -> TokenId {
        let text =
            crate::base64url::encode([n.to_le_bytes(), n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()].concat());
        TokenId::parse(&text).unwrap()
    }

    #[test]
    fn a_denial_is_read_as_it_was_written() {
        let text = id(3).to_text();
        assert_eq!(format!("t {text}").parse(), Ok(Denial::Token(id(3))));
        assert_eq!("u 7 1700000000000001".parse(), Ok(Denial::User { user: 7, epoch: 1_700_000_000_000_001 }));
        for other in ["", "t", "t x", "u 7", "u 7 -1", "u 7 1.7e+15", "u -1 7", "x 1", "t  AA", "u 7 1 1"] {
            assert_eq!(other.parse::<Denial>(), Err(ParseDenialError), "{other}");
        }
    }

    #[test]
    fn denials_cover_a_token_a_users_past_and_everything_below_the_floor() {
        let denials = Denials::default();
        assert!(!denials.is_denied(id(1), 7, 0));
        denials.add(Denial::Token(id(1)), 10, 0);
        denials.add(Denial::User { user: 7, epoch: 100 }, 10, 0);
        assert!(denials.is_denied(id(1), 8, 200) && !denials.is_denied(id(2), 8, 0));
        assert!(denials.is_denied(id(2), 7, 99) && !denials.is_denied(id(2), 7, 100));
        denials.raise_floor(50);
        denials.raise_floor(40);
        assert!(denials.is_denied(id(2), 8, 49) && !denials.is_denied(id(2), 8, 50));
    }

    #[test]
    fn expired_denials_are_removed() {
        let denials = Denials::default();
        for now in 0..100_u64 {
            for n in 0..1000 {
                denials.add(Denial::Token(id(now * 1000 + n)), now + 5, now);
                denials.add(Denial::User { user: (now * 1000 + n) as u32, epoch: now }, now + 5, now);
            }
        }
        // Two hundred thousand were added, and ten thousand lived at any time.
        let held = denials.count();
        assert!(held <= 2 * 10_000 + 2 * SHARDS * FIRST_PURGE, "{held}");
    }

    fn denial() -> impl Strategy<Value = (Denial, Seconds)> {
        let token = (0..20_u64).prop_map(|n| Denial::Token(id(n)));
        let user = (0..5_u32, 0..10_u64).prop_map(|(user, epoch)| Denial::User { user, epoch });
        (prop_oneof![token, user], 50..100_u64)
    }

    /// Every possible query.
    fn query_all(denials: &Denials) -> Vec<bool> {
        let tokens = (0..20).map(|n| denials.is_denied(id(n), 9, 10));
        let users = (0..5).flat_map(|user| (0..11).map(move |epoch| (user, epoch)));
        tokens.chain(users.map(|(user, epoch)| denials.is_denied(id(99), user, epoch))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// A snapshot holds some denials, pushes hold some, both may hold the same: in any order they come to the
        /// same set.
        #[test]
        fn a_snapshot_and_pushes_make_one_set_in_any_order(
            (listed, shuffled) in proptest::collection::vec(denial(), 0..60)
                .prop_flat_map(|listed| (Just(listed.clone()), Just(listed).prop_shuffle())),
            again in 0..60_usize,
        ) {
            let (one, other) = (Denials::default(), Denials::default());
            for (denial, expires_at) in &listed {
                one.add(*denial, *expires_at, 0);
            }
            for (denial, expires_at) in shuffled.iter().chain(shuffled.iter().take(again)) {
                other.add(*denial, *expires_at, 0);
            }
            prop_assert_eq!(query_all(&one), query_all(&other));
            for (denial, _) in &listed {
                let denied = match *denial {
                    Denial::Token(id) => one.is_denied(id, 9, 10),
                    Denial::User { user, epoch } => epoch == 0 || one.is_denied(id(99), user, epoch - 1),
                };
                prop_assert!(denied, "{denial:?}");
            }
        }
    }
}
