//! A server process with a log file that the suite can read while the server runs.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use conformance::MemoryGauge;
use serde_json::Value;

/// A running server, killed when this value is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this binary; returns its exit code if it exits.
    pub(crate) fn start(binary: &Path, flags: &[String], log: &Path) -> Result<Self, i32> {
        let mut command = Command::new(binary);
        command.args(flags).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(log).unwrap());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match serde_json::from_str::<Value>(&line) {
            Ok(ready) => Ok(Self { child, address: ready["listening"].as_str().unwrap().parse().unwrap() }),
            Err(_) => Err(child.wait().unwrap().code().unwrap_or(-1)),
        }
    }

    /// Reads its memory use.
    pub(crate) fn memory(&self) -> MemoryGauge {
        let pid = self.child.id();
        Box::new(move || Ok(lab::observe::memory(pid)?.rss_bytes))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
