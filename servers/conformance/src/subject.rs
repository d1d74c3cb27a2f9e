//! What is examined, and what whoever asks for it lends to the suite.

use std::io;
use std::path::PathBuf;

use crate::checks::HALF_OPEN;
use crate::keys::SigningKeys;
use crate::wire::Base;

/// Connections beside those of logins at once or of a flood: kept ones, and those that were left half-open.
const OTHERS: u64 = 32;

/// A server, or several like ones that share what they know.
///
/// A bare URL is enough. Everything else opens checks that are not applicable without it.
pub struct Subject {
    /// Where the servers are; the first is used wherever one is enough.
    pub nodes: Vec<Base>,
    /// The servers' own secret or private key, to forge tokens that are wrong in one thing only.
    pub keys: Option<SigningKeys>,
    /// A hold of the store.
    pub store: Option<Box<dyn StoreControl>>,
    /// The file into which the first server logs, best at its finest level.
    pub log: Option<PathBuf>,
    /// A way to start a server of the same scheme with other flags.
    pub starter: Option<Box<dyn Starter>>,
    /// The memory of the first server.
    pub memory: Option<MemoryGauge>,
    /// Seconds for which the servers admit a refresh token again after it was used.
    pub refresh_grace_s: u64,
    /// How much is asked.
    pub extent: Extent,
}

impl Subject {
    /// A server of which nothing else is known.
    #[must_use]
    pub fn new(base: Base) -> Self {
        Self {
            nodes: vec![base],
            keys: None,
            store: None,
            log: None,
            starter: None,
            memory: None,
            refresh_grace_s: 0,
            extent: Extent::default(),
        }
    }
}

/// How much is asked where more says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Credentials that are compared with each other.
    pub minted: u32,
    /// Logins at once.
    pub logins: u32,
    /// Tokens with an unknown key id.
    pub unknown_kids: u32,
    /// Credentials that were spoiled by chance.
    pub mutations: u32,
    /// Seconds after which a connection whose request is not complete must have been closed.
    pub half_open_s: u64,
}

impl Extent {
    /// Connections that the checks have open at a time, at most.
    #[must_use]
    pub const fn connections(&self) -> u64 {
        let logins = self.logins as u64;
        OTHERS + if logins > HALF_OPEN as u64 { logins } else { HALF_OPEN as u64 }
    }
}

impl Default for Extent {
    /// As the security table has it.
    fn default() -> Self {
        Self { minted: 100_000, logins: 200, unknown_kids: 2000, mutations: 100_000, half_open_s: 60 }
    }
}

/// Reads the bytes that a server holds in memory.
pub type MemoryGauge = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// A hold of the store that the servers share.
pub trait StoreControl: Send + Sync {
    /// Makes it hang: it neither answers nor closes a connection.
    fn suspend(&self) -> io::Result<()>;
    /// Ends [`suspend`](Self::suspend).
    fn resume(&self) -> io::Result<()>;
    /// Ends it as a crash would.
    fn stop(&self) -> io::Result<()>;
    /// Starts it again where it was, with or without what it held.
    fn start(&self) -> io::Result<()>;
    /// Cuts the last of the servers off from it: its connections break, and it gets no new ones. Others may be cut off
    /// with it.
    fn cut(&self) -> io::Result<()>;
    /// Ends [`cut`](Self::cut).
    fn heal(&self) -> io::Result<()>;
    /// Makes it refuse every write but deletions, as one that is full does, and answer reads.
    fn refuse_writes(&self) -> io::Result<()>;
    /// Ends [`refuse_writes`](Self::refuse_writes).
    fn accept_writes(&self) -> io::Result<()>;
    /// All that it holds, as it would lie on a disk, uncompressed.
    fn dump(&self) -> io::Result<Vec<u8>>;
}

/// A way to start another server of the same scheme.
pub trait Starter: Send + Sync {
    /// Starts one with these flags added, and waits until it has ended, or serves. A server that serves is ended.
    fn start(&self, flags: &[&str]) -> io::Result<Start>;
}

/// What became of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It serves.
    Serves,
    /// It refused.
    Refused {
        /// The exit code.
        code: i32,
        /// What it said on its standard error.
        stderr: String,
    },
}
