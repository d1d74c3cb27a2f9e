//! A password as its hash: argon2id as OWASP's password storage cheat sheet has it (19 MiB, two
//! passes, one lane), which are the crate's defaults.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::generate_salt;
use argon2::{Argon2, Block};
use tokio::sync::Semaphore;

const HASH_BYTES: usize = 32;

/// One password that many are held against.
pub(crate) struct Password {
    hash: Arc<Hash>,
    /// As many hashings at a time as there are CPUs: more would cost memory and gain nothing.
    turns: Arc<Semaphore>,
}

struct Hash {
    salt: [u8; 16],
    output: [u8; HASH_BYTES],
    /// What hashings that are done have left for the next. Freeing it instead would not give it
    /// back: glibc before 2.38 cannot reuse a freed aligned block (its bug 14581), and keeps one for every login.
    memories: Mutex<Vec<Vec<Block>>>,
}

impl Password {
    /// Hashes this password, with a random salt.
    pub(crate) fn new(password: &str) -> Self {
        let salt = generate_salt();
        let output = output(password, &salt, &mut memory());
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            hash: Arc::new(Hash { salt, output, memories: Mutex::default() }),
            turns: Arc::new(Semaphore::new(cpus)),
        }
    }

    /// Whether this is the password. Takes its turn among all that ask.
    pub(crate) async fn is(&self, password: String) -> bool {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes the semaphore");
        let hash = Arc::clone(&self.hash);
        let verify = move || {
            let verdict = hash.is_of(&password);
            // Held to the end of the hashing, also when the client has gone and nobody awaits it.
            drop(turn);
            verdict
        };
        tokio::task::spawn_blocking(verify).await.expect("argon2 does not panic")
    }
}

impl Hash {
    fn is_of(&self, password: &str) -> bool {
        let mut memory = self.memories().pop().unwrap_or_else(memory);
        let output = output(password, &self.salt, &mut memory);
        self.memories().push(memory);
        // Looks at every byte, so that the time does not tell how many are right.
        output.iter().zip(self.output).fold(0, |differing, (own, good)| differing | (own ^ good)) == 0
    }

    fn memories(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn memory() -> Vec<Block> {
    vec![Block::default(); Argon2::default().params().block_count()]
}

fn output(password: &str, salt: &[u8], memory: &mut [Block]) -> [u8; HASH_BYTES] {
    let mut output = [0; HASH_BYTES];
    let hashed = Argon2::default().hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory);
    hashed.expect("the lengths are in range: bodies are far shorter than 4 GiB");
    output
}
