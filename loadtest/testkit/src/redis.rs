//! A Redis of the test's own: a free port, an empty folder, gone with this value.

use std::collections::BTreeMap;

use lab::child::{Child, Launch};
use lab::listener::free_port;
use tempfile::TempDir;

use crate::wait_until;

/// A Redis that responds.
pub struct Redis {
    process: Option<Child>,
    port: u16,
    /// Where the nodes of a cluster reach this one.
    bus: Option<u16>,
    /// Where it sends the clients of its cluster.
    announced_port: Option<u16>,
    folder: TempDir,
}

/// Ports that are tried: only rarely is a free port taken before it is used.
const ATTEMPTS: u32 = 10;

impl Redis {
    /// Starts one on its own.
    pub fn start() -> Self {
        Self::start_with(|| None)
    }

    /// Starts a node that is to be part of a cluster.
    pub fn start_clustered() -> Self {
        Self::start_with(|| Some(free_port().unwrap()))
    }

    fn start_with(bus: fn() -> Option<u16>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Self { process: None, port: free_port().unwrap(), bus: bus(), announced_port: None, folder };
        // Another test may have taken the port.
        for _ in 0..ATTEMPTS {
            if redis.try_start() {
                return redis;
            }
            (redis.port, redis.bus) = (free_port().unwrap(), bus());
        }
        panic!("redis-server exits at once on {ATTEMPTS} ports: start it by hand in {:?} to see why", redis.folder)
    }

    /// Returns where clients connect.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns where the other nodes of its cluster connect.
    pub fn bus(&self) -> u16 {
        self.bus.expect("a node of a cluster")
    }

    /// Has a node of a cluster send clients to this port instead, from now on.
    pub fn announce(&mut self, port: u16) {
        self.announced_port = Some(port);
        self.set("cluster-announce-port", &port.to_string());
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Opens a connection that bypasses the server under test.
    pub fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = None;
        wait_until("Redis accepts a connection", || {
            connection = client.get_connection().ok();
            connection.is_some()
        });
        connection.expect("the process has been waited for")
    }

    /// Returns all that it holds, as it would lie on a disk.
    pub fn dump(&self) -> Vec<u8> {
        let () = redis::cmd("SAVE").query(&mut self.connection()).unwrap();
        let file = self.folder.path().join("dump.rdb");
        let dump = std::fs::read(&file).unwrap();
        // It has to start empty.
        std::fs::remove_file(file).unwrap();
        dump
    }

    /// Changes a setting while it runs.
    pub fn set(&self, name: &str, value: &str) {
        let () = redis::cmd("CONFIG").arg("SET").arg(name).arg(value).query(&mut self.connection()).unwrap();
    }

    /// Closes the connection of every client.
    pub fn close_clients(&self) {
        let mut connection = self.connection();
        for kind in ["normal", "pubsub"] {
            let mut kill = redis::cmd("CLIENT");
            let _: u64 = kill.arg("KILL").arg("TYPE").arg(kind).query(&mut connection).unwrap();
        }
    }

    /// Returns how often each command was called since the last [`Redis::reset_calls`], without the bookkeeping.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut self.connection()).unwrap();
        let counts = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let is_bookkeeping = name.starts_with("config") || name.starts_with("client") || name == "info";
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?)).filter(|_| !is_bookkeeping)
        });
        counts.collect()
    }

    /// Sets the counts of [`Redis::calls`] to zero.
    pub fn reset_calls(&self) {
        let () = redis::cmd("CONFIG").arg("RESETSTAT").query(&mut self.connection()).unwrap();
    }

    /// Lets this much time pass for every deadline: Redis has no clock that could be set.
    pub fn advance_deadlines(&self, seconds: u64) {
        let mut connection = self.connection();
        for key in self.keys() {
            let left_ms: i64 = redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
            assert!(left_ms > 0, "{key} has no deadline");
            let aged = left_ms - 1000 * seconds.cast_signed();
            let () = redis::cmd("PEXPIRE").arg(&key).arg(aged).query(&mut connection).unwrap();
        }
    }

    /// Returns every key, in order.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut self.connection()).unwrap();
        keys.sort();
        keys
    }

    /// Ends the process as a crash would, and with it all that it held.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it, empty, on the port it had.
    pub fn restart(&mut self) {
        assert!(self.try_start(), "the port {} is in use", self.port);
    }

    /// Starts it, and waits until it responds; returns false if it has exited, because its port is in use.
    fn try_start(&mut self) -> bool {
        let port = self.port.to_string();
        let mut args = vec!["--bind", "127.0.0.1", "--port", &port, "--save", ""];
        args.extend(["--appendonly", "no", "--rdbcompression", "no", "--dir", self.folder.path().to_str().unwrap()]);
        let (bus, announced_port) =
            (self.bus.map(|bus| bus.to_string()), self.announced_port.unwrap_or(self.port).to_string());
        if let Some(bus) = &bus {
            args.extend(["--cluster-enabled", "yes", "--cluster-port", bus]);
            args.extend(["--cluster-node-timeout", "2000"]);
            // Without this a primary that learns from the others that its last slot was given away becomes a replica.
            args.extend(["--cluster-allow-replica-migration", "no"]);
            args.extend(["--cluster-announce-port", &announced_port]);
        }
        let launch = Launch {
            args: args.into_iter().map(Into::into).collect(),
            ..Launch::new("redis-server", "redis-server".into(), self.folder.path().join("log"))
        };
        let process = self.process.insert(launch.start().expect("redis-server is installed"));
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/0", self.port)).unwrap();
        let process_line = format!("process_id:{}\r\n", process.pid());
        let mut responds = false;
        wait_until("Redis responds on its port", || {
            // Another test's Redis may listen there.
            let info = client.get_connection().and_then(|mut to| redis::cmd("INFO").arg("server").query(&mut to));
            responds = info.is_ok_and(|info: String| info.contains(&process_line));
            responds || process.check().is_err()
        });
        responds
    }

    /// Stops the process (SIGSTOP): it neither responds nor closes a connection.
    pub fn suspend(&self) {
        self.process.as_ref().expect("Redis is running").suspend().unwrap();
    }

    /// Ends a [`suspend`](Self::suspend).
    pub fn resume(&self) {
        self.process.as_ref().expect("Redis is running").resume().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
