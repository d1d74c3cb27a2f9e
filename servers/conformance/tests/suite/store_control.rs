//! The control of a store for the suite.

use std::io;
use std::sync::{Arc, Mutex};

use conformance::StoreControl;

use crate::relay::Relays;
use testkit::backend::Backend;

/// The store and its links.
pub(crate) struct TestStoreControl {
    pub(crate) backend: Arc<Mutex<Backend>>,
    /// The links of the last server.
    pub(crate) relays: Arc<Relays>,
}

impl StoreControl for TestStoreControl {
    fn suspend(&self) -> io::Result<()> {
        self.backend.lock().unwrap().suspend();
        Ok(())
    }

    fn resume(&self) -> io::Result<()> {
        self.backend.lock().unwrap().resume();
        Ok(())
    }

    fn stop(&self) -> io::Result<()> {
        self.backend.lock().unwrap().kill();
        Ok(())
    }

    fn start(&self) -> io::Result<()> {
        self.backend.lock().unwrap().restart();
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

    fn reject_writes(&self) -> io::Result<()> {
        self.limit_memory("1")
    }

    fn accept_writes(&self) -> io::Result<()> {
        self.limit_memory("0")
    }

    fn dump(&self) -> io::Result<Vec<u8>> {
        Ok(self.backend.lock().unwrap().dump())
    }
}

impl TestStoreControl {
    /// Sets the memory limit of a Redis in bytes; 0 is no limit. Over it only commands that free memory are accepted.
    fn limit_memory(&self, bytes: &str) -> io::Result<()> {
        let backend = self.backend.lock().unwrap();
        let nodes = backend.redis_nodes();
        if nodes.is_empty() {
            return Err(io::Error::other("only a full Redis accepts deletions but no other writes"));
        }
        for node in nodes {
            node.set("maxmemory", bytes);
        }
        Ok(())
    }
}
