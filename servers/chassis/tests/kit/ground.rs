//! What a scheme's servers stand on.

use std::panic::catch_unwind;

use contract::{Scheme, StoreKind};

use crate::cluster::Cluster;
use crate::postgres::Postgres;
use crate::redis_process::Redis;

/// A store of the test's own.
pub(crate) enum Ground {
    Nothing,
    Redis(Redis),
    Cluster(Cluster),
    Postgres(Postgres),
}

impl Ground {
    /// What this scheme needs. A free port may be taken before its store is there, by one of the many connections of
    /// a suite; then it is started on others.
    pub(crate) fn of(scheme: Scheme) -> Self {
        let started = (0..3).find_map(|_| catch_unwind(|| Self::started(scheme)).ok());
        started.unwrap_or_else(|| panic!("no {}", scheme.store()))
    }

    fn started(scheme: Scheme) -> Self {
        match scheme.store() {
            StoreKind::None | StoreKind::Memory => Self::Nothing,
            StoreKind::Redis => Self::Redis(Redis::start()),
            StoreKind::RedisCluster => Self::Cluster(Cluster::start()),
            StoreKind::Postgres => Self::Postgres(Postgres::start()),
        }
    }

    /// The flags by which a server finds it.
    pub(crate) fn flags(&self) -> Vec<String> {
        match self {
            Self::Nothing => vec![],
            Self::Redis(redis) => vec!["--redis-url".to_owned(), redis.url()],
            Self::Cluster(cluster) => vec!["--redis-url".to_owned(), cluster.url()],
            Self::Postgres(postgres) => vec!["--postgres-url".to_owned(), postgres.url()],
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        match self {
            Self::Nothing => {}
            Self::Redis(redis) => redis.signal(name),
            Self::Cluster(cluster) => cluster.nodes.iter().for_each(|node| node.signal(name)),
            Self::Postgres(postgres) => postgres.signal(name),
        }
    }

    pub(crate) fn kill(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Redis(redis) => redis.kill(),
            Self::Cluster(cluster) => cluster.nodes.iter_mut().for_each(Redis::kill),
            Self::Postgres(postgres) => postgres.kill(),
        }
    }

    pub(crate) fn revive(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Redis(redis) => redis.revive(),
            Self::Cluster(cluster) => cluster.revive(),
            Self::Postgres(postgres) => postgres.revive(),
        }
    }

    pub(crate) fn dump(&self) -> Vec<u8> {
        match self {
            Self::Nothing => vec![],
            Self::Redis(redis) => redis.dump(),
            Self::Cluster(cluster) => cluster.nodes.iter().flat_map(Redis::dump).collect(),
            Self::Postgres(postgres) => postgres.dump(),
        }
    }
}
