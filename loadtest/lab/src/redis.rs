//! A Redis for an experiment: a private one, or an external one that is left as it was found.

mod external;
mod info;
mod private;
mod run_keys;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::{Connection, ConnectionAddr, FromRedisValue, RedisError, ToRedisArgs};

use crate::authority::authority;
use crate::child::{Bounds, Child, Exited, LaunchError};
use crate::observe;

/// The time limit for connecting and for each response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long Redis may take to free the memory of deleted keys, and how often it is polled.
const MEMORY_FREE_TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(2);
const NO_ARGS: &[&str] = &[];

/// A connected Redis. Dropping it stops a private one, and removes the run's keys from an external one.
pub struct Redis {
    url: String,
    key_prefix: String,
    connection: Mutex<Connection>,
    version: String,
    pid: Option<u32>,
    process: Option<Child>,
    /// How a private one is started again.
    restart_spec: Option<private::RestartSpec>,
}

/// By hand, because the URL may hold a password.
impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = place(&self.url);
        f.debug_struct("Redis").field("place", &place).field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// The memory of a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisMemory {
    /// Memory allocated by its allocator (`used_memory`), in bytes.
    pub used_bytes: u64,
    /// Its resident set in bytes: from the kernel where it is on this machine, else what it last saw
    /// itself, up to 100 ms ago (`used_memory_rss`).
    pub rss_bytes: u64,
}

/// A Redis cannot be had or used. No text contains a password.
#[derive(Debug, thiserror::Error)]
pub enum UnusableRedis {
    /// `redis-server` is not installed.
    #[error(
        "redis-server is not installed; install it with `apt-get install redis-server` (scripts/bootstrap.sh does), or \
         set --redis-url to a running Redis"
    )]
    Missing,
    /// Its process cannot be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Its process ended.
    #[error(transparent)]
    Exited(#[from] Exited),
    /// It did not respond in time.
    #[error("the private Redis did not respond within {seconds} s; see {log}", log = log.display())]
    Late {
        /// How long was waited, in seconds.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// No free port was found for it.
    #[error("no free port for a private Redis: {0}")]
    NoPort(std::io::Error),
    /// The URL is none.
    #[error("the Redis URL is malformed: {0}; expected a URL such as redis://127.0.0.1:6379/0")]
    Url(RedisError),
    /// An external Redis cannot be reached.
    #[error(
        "cannot reach Redis at {place}: {}; check that it is running, and check address, database and password",
        line(.source)
    )]
    Unreachable {
        /// Its host and port, or its socket.
        place: String,
        /// Why.
        source: RedisError,
    },
    /// An external database is in use.
    #[error(
        "the Redis database at {place} has {keys} keys and may be in use; give an empty one (such as /1 at the end \
         of the URL), or pass --redis-in-use"
    )]
    NotEmpty {
        /// Its host and port, or its socket.
        place: String,
        /// Keys found.
        keys: u64,
    },
    /// The folder of a node cannot be made, or a file in it removed.
    #[error("cannot create or clean up {path}: {source}; free disk space or set TMPDIR to another directory")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The nodes of a cluster do not find together.
    #[error("the nodes of the private Redis Cluster did not form a cluster within {seconds} s; see its log")]
    NoAgreement {
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// Its keys are gone, and their memory is not.
    #[error("the private Redis did not free its memory within {seconds} s; see its log")]
    NotFreed {
        /// How long it was given.
        seconds: u64,
    },
    /// Emptying or ending a Redis that is not private.
    #[error("the Redis at {place} is not private, so authbench does not empty or stop it")]
    NotPrivate {
        /// Its host and port, or its socket.
        place: String,
    },
    /// It does not report its memory.
    #[error("Redis at {place} does not report {field}; Redis 4 or later is required")]
    Unreported {
        /// Its host and port, or its socket.
        place: String,
        /// The missing field of INFO.
        field: &'static str,
    },
    /// A command failed.
    #[error("Redis at {place} failed to execute {command}: {source}")]
    Command {
        /// Its host and port, or its socket.
        place: String,
        /// The command.
        command: String,
        /// Why.
        source: RedisError,
    },
}

