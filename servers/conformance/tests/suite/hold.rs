//! The hold of a store that is lent to the suite.

use std::io;
use std::sync::{Arc, Mutex};

use conformance::StoreControl;

use crate::ground::Ground;
use crate::redis_process::Redis;
use crate::relay::Relays;

/// What is lent to the suite.
pub(crate) struct Hold {
    pub(crate) ground: Arc<Mutex<Ground>>,
    /// The ways of the last server.
    pub(crate) relays: Arc<Relays>,
}

impl StoreControl for Hold {
    fn suspend(&self) -> io::Result<()> {
        self.ground.lock().unwrap().signal("-STOP");
        Ok(())
    }

    fn resume(&self) -> io::Result<()> {
        self.ground.lock().unwrap().signal("-CONT");
        Ok(())
    }

    fn stop(&self) -> io::Result<()> {
        self.ground.lock().unwrap().kill();
        Ok(())
    }

    fn start(&self) -> io::Result<()> {
        self.ground.lock().unwrap().revive();
        Ok(())
    }

    fn cut(&self) -> io::Result<()> {
        self.relays.cut();
        Ok(())
    }

    fn heal(&self) -> io::Result<()> {
        self.relays.heal();
        Ok(())
    }

    fn refuse_writes(&self) -> io::Result<()> {
        self.limit_memory("1")
    }

    fn accept_writes(&self) -> io::Result<()> {
        self.limit_memory("0")
    }

    fn dump(&self) -> io::Result<Vec<u8>> {
        Ok(self.ground.lock().unwrap().dump())
    }
}

impl Hold {
    /// Sets the bytes that a Redis may hold; 0 is no limit. Over the limit it takes what frees memory and nothing else.
    fn limit_memory(&self, bytes: &str) -> io::Result<()> {
        match &*self.ground.lock().unwrap() {
            Ground::Redis(redis) => limit(redis, bytes),
            Ground::Cluster(cluster) => cluster.nodes.iter().for_each(|node| limit(node, bytes)),
            Ground::Nothing | Ground::Postgres(_) => {
                return Err(io::Error::other("only a full Redis takes deletions and no other writes"));
            }
        }
        Ok(())
    }
}

fn limit(redis: &Redis, bytes: &str) {
    let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).query(&mut redis.connection()).unwrap();
}
