//! Passwords as their hashes: argon2id as OWASP's password storage cheat sheet has it (19 MiB, two
//! passes, one lane), which are the crate's defaults.

use std::sync::Arc;

use argon2::password_hash::generate_salt;
use argon2::{Argon2, Block};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use flume::{Receiver, Sender};
use tokio::sync::oneshot;

use crate::peer::Peer;
use crate::turns::{Overloaded, Permit, Turns};

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Passwords that may wait to be hashed. At 30 ms each, the last waits for a minute.
const MOST_WAITING: usize = 2048;
/// The nice value at which a thread gets a seventieth of what one that serves gets: it lets these go first, and where they
/// leave nothing it is slow, not starved.
const BEHIND: i32 = 19;
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

/// What hashes: threads that do nothing else, behind those that serve, as many as there are processors but one. That one
/// stays free for those who only show a credential: where a hashing and a request wait for the same processor, the
/// scheduler may give a whole tick, 4 ms, to the hashing, however low its priority is.
pub(crate) struct Hasher {
    turns: Arc<Turns>,
    work: Sender<Work>,
}

/// The right to hash once.
pub(crate) struct Turn {
    permit: Permit,
    work: Sender<Work>,
}

/// A password to hash. The permit goes along, so that it is held to the end of the hashing, also when the client has gone
/// and nobody waits for the answer.
struct Work {
    salt: [u8; SALT_BYTES],
    password: String,
    permit: Permit,
    answer: oneshot::Sender<(Output, Permit)>,
}

type Output = [u8; HASH_BYTES];

impl Hasher {
    pub(crate) fn new() -> Self {
        let threads = threads(std::thread::available_parallelism().map_or(1, usize::from));
        let (work, waiting) = flume::unbounded();
        for _ in 0..threads {
            let waiting = waiting.clone();
            std::thread::Builder::new()
                .name("hasher".to_owned())
                .spawn(move || hash_all(&waiting))
                .expect("a server that has just begun can start a thread");
        }
        Self { turns: Turns::new(threads, MOST_WAITING), work }
    }

    /// Waits for this peer's turn.
    pub(crate) async fn turn(&self, peer: Peer) -> Result<Turn, Overloaded> {
        let permit = self.turns.turn(peer).await?;
        Ok(Turn { permit, work: self.work.clone() })
    }
}

impl Turn {
    /// The hash of this password, with a random salt.
    pub(crate) async fn hash(self, password: String) -> PasswordHash {
        let salt = generate_salt();
        PasswordHash { salt, output: self.output(salt, password).await.0 }
    }

    /// Whether this hash is that of this password, and the turn, which may be used again.
    pub(crate) async fn matches(self, hash: PasswordHash, password: String) -> (bool, Self) {
        let (output, turn) = self.output(hash.salt, password).await;
        // Looks at every byte, so that the time does not tell how many are right.
        let matches = output.iter().zip(hash.output).fold(0, |differing, (own, good)| differing | (own ^ good)) == 0;
        (matches, turn)
    }

    async fn output(self, salt: [u8; SALT_BYTES], password: String) -> (Output, Self) {
        let (Self { permit, work }, (answer, answered)) = (self, oneshot::channel());
        let given = work.send(Work { salt, password, permit, answer });
        given.expect("hashers wait as long as there is somebody to give them work");
        let (output, permit) = answered.await.expect("argon2 does not panic");
        (output, Self { permit, work })
    }
}

/// How many threads hash.
const fn threads(cpus: usize) -> usize {
    if cpus > 1 { cpus - 1 } else { 1 }
}

/// Hashes whatever comes, in one and the same memory.
fn hash_all(waiting: &Receiver<Work>) {
    // Where it is not permitted, hashing is as important as serving.
    let _ = rustix::process::setpriority_process(None, BEHIND);
    let mut memory = None;
    for Work { salt, password, permit, answer } in waiting {
        let output = output(&password, &salt, memory.get_or_insert_with(new_memory));
        let _ = answer.send((output, permit));
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