/// Returns an error as one line: a response that is not from Redis is described in several.
fn line(error: &RedisError) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Redis {
    /// Starts a private one on a free port of loopback, which writes nothing to disk: working folder
    /// `folder`, output appended to `log`, within `bounds`.
    pub fn start(folder: &Path, log: &Path, bounds: &Bounds) -> Result<Self, UnusableRedis> {
        private::start(folder, log, bounds, false)
    }

    /// The same as a node of a cluster that is still to be formed.
    pub(crate) fn start_node(folder: &Path, log: &Path, bounds: &Bounds) -> Result<Self, UnusableRedis> {
        private::start(folder, log, bounds, true)
    }

    /// Uses a running one. Rejects a database that is not empty unless `allow_used`; accesses no
    /// keys except those under [`key_prefix`](Self::key_prefix), which no other run has.
    pub fn at(url: &str, allow_used: bool) -> Result<Self, UnusableRedis> {
        external::connect(url, allow_used)
    }

    /// Removes the keys that killed runs of this machine left in the Redis at `url`, and returns how many there were.
    pub fn reclaim(url: &str) -> Result<u64, UnusableRedis> {
        run_keys::reclaim(&mut external::open_connection(url)?, url)
    }

    /// Removes the keys of the run with this prefix from the Redis at `url`, and returns how many there were.
    pub fn reclaim_run(url: &str, key_prefix: &str) -> Result<u64, UnusableRedis> {
        run_keys::unlink_prefix(&mut external::open_connection(url)?, url, key_prefix)
    }

    /// Its URL, with the password if there is one.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the address of a private one; none for an external one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.process.as_ref().and_then(|_| authority(&self.url))
    }

    /// What the keys of this run begin with.
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// Its version, such as `7.0.15`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its process id, if it is on this machine.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Whether its process can be seen on this machine, and so its CPU clock and its memory.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.pid.is_some()
    }

    /// The process of a private one: check, suspend, stop.
    #[must_use]
    pub const fn process(&self) -> Option<&Child> {
        self.process.as_ref()
    }

    /// Its memory now.
    pub fn memory(&self) -> Result<RedisMemory, UnusableRedis> {
        let fields = self.info("memory")?;
        let reported = |field: &'static str| {
            let value = fields.get(field).and_then(|value| value.parse().ok());
            value.ok_or_else(|| UnusableRedis::Unreported { place: place(&self.url), field })
        };
        let seen = self.pid.and_then(|pid| observe::memory(pid).ok());
        let rss_bytes = seen.map_or_else(|| reported("used_memory_rss"), |memory| Ok(memory.rss_bytes))?;
        Ok(RedisMemory { used_bytes: reported("used_memory")?, rss_bytes })
    }

    /// Returns how often each command has been called since the server started, by name, without the `info`
    /// that this call sends.
    pub fn command_counts(&self) -> Result<BTreeMap<String, u64>, UnusableRedis> {
        Ok(info::command_counts(&self.info("commandstats")?))
    }

    /// Keys in the database.
    pub fn keys(&self) -> Result<u64, UnusableRedis> {
        self.command("DBSIZE", NO_ARGS)
    }

    /// Removes every key of a private Redis.
    pub fn flush(&self) -> Result<(), UnusableRedis> {
        self.private_process()?;
        // Freeing ten million keys takes longer than the time limit of a response.
        self.command::<()>("FLUSHALL", "ASYNC")?;
        let deadline = Instant::now() + MEMORY_FREE_TIMEOUT;
        while self.info("memory")?.get("lazyfree_pending_objects").is_some_and(|pending| pending != "0") {
            if Instant::now() >= deadline {
                return Err(UnusableRedis::NotFreed { seconds: MEMORY_FREE_TIMEOUT.as_secs() });
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Ends a private one as a crash would (SIGKILL): what it held is lost.
    pub fn crash(&self) -> Result<(), UnusableRedis> {
        self.private_process()?.kill();
        Ok(())
    }

    /// Shuts a private one down gracefully: its data is saved for [`restart`](Self::restart).
    pub fn shut_down(&self) -> Result<(), UnusableRedis> {
        private::shut_down(self, self.private_process()?)
    }

    /// Restarts an exited private one at the same address: with its data after a graceful shutdown, empty after
    /// a crash.
    pub fn restart(&mut self) -> Result<(), UnusableRedis> {
        private::restart(self)
    }

    fn private_process(&self) -> Result<&Child, UnusableRedis> {
        self.process.as_ref().ok_or_else(|| UnusableRedis::NotPrivate { place: place(&self.url) })
    }

    /// Removes the keys of this run, and no others, and returns their number.
    pub fn clear(&self) -> Result<u64, UnusableRedis> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        run_keys::unlink_prefix(&mut connection, &self.url, &self.key_prefix)
    }

    /// The port of a node, as text.
    pub(crate) fn port(&self) -> Result<String, UnusableRedis> {
        self.setting("port")
    }

    /// The port on which the other nodes of a cluster reach this one, as text.
    pub(crate) fn bus_port(&self) -> Result<String, UnusableRedis> {
        self.setting("cluster-port")
    }

    fn setting(&self, name: &'static str) -> Result<String, UnusableRedis> {
        let [_, value]: [String; 2] = self.command("CONFIG", &["GET", name])?;
        Ok(value)
    }

    fn info(&self, section: &str) -> Result<BTreeMap<String, String>, UnusableRedis> {
        self.command::<String>("INFO", section).map(|text| info::parse(&text))
    }

    pub(crate) fn command<T: FromRedisValue>(&self, name: &str, args: impl ToRedisArgs) -> Result<T, UnusableRedis> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        run_command(&mut connection, &self.url, name, args)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.process.is_none() {
            // It cannot be reported any more. The next run removes what stays.
            let _ = self.clear();
        }
    }
}

fn open(url: &str) -> Result<Connection, RedisError> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    Ok(connection)
}

fn run_command<T: FromRedisValue>(
    connection: &mut Connection,
    url: &str,
    name: &str,
    args: impl ToRedisArgs,
) -> Result<T, UnusableRedis> {
    let failed = |source| UnusableRedis::Command { place: place(url), command: name.to_owned(), source };
    let mut command = redis::cmd(name);
    command.arg(args);
    match command.query(connection) {
        // The store may have closed an idle connection, and a process that was stopped and continued finds its wait
        // interrupted, signal(7). The command is sent again over a new connection; this one may still get a late
        // response.
        Err(error) if error.is_io_error() && !error.is_timeout() => {
            *connection = open(url).map_err(failed)?;
            command.query(connection)
        }
        result => result,
    }
    .map_err(failed)
}

/// Where a URL leads, without the password that may be in it.
fn place(url: &str) -> String {
    redis::Client::open(url)
        .map_or_else(|_| "a malformed URL".to_owned(), |client| client.get_connection_info().addr().to_string())
}

fn is_loopback(address: &ConnectionAddr) -> bool {
    match address {
        ConnectionAddr::Tcp(host, _) => {
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        ConnectionAddr::Unix(_) => true,
        _ => false,
    }
}
