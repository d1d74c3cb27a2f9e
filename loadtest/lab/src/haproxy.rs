//! A real `HAProxy` in front of servers.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::{Bounds, Child, Exited, Launch, LaunchError};
use crate::listener::{free_port, process_listening_at};

const READY_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);
/// Another program may take a free port before `HAProxy` does.
const ATTEMPTS: u32 = 5;
/// The cookie that identifies the server of a client.
const COOKIE: &str = "node";

/// Servers that share one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPool {
    /// Host and port of each.
    pub servers: Vec<String>,
    /// Whether a client stays with its server, which the cookie names; the others go round.
    pub sticky: bool,
}

/// One that balances. Dropping it stops it.
#[derive(Debug)]
pub struct Haproxy {
    process: Child,
    ports: Vec<u16>,
}

/// `HAProxy` is not installed.
#[derive(Debug, thiserror::Error)]
pub enum HaproxyError {
    /// It is not installed.
    #[error(
        "haproxy is not in PATH; install it (apt-get install haproxy; it is in /usr/sbin), or omit --balancer haproxy"
    )]
    Missing,
    /// It cannot be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It ended before it listened.
    #[error(transparent)]
    Exited(#[from] Exited),
    /// It did not listen in time.
    #[error("HAProxy did not listen within {seconds} s; see {log}", log = log.display())]
    Late {
        /// How long was waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// No port is free.
    #[error("cannot find a free port on 127.0.0.1: {0}; stop some of the programs that listen there")]
    NoPort(io::Error),
    /// Its configuration cannot be written.
    #[error("cannot write {path}: {source}; free disk space or set TMPDIR to another directory", path = path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Haproxy {
    /// Starts one for all these pools, with its configuration in `folder`, on free ports of loopback, within `bounds`.
    pub fn start(pools: &[ServerPool], folder: &Path, log: &Path, bounds: &Bounds) -> Result<Self, HaproxyError> {
        for _ in 1..ATTEMPTS {
            match Self::start_once(pools, folder, log, bounds) {
                Err(HaproxyError::Exited(exited)) if exited.tail.contains("Address already in use") => {}
                outcome => return outcome,
            }
        }
        Self::start_once(pools, folder, log, bounds)
    }

    fn start_once(pools: &[ServerPool], folder: &Path, log: &Path, bounds: &Bounds) -> Result<Self, HaproxyError> {
        let ports: Vec<u16> =
            pools.iter().map(|_| free_port().map_err(HaproxyError::NoPort)).collect::<Result<_, _>>()?;
        let path = folder.join("haproxy.cfg");
        let written = std::fs::write(&path, configuration(pools, &ports));
        written.map_err(|source| HaproxyError::Configuration { path: path.clone(), source })?;
        let launch = Launch {
            // In the foreground, and a word only where something is wrong.
            args: vec!["-db".into(), "-q".into(), "-f".into(), path.into()],
            bounds: bounds.clone(),
            ..Launch::new("haproxy", "haproxy".into(), log.to_owned())
        };
        let haproxy = Self { process: launch.start().map_err(missing)?, ports };
        haproxy.wait()?;
        Ok(haproxy)
    }

    /// Until it listens on every port itself.
    fn wait(&self) -> Result<(), HaproxyError> {
        let deadline = Instant::now() + READY_DEADLINE;
        let listens = |pool| process_listening_at(&self.base_url(pool)) == Some(self.process.pid());
        while !(0..self.ports.len()).all(listens) {
            self.process.check()?;
            if Instant::now() >= deadline {
                let log = self.process.log().to_owned();
                return Err(HaproxyError::Late { seconds: READY_DEADLINE.as_secs(), log });
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Where the pool with this number is reached, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn base_url(&self, pool: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[pool])
    }

    /// Its process.
    #[must_use]
    pub const fn process(&self) -> &Child {
        &self.process
    }
}

/// What a client of a sticky pool sends in its `Cookie` header to stay with the server with this number.
#[must_use]
pub fn cookie(server: usize) -> String {
    format!("{COOKIE}={server}")
}

/// One thread, so that it needs at most one CPU; no request is retried and no server is removed, so that
/// a failure is visible as such.
fn configuration(pools: &[ServerPool], ports: &[u16]) -> String {
    let mut text = "\
global
    nbthread 1
    maxconn 2000
defaults
    mode http
    balance roundrobin
    http-reuse always
    retries 0
    timeout connect 2s
    timeout client 1m
    timeout server 1m
"
    .to_owned();
    for (number, (pool, port)) in pools.iter().zip(ports).enumerate() {
        let mut line =
            |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("writing to a string does not fail");
        line(format_args!("listen pool-{number}"));
        line(format_args!("    bind 127.0.0.1:{port}"));
        if pool.sticky {
            // HAProxy sends it to a client without a server, and does not forward the cookie to the servers.
            line(format_args!("    cookie {COOKIE} insert indirect nocache"));
        }
        for (number, server) in pool.servers.iter().enumerate() {
            let cookie_option = if pool.sticky { format!(" cookie {number}") } else { String::new() };
            line(format_args!("    server server-{number} {server}{cookie_option}"));
        }
    }
    text
}

fn missing(error: LaunchError) -> HaproxyError {
    match error {
        LaunchError::Spawn { source, .. } if source.kind() == io::ErrorKind::NotFound => HaproxyError::Missing,
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sticky_pools_have_cookies() {
        let pool = |sticky| ServerPool { servers: vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()], sticky };
        let text = configuration(&[pool(false), pool(true)], &[7001, 7002]);
        let (_, pools) = text.split_once("listen pool-0\n").unwrap();
        assert_eq!(
            pools,
            "    bind 127.0.0.1:7001
    server server-0 127.0.0.1:1
    server server-1 127.0.0.1:2
listen pool-1
    bind 127.0.0.1:7002
    cookie node insert indirect nocache
    server server-0 127.0.0.1:1 cookie 0
    server server-1 127.0.0.1:2 cookie 1
"
        );
    }
}
