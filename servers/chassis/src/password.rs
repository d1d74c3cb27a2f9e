//! Passwords as their hashes: argon2id with two passes and one lane over 19 MiB, as OWASP's password storage cheat sheet
//! has it. Tests of other things than logins hash over less, which only `--bench` permits.

use std::sync::Arc;

use argon2::password_hash::generate_salt;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use flume::{Receiver, Sender};
use tokio::sync::oneshot;

use crate::fair_queue::{FairQueue, Overloaded, Permit};
use crate::peer::Peer;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Passwords that may wait to be hashed. At 30 ms each, the last waits for a minute.
const MAX_WAITING: usize = 2048;
/// The nice value at which a thread gets a seventieth of what one that serves gets: it lets these go first, and where they
/// leave nothing it is slow, not starved.
const HASHING_NICE: i32 = 19;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The memory in KiB over which a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory(u32);

impl Memory {
    /// What OWASP's password storage cheat sheet demands of two passes, in KiB.
    pub(crate) const RECOMMENDED_KIB: u32 = 19 * 1024;
    /// A gibibyte: as many threads hash at a time as there are processors but one.
    pub(crate) const MAX_KIB: u32 = 1024 * 1024;

    /// Returns this many KiB; none where argon2id cannot work with them.
    pub(crate) const fn kib(kib: u32) -> Option<Self> {
        if kib >= Params::MIN_M_COST && kib <= Self::MAX_KIB { Some(Self(kib)) } else { None }
    }

    /// Whether it is at least what OWASP demands.
    pub(crate) const fn is_recommended(self) -> bool {
        self.0 >= Self::RECOMMENDED_KIB
    }

    /// What every hash over it begins with in PHC form.
    fn phc_prefix(self) -> String {
        format!("$argon2id$v=19$m={},t={PASSES},p={LANES}$", self.0)
    }

    fn params(self) -> Params {
        Params::new(self.0, PASSES, LANES, Some(HASH_BYTES)).expect("the memory is within argon2id's bounds")
    }

    fn blocks(self) -> Vec<Block> {
        vec![Block::default(); self.params().block_count()]
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self(Self::RECOMMENDED_KIB)
    }
}

/// The hash of a password, with its salt. The memory is the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswordHash {
    salt: [u8; SALT_BYTES],
    output: [u8; HASH_BYTES],
}

impl PasswordHash {
    /// In PHC form, such as `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<output>`.
    pub(crate) fn to_phc(&self, memory: Memory) -> String {
        let (salt, output) = (STANDARD_NO_PAD.encode(self.salt), STANDARD_NO_PAD.encode(self.output));
        format!("{}{salt}${output}", memory.phc_prefix())
    }

    /// From PHC form; none if it is not one that [`to_phc`](Self::to_phc) makes with the same memory: servers that share a
    /// store hash alike.
    pub(crate) fn from_phc(text: &str, memory: Memory) -> Option<Self> {
        let (salt, output) = text.strip_prefix(&memory.phc_prefix())?.split_once('$')?;
        let bytes = |text| STANDARD_NO_PAD.decode(text).ok();
        Some(Self { salt: bytes(salt)?.try_into().ok()?, output: bytes(output)?.try_into().ok()? })
    }
}

/// The hashing pool: threads that only hash, at a lower priority than the serving ones, one fewer than there are CPUs. That
/// CPU stays free for requests that only present a credential: where a hashing and a request wait for the same CPU, the
/// scheduler may give a whole tick, 4 ms, to the hashing, however low its priority is.
pub(crate) struct Hasher {
    memory: Memory,
    queue: Arc<FairQueue>,
    jobs: Sender<HashJob>,
}

/// The right to hash once.
pub(crate) struct HashPermit {
    permit: Permit,
    jobs: Sender<HashJob>,
}

/// A password to hash. It holds the permit until the end of the hashing, also when the client has disconnected
/// and the result is not needed.
struct HashJob {
    salt: [u8; SALT_BYTES],
    password: String,
    permit: Permit,
    reply: oneshot::Sender<(Output, Permit)>,
}

type Output = [u8; HASH_BYTES];

