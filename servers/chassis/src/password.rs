//! Passwords as their hashes: argon2id as OWASP's password storage cheat sheet has it (19 MiB, two
//! passes, one lane), which are the crate's defaults.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::generate_salt;
use argon2::{Argon2, Block};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// The nice value at which a thread gets a tenth of what one that serves gets: it lets these go first, and is not
/// starved by them.
const BEHIND: i32 = 10;
/// What every hash in PHC form begins with; the parameters are the crate's defaults, which a test holds against it.
const PHC_PREFIX: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// The hash of a password, with its salt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswordHash {
    salt: [u8; SALT_BYTES],
    output: [u8; HASH_BYTES],
}

impl PasswordHash {
    /// In PHC form: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<output>`.
    pub(crate) fn to_phc(&self) -> String {
        let (salt, output) = (STANDARD_NO_PAD.encode(self.salt), STANDARD_NO_PAD.encode(self.output));
        format!("{PHC_PREFIX}{salt}${output}")
    }

    /// From PHC form; none if it is not one that [`to_phc`](Self::to_phc) makes.
    pub(crate) fn from_phc(text: &str) -> Option<Self> {
        let (salt, output) = text.strip_prefix(PHC_PREFIX)?.split_once('$')?;
        let bytes = |text| STANDARD_NO_PAD.decode(text).ok();
        Some(Self { salt: bytes(salt)?.try_into().ok()?, output: bytes(output)?.try_into().ok()? })
    }
}

/// What hashes. Hashings take turns, as many at a time as there are CPUs: more would cost memory and gain nothing.
pub(crate) struct Hasher {
    turns: Arc<Semaphore>,
    /// What hashings that are done have left for the next. Freeing it instead would not give it
    /// back: glibc before 2.38 cannot reuse a freed aligned block (its bug 14581), and keeps one for every login.
    memories: Arc<Mutex<Vec<Vec<Block>>>>,
}

/// The right to hash once.
pub(crate) struct Turn {
    permit: OwnedSemaphorePermit,
    memories: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self { turns: Arc::new(Semaphore::new(cpus)), memories: Arc::default() }
    }

    /// Waits for a turn among all that ask.
    pub(crate) async fn turn(&self) -> Turn {
        let permit = Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes the semaphore");
        Turn { permit, memories: Arc::clone(&self.memories) }
    }
}

impl Turn {
    /// The hash of this password, with a random salt.
    pub(crate) async fn hash(self, password: String) -> PasswordHash {
        let salt = generate_salt();
        PasswordHash { salt, output: self.output(salt, password).await.0 }
    }

    /// Whether this hash is that of this password; the turn is not over before the second value is dropped.
    pub(crate) async fn matches(self, hash: PasswordHash, password: String) -> (bool, OwnedSemaphorePermit) {
        let (output, permit) = self.output(hash.salt, password).await;
        // Looks at every byte, so that the time does not tell how many are right.
        let matches = output.iter().zip(hash.output).fold(0, |differing, (own, good)| differing | (own ^ good)) == 0;
        (matches, permit)
    }

    /// The permit goes along, so that it is held to the end of the hashing, also when the client has gone and nobody
    /// awaits it.
    async fn output(self, salt: [u8; SALT_BYTES], password: String) -> ([u8; HASH_BYTES], OwnedSemaphorePermit) {
        let hash = move || {
            step_back();
            let memories = || self.memories.lock().unwrap_or_else(PoisonError::into_inner);
            let reused = memories().pop();
            let mut memory = reused.unwrap_or_else(new_memory);
            let output = output(&password, &salt, &mut memory);
            memories().push(memory);
            (output, self.permit)
        };
        tokio::task::spawn_blocking(hash).await.expect("argon2 does not panic")
    }
}

/// Lets this thread, which does nothing but hash, run behind those that serve: a hashing takes tens of milliseconds, and
/// whoever only shows a credential should not have to wait for it.
fn step_back() {
    thread_local!(static DONE: Cell<bool> = const { Cell::new(false) });
    if !DONE.replace(true) {
        // Where it is not permitted, hashing is as important as serving.
        let _ = rustix::process::setpriority_process(None, BEHIND);
    }
}

/// The hash of this password, made here and now.
pub(crate) fn hash_now(password: &str) -> PasswordHash {
    let salt = generate_salt();
    PasswordHash { salt, output: output(password, &salt, &mut new_memory()) }
}

fn new_memory() -> Vec<Block> {
    vec![Block::default(); Argon2::default().params().block_count()]
}

fn output(password: &str, salt: &[u8], memory: &mut [Block]) -> [u8; HASH_BYTES] {
    let mut output = [0; HASH_BYTES];
    let hashed = Argon2::default().hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory);
    hashed.expect("the lengths are in range: bodies are far shorter than 4 GiB");
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phc_form_names_the_parameters_that_are_used_and_reads_back() {
        let params = Argon2::default().params().clone();
        let named = format!("$argon2id$v=19$m={},t={},p={}$", params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(named, PHC_PREFIX);
        let hash = hash_now("secret");
        assert_eq!(PasswordHash::from_phc(&hash.to_phc()), Some(hash));
        for text in ["", PHC_PREFIX, "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA", "$2b$12$abc"] {
            assert_eq!(PasswordHash::from_phc(text), None, "{text:?}");
        }
    }
}
