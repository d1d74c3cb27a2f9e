//! A Redis of the test's own: a free port, an empty folder, gone with this value.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::PATIENCE;

pub(crate) struct Redis {
    child: Option<Child>,
    port: u16,
    /// Where the nodes of a cluster talk to this one.
    bus: Option<u16>,
    /// Where it tells the clients of its cluster to come.
    announced: Option<u16>,
    folder: TempDir,
}

/// Ports that are tried: it is a rare chance that somebody takes one first.
const ATTEMPTS: u32 = 10;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(|| None)
    }

    /// A node that is to be part of a cluster.
    pub(crate) fn start_clustered() -> Self {
        Self::start_with(|| Some(free_port()))
    }

    fn start_with(bus: fn() -> Option<u16>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Self { child: None, port: free_port(), bus: bus(), announced: None, folder };
        // A test beside this one may have been faster.
        for _ in 0..ATTEMPTS {
            if redis.runs() {
                return redis;
            }
            (redis.port, redis.bus) = (free_port(), bus());
        }
        panic!(
            "redis-server ends as soon as it is started, on {ATTEMPTS} ports: start it by hand in {:?}",
            redis.folder
        )
    }

    /// Where clients come.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Of a node of a cluster: where the other nodes come.
    pub(crate) fn bus(&self) -> u16 {
        self.bus.expect("a node of a cluster")
    }

    /// Of a node of a cluster: tells clients to come to this port instead, from now on.
    pub(crate) fn announce(&mut self, port: u16) {
        self.announced = Some(port);
        let mut set = redis::cmd("CONFIG");
        let () = set.arg("SET").arg("cluster-announce-port").arg(port).query(&mut self.connection()).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// A connection to look behind the server's back.
    pub(crate) fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match client.get_connection() {
                Ok(connection) => return connection,
                Err(error) => assert!(Instant::now() < deadline, "no Redis: {error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All that it holds, as it would lie on a disk.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let () = redis::cmd("SAVE").query(&mut self.connection()).unwrap();
        let file = self.folder.path().join("dump.rdb");
        let dump = std::fs::read(&file).unwrap();
        // It is to come back empty.
        std::fs::remove_file(file).unwrap();
        dump
    }

    /// Changes a setting while it runs.
    pub(crate) fn set(&self, name: &str, value: &str) {
        let () = redis::cmd("CONFIG").arg("SET").arg(name).arg(value).query(&mut self.connection()).unwrap();
    }

    /// Closes the connection of every client.
    pub(crate) fn close_clients(&self) {
        let mut connection = self.connection();
        for kind in ["normal", "pubsub"] {
            let mut kill = redis::cmd("CLIENT");
            let _: u64 = kill.arg("KILL").arg("TYPE").arg(kind).query(&mut connection).unwrap();
        }
    }

    /// How often each command was called since the last [`Redis::forget_calls`], without the bookkeeping.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut self.connection()).unwrap();
        let counts = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let own = name.starts_with("config") || name.starts_with("client") || name == "info";
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?)).filter(|_| !own)
        });
        counts.collect()
    }

    pub(crate) fn forget_calls(&self) {
        let () = redis::cmd("CONFIG").arg("RESETSTAT").query(&mut self.connection()).unwrap();
    }

    /// Lets this much time pass for every deadline: Redis has no clock that could be set.
    pub(crate) fn age(&self, seconds: u64) {
        let mut connection = self.connection();
        for key in self.keys() {
            let left_ms: i64 = redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
            assert!(left_ms > 0, "{key} has no deadline");
            let aged = left_ms - 1000 * seconds.cast_signed();
            let () = redis::cmd("PEXPIRE").arg(&key).arg(aged).query(&mut connection).unwrap();
        }
    }

    /// Every key, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut self.connection()).unwrap();
        keys.sort();
        keys
    }

    /// Ends the process, and with it all that it held.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it, empty, on the port it had.
    pub(crate) fn revive(&mut self) {
        assert!(self.runs(), "somebody has taken the port {} meanwhile", self.port);
    }

    /// Starts it, and waits until it answers; false if it has ended, because its port is taken.
    fn runs(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""]);
        command.args(["--appendonly", "no", "--rdbcompression", "no", "--dir"]).arg(self.folder.path());
        if let Some(bus) = self.bus {
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]);
            command.args(["--cluster-node-timeout", "2000"]);
            // Else a primary that learns from the others that its last slot was given away turns itself into a replica.
            command.args(["--cluster-allow-replica-migration", "no"]);
            command.args(["--cluster-announce-port", &self.announced.unwrap_or(self.port).to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = self.child.insert(command.spawn().expect("redis-server is installed"));
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/0", self.port)).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            // Not another test's, which listens there.
            let info = client.get_connection().and_then(|mut to| redis::cmd("INFO").arg("server").query(&mut to));
            let own = format!("process_id:{}\r\n", child.id());
            if info.is_ok_and(|info: String| info.contains(&own)) {
                return true;
            }
            assert!(Instant::now() < deadline, "Redis does not answer on the port {}", self.port);
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Sends the process a signal, such as `-STOP`: then it neither answers nor closes a connection.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
