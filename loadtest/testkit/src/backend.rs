//! The store that the servers of a scheme share.

use std::panic::catch_unwind;

use contract::{Scheme, StoreKind};

use crate::cluster::Cluster;
use crate::postgres::Postgres;
use crate::redis::Redis;

/// A store of the test's own.
pub enum Backend {
    /// The scheme has no external store.
    NoStore,
    /// One Redis.
    Redis(Redis),
    /// A Redis Cluster.
    Cluster(Cluster),
    /// A database.
    Postgres(Postgres),
}

impl Backend {
    /// Starts what this scheme needs. A free port may be taken before its store is there, by one of the many
    /// connections of a suite; then it is started on others.
    pub fn of(scheme: Scheme) -> Self {
        let started = (0..3).find_map(|_| catch_unwind(|| Self::started(scheme)).ok());
        started.unwrap_or_else(|| panic!("no {}", scheme.store()))
    }

    fn started(scheme: Scheme) -> Self {
        match scheme.store() {
            StoreKind::None | StoreKind::Memory => Self::NoStore,
            StoreKind::Redis => Self::Redis(Redis::start()),
            StoreKind::RedisCluster => Self::Cluster(Cluster::start()),
            StoreKind::Postgres => Self::Postgres(Postgres::start()),
        }
    }

    /// Returns the flags by which a server finds it.
    pub fn flags(&self) -> Vec<String> {
        match self {
            Self::NoStore => vec![],
            Self::Redis(redis) => vec!["--redis-url".to_owned(), redis.url()],
            Self::Cluster(cluster) => vec!["--redis-url".to_owned(), cluster.url()],
            Self::Postgres(postgres) => vec!["--postgres-url".to_owned(), postgres.url()],
        }
    }

    /// Stops its processes (SIGSTOP): they neither respond nor close a connection.
    pub fn suspend(&self) {
        match self {
            Self::NoStore => {}
            Self::Redis(redis) => redis.suspend(),
            Self::Cluster(cluster) => cluster.nodes.iter().for_each(Redis::suspend),
            Self::Postgres(postgres) => postgres.suspend(),
        }
    }

    /// Ends a [`suspend`](Self::suspend).
    pub fn resume(&self) {
        match self {
            Self::NoStore => {}
            Self::Redis(redis) => redis.resume(),
            Self::Cluster(cluster) => cluster.nodes.iter().for_each(Redis::resume),
            Self::Postgres(postgres) => postgres.resume(),
        }
    }

    /// Ends its processes as a crash would.
    pub fn kill(&mut self) {
        match self {
            Self::NoStore => {}
            Self::Redis(redis) => redis.kill(),
            Self::Cluster(cluster) => cluster.nodes.iter_mut().for_each(Redis::kill),
            Self::Postgres(postgres) => postgres.kill(),
        }
    }

    /// Starts it again on the ports that it had: a Redis empty, a database with what it had.
    pub fn restart(&mut self) {
        match self {
            Self::NoStore => {}
            Self::Redis(redis) => redis.restart(),
            Self::Cluster(cluster) => cluster.restart(),
            Self::Postgres(postgres) => postgres.restart(),
        }
    }

    /// Returns all that it holds.
    pub fn dump(&self) -> Vec<u8> {
        match self {
            Self::NoStore => vec![],
            Self::Redis(redis) => redis.dump(),
            Self::Cluster(cluster) => cluster.nodes.iter().flat_map(Redis::dump).collect(),
            Self::Postgres(postgres) => postgres.dump(),
        }
    }

    /// Returns every Redis of it.
    pub fn redis_nodes(&self) -> &[Redis] {
        match self {
            Self::NoStore | Self::Postgres(_) => &[],
            Self::Redis(redis) => std::slice::from_ref(redis),
            Self::Cluster(cluster) => &cluster.nodes,
        }
    }
}
