//! What a scheme's servers stand on, and the suite's hold of it.

use std::io;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};

use conformance::StoreControl;
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
    /// the suite; then it is started on others.
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

    fn signal(&self, name: &str) {
        match self {
            Self::Nothing => {}
            Self::Redis(redis) => redis.signal(name),
            Self::Cluster(cluster) => cluster.nodes.iter().for_each(|node| node.signal(name)),
            Self::Postgres(postgres) => postgres.signal(name),
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Redis(redis) => redis.kill(),
            Self::Cluster(cluster) => cluster.nodes.iter_mut().for_each(Redis::kill),
            Self::Postgres(postgres) => postgres.kill(),
        }
    }

    fn revive(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Redis(redis) => redis.revive(),
            Self::Cluster(cluster) => cluster.revive(),
            Self::Postgres(postgres) => postgres.revive(),
        }
    }

    fn dump(&self) -> Vec<u8> {
        match self {
            Self::Nothing => vec![],
            Self::Redis(redis) => redis.dump(),
            Self::Cluster(cluster) => cluster.nodes.iter().flat_map(Redis::dump).collect(),
            Self::Postgres(postgres) => postgres.dump(),
        }
    }
}

/// What is lent to the suite.
pub(crate) struct Hold(pub(crate) Arc<Mutex<Ground>>);

impl StoreControl for Hold {
    fn suspend(&self) -> io::Result<()> {
        self.0.lock().unwrap().signal("-STOP");
        Ok(())
    }

    fn resume(&self) -> io::Result<()> {
        self.0.lock().unwrap().signal("-CONT");
        Ok(())
    }

    fn stop(&self) -> io::Result<()> {
        self.0.lock().unwrap().kill();
        Ok(())
    }

    fn start(&self) -> io::Result<()> {
        self.0.lock().unwrap().revive();
        Ok(())
    }

    fn dump(&self) -> io::Result<Vec<u8>> {
        Ok(self.0.lock().unwrap().dump())
    }
}