impl Hasher {
    pub(crate) fn new(memory: Memory) -> Self {
        let threads = threads(std::thread::available_parallelism().map_or(1, usize::from));
        let (jobs, waiting) = flume::unbounded();
        for _ in 0..threads {
            let waiting = waiting.clone();
            std::thread::Builder::new()
                .name("hasher".to_owned())
                .spawn(move || hash_all(&waiting, memory))
                .expect("a starting server can create a thread");
        }
        Self { memory, queue: FairQueue::new(threads, MAX_WAITING), jobs }
    }

    /// The memory over which it hashes.
    pub(crate) const fn memory(&self) -> Memory {
        self.memory
    }

    /// Waits for this peer's turn.
    pub(crate) async fn acquire(&self, peer: Peer) -> Result<HashPermit, Overloaded> {
        let permit = self.queue.acquire(peer).await?;
        Ok(HashPermit { permit, jobs: self.jobs.clone() })
    }
}

impl HashPermit {
    /// The hash of this password, with a random salt.
    pub(crate) async fn hash(self, password: String) -> PasswordHash {
        let salt = generate_salt();
        PasswordHash { salt, output: self.output(salt, password).await.0 }
    }

    /// Whether this hash is that of this password, and the turn, which may be used again.
    pub(crate) async fn matches(self, hash: PasswordHash, password: String) -> (bool, Self) {
        let (output, permit) = self.output(hash.salt, password).await;
        // Compares every byte, so that the time does not reveal how many are equal.
        let matches = output.iter().zip(hash.output).fold(0, |differing, (own, good)| differing | (own ^ good)) == 0;
        (matches, permit)
    }

    async fn output(self, salt: [u8; SALT_BYTES], password: String) -> (Output, Self) {
        let (Self { permit, jobs }, (reply, replied)) = (self, oneshot::channel());
        let sent = jobs.send(HashJob { salt, password, permit, reply });
        sent.expect("the hashing threads run as long as the pool exists");
        let (output, permit) = replied.await.expect("argon2 does not panic");
        (output, Self { permit, jobs })
    }
}

/// How many threads hash.
const fn threads(cpus: usize) -> usize {
    if cpus > 1 { cpus - 1 } else { 1 }
}

/// Hashes whatever comes, in the same blocks again and again.
fn hash_all(waiting: &Receiver<HashJob>, memory: Memory) {
    // Where it is not permitted, hashing is as important as serving.
    let _ = rustix::process::setpriority_process(None, HASHING_NICE);
    let mut blocks = None;
    for HashJob { salt, password, permit, reply } in waiting {
        let output = output(&password, &salt, memory, blocks.get_or_insert_with(|| memory.blocks()));
        let _ = reply.send((output, permit));
    }
}

/// The hash of this password, made here and now.
pub(crate) fn hash_now(password: &str, memory: Memory) -> PasswordHash {
    let salt = generate_salt();
    PasswordHash { salt, output: output(password, &salt, memory, &mut memory.blocks()) }
}

fn output(password: &str, salt: &[u8], memory: Memory, blocks: &mut [Block]) -> [u8; HASH_BYTES] {
    let mut output = [0; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, memory.params());
    let hashed = argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut output, blocks);
    hashed.expect("the lengths are in range: bodies are far shorter than 4 GiB");
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_the_crate_recommends() {
        let params = Argon2::default().params().clone();
        let recommended = (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(recommended, (Memory::default().0, PASSES, LANES));
    }

    #[test]
    fn a_hash_in_phc_form_reads_back_with_the_same_memory_only() {
        let [memory, other] = [64, 128].map(|kib| Memory::kib(kib).unwrap());
        let hash = hash_now("secret", memory);
        let phc = hash.to_phc(memory);
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{phc}");
        assert_eq!(PasswordHash::from_phc(&phc, memory), Some(hash));
        assert_eq!(PasswordHash::from_phc(&phc, other), None);
        for text in ["", "$argon2id$v=19$m=64,t=2,p=1$", "$argon2id$v=19$m=64,t=2,p=1$AAAA$AAAA", "$2b$12$abc"] {
            assert_eq!(PasswordHash::from_phc(text, memory), None, "{text:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        assert_eq!([0, 7, Memory::MAX_KIB + 1].map(Memory::kib), [None; 3]);
        assert_eq!([8, Memory::RECOMMENDED_KIB].map(|kib| Memory::kib(kib).unwrap().is_recommended()), [false, true]);
    }
}
