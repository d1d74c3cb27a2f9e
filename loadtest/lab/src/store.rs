//! The stores of a run, whatever they are: what a server needs to reach one, and what one uses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use contract::StoreKind;

use crate::authority::authority;
use crate::child::{Bounds, Exited};
use crate::cluster::Cluster;
use crate::postgres::{Postgres, PostgresError};
use crate::redis::{self, Redis};

/// The store of some schemes.
#[derive(Debug)]
pub enum Store {
    /// One Redis, private or external.
    Redis(Redis),
    /// A cluster of our own.
    Cluster(Cluster),
    /// A database of our own.
    Postgres(Postgres),
}

/// What a store holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreMemory {
    /// By its own account: what is allocated, or what tables and indexes take.
    pub used_bytes: u64,
    /// What its processes have in memory.
    pub rss_bytes: u64,
}

/// A store cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableStore {
    /// A Redis, or a node of a cluster.
    #[error(transparent)]
    Redis(#[from] redis::UnusableRedis),
    /// A database.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

impl UnusableStore {
    /// Whether what is to be started is not installed.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Redis(redis::UnusableRedis::Missing) | Self::Postgres(PostgresError::Missing))
    }
}

impl Store {
    /// Starts a private one of this kind, with its files in `folder`, which is made if need be, and its output appended
    /// to `log`, within `bounds`.
    ///
    /// # Panics
    /// If the kind is not a process of its own.
    pub fn start(kind: StoreKind, folder: &Path, log: &Path, bounds: &Bounds) -> Result<Self, UnusableStore> {
        let failed = |source| redis::UnusableRedis::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        Ok(match kind {
            StoreKind::Redis => Self::Redis(Redis::start(folder, log, bounds)?),
            StoreKind::RedisCluster => Self::Cluster(Cluster::start(folder, log, bounds)?),
            StoreKind::Postgres => Self::Postgres(Postgres::start(folder, log, bounds)?),
            StoreKind::None | StoreKind::Memory => unreachable!("{kind} is not a separate process"),
        })
    }

    /// Returns the environment variable with which a server gets its URL, and the URL.
    #[must_use]
    pub fn url(&self) -> (&'static str, String) {
        match self {
            Self::Redis(redis) => ("AUTHBENCH_REDIS_URL", redis.url().to_owned()),
            Self::Cluster(cluster) => ("AUTHBENCH_REDIS_URL", cluster.url().to_owned()),
            Self::Postgres(postgres) => ("AUTHBENCH_POSTGRES_URL", postgres.url().to_owned()),
        }
    }

    /// Where it listens; none where it is not ours, or is in several places.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Redis(redis) => redis.address(),
            Self::Postgres(postgres) => authority(postgres.url()),
            Self::Cluster(_) => None,
        }
    }

    /// The same as [`url`](Self::url) for a server that reaches it by way of another address.
    #[must_use]
    pub fn url_through(&self, address: SocketAddr) -> (&'static str, String) {
        let (variable, url) = self.url();
        let store_address = self.address().map(|address| address.to_string()).unwrap_or_default();
        (variable, url.replacen(&store_address, &address.to_string(), 1))
    }

    /// What the keys of this run begin with.
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        match self {
            Self::Redis(redis) => redis.key_prefix(),
            Self::Cluster(_) | Self::Postgres(_) => "authbench:",
        }
    }

    /// Its name and version.
    #[must_use]
    pub fn software(&self) -> (&'static str, &str) {
        match self {
            Self::Redis(redis) => ("redis", redis.version()),
            Self::Cluster(cluster) => ("redis", cluster.nodes()[0].version()),
            Self::Postgres(postgres) => ("postgres", postgres.version()),
        }
    }

    /// Returns whether this run has started it, for its own use only.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        match self {
            Self::Redis(redis) => redis.process().is_some(),
            Self::Cluster(_) | Self::Postgres(_) => true,
        }
    }

    /// Its processes on this machine.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        match self {
            Self::Redis(redis) => redis.pid().into_iter().collect(),
            Self::Cluster(cluster) => cluster.nodes().iter().filter_map(Redis::pid).collect(),
            Self::Postgres(postgres) => postgres.pids(),
        }
    }

    /// An error if one of its processes has ended.
    pub fn check(&self) -> Result<(), Exited> {
        match self {
            Self::Redis(redis) => redis.process().map_or(Ok(()), crate::child::Child::check),
            Self::Cluster(cluster) => {
                cluster.nodes().iter().filter_map(Redis::process).try_for_each(crate::child::Child::check)
            }
            Self::Postgres(postgres) => postgres.process().check(),
        }
    }

    /// Its memory now.
    pub fn memory(&self) -> Result<StoreMemory, UnusableStore> {
        let (used_bytes, rss_bytes) = match self {
            Self::Redis(redis) => {
                let memory = redis.memory()?;
                (memory.used_bytes, memory.rss_bytes)
            }
            Self::Cluster(cluster) => {
                let memory = cluster.memory()?;
                (memory.used_bytes, memory.rss_bytes)
            }
            Self::Postgres(postgres) => {
                let memory = postgres.memory()?;
                (memory.used_bytes, memory.rss_bytes)
            }
        };
        Ok(StoreMemory { used_bytes, rss_bytes })
    }

    /// How often each command was called; none where the store does not count.
    pub fn command_counts(&self) -> Result<Option<BTreeMap<String, u64>>, UnusableStore> {
        Ok(match self {
            Self::Redis(redis) => Some(redis.command_counts()?),
            Self::Cluster(cluster) => Some(cluster.command_counts()?),
            Self::Postgres(_) => None,
        })
    }

    /// Removes what this run has put there, and nothing else.
    pub fn clear(&self) -> Result<(), UnusableStore> {
        match self {
            Self::Redis(redis) if redis.process().is_some() => redis.flush()?,
            Self::Redis(redis) => redis.clear().map(drop)?,
            Self::Cluster(cluster) => cluster.flush()?,
            Self::Postgres(postgres) => postgres.clear()?,
        }
        Ok(())
    }
}
