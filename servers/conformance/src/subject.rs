//! What is checked, and what the caller gives to the suite.

use std::io;
use std::path::PathBuf;

use crate::checks::HALF_OPEN_CONNECTIONS;
use crate::keys::SigningKeys;
use crate::wire::Base;

/// Connections in addition to those of concurrent logins or of a flood: reused and half-open ones.
const OTHER_CONNECTIONS: u64 = 32;

/// A server, or several equal ones that share their state.
///
/// A bare URL is enough. Everything else enables checks that are not applicable without it.
pub struct Subject {
    /// The addresses of the servers; the first is used wherever one is enough.
    pub nodes: Vec<Base>,
    /// The servers' own secret or private key, to forge tokens that differ from valid ones in one property.
    pub keys: Option<SigningKeys>,
    /// The control of the store.
    pub store: Option<Box<dyn StoreControl>>,
    /// The log file of the first server, preferably at its finest level.
    pub log: Option<PathBuf>,
    /// A way to start a server of the same scheme with other flags.
    pub starter: Option<Box<dyn Starter>>,
    /// The memory of the first server.
    pub memory: Option<MemoryGauge>,
    /// Seconds for which the servers accept a used refresh token again.
    pub refresh_grace_s: u64,
    /// The extent of the checks.
    pub extent: Extent,
}

impl Subject {
    /// Returns a server of which nothing else is known.
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

/// The extent of checks that find more with more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Credentials that are compared with each other.
    pub minted: u32,
    /// Concurrent logins.
    pub logins: u32,
    /// Tokens with an unknown key id.
    pub unknown_kids: u32,
    /// Randomly mutated credentials.
    pub mutations: u32,
    /// Seconds after which a connection with an incomplete request must be closed.
    pub half_open_s: u64,
}

impl Extent {
    /// Returns the maximum number of connections that the checks have open at a time.
    #[must_use]
    pub const fn connections(&self) -> u64 {
        let logins = self.logins as u64;
        OTHER_CONNECTIONS + if logins > HALF_OPEN_CONNECTIONS as u64 { logins } else { HALF_OPEN_CONNECTIONS as u64 }
    }
}

impl Default for Extent {
    /// Returns the extent of the security table.
    fn default() -> Self {
        Self { minted: 100_000, logins: 200, unknown_kids: 2000, mutations: 100_000, half_open_s: 60 }
    }
}

/// Reads the memory use of a server in bytes.
pub type MemoryGauge = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// Controls the store that the servers share.
pub trait StoreControl: Send + Sync {
    /// Makes it hang: it neither responds nor closes a connection.
    fn suspend(&self) -> io::Result<()>;
    /// Ends [`suspend`](Self::suspend).
    fn resume(&self) -> io::Result<()>;
    /// Stops it like a crash.
    fn stop(&self) -> io::Result<()>;
    /// Restarts it at the same address, with or without its data.
    fn start(&self) -> io::Result<()>;
    /// Cuts the last of the servers off from it: its connections break and new ones fail. Others may be cut off
    /// with it.
    fn cut(&self) -> io::Result<()>;
    /// Ends [`cut`](Self::cut).
    fn heal(&self) -> io::Result<()>;
    /// Makes it reject every write but deletions, like a full store, and serve reads.
    fn reject_writes(&self) -> io::Result<()>;
    /// Ends [`reject_writes`](Self::reject_writes).
    fn accept_writes(&self) -> io::Result<()>;
    /// Returns everything it contains, as it would be on a disk, uncompressed.
    fn dump(&self) -> io::Result<Vec<u8>>;
}

/// A way to start another server of the same scheme.
pub trait Starter: Send + Sync {
    /// Starts one with these flags added, and waits until it exits or serves. A server that serves is stopped.
    fn start(&self, flags: &[&str]) -> io::Result<StartOutcome>;
}

/// The result of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    /// It serves.
    Started,
    /// It did not start.
    Failed {
        /// The exit code.
        code: i32,
        /// Its standard error.
        stderr: String,
    },
}
