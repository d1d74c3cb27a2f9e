//! The hold of a store that is lent to the suite.

use std::io;
use std::sync::{Arc, Mutex};

use conformance::StoreControl;

use crate::ground::Ground;
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

    fn dump(&self) -> io::Result<Vec<u8>> {
        Ok(self.ground.lock().unwrap().dump())
    }
}
