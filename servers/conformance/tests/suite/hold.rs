//! The hold of a store that is lent to the suite.

use std::io;
use std::sync::{Arc, Mutex};

use conformance::StoreControl;

use crate::ground::Ground;

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
