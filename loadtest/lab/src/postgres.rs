//! A private `PostgreSQL`: a new database cluster in a directory that is removed with the run.

pub mod installed;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use postgres::{Client, NoTls};

use crate::child::{Bounds, Child, Exited, Launch, LaunchError};
use crate::listener::free_port;
use crate::observe;

use installed::{init, prepare, program, unprivileged};

const READY_DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// What it takes of its data to the last row that a scheme keeps there.
const TABLES: [&str; 2] = ["authbench_sessions", "authbench_users"];

/// A running database. Dropping it stops it.
pub struct Postgres {
    process: Child,
    client: Mutex<Client>,
    url: String,
    version: String,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The memory of a `PostgreSQL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresMemory {
    /// Bytes of our tables and their indexes, most of them in its buffers.
    pub used_bytes: u64,
    /// The proportional sets of all its processes, in bytes, or their resident sets where the former cannot be read.
    pub rss_bytes: u64,
}

/// A database cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// `initdb` or `postgres` is not installed.
    #[error("PostgreSQL is not installed; install it with `apt-get install postgresql` (scripts/bootstrap.sh does)")]
    Missing,
    /// It does not run as root, and there is no other user for it.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody; create one of them"
    )]
    NoAccount,
    /// Its folder cannot be made, or not given away.
    #[error("cannot create the directory {path} for PostgreSQL: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The fresh databases cannot be made.
    #[error(
        "initdb failed: {output}; if {user} has no access to {path}, set TMPDIR to a directory that all users can access"
    )]
    Init {
        /// Its last words.
        output: String,
        /// The user that it ran as.
        user: String,
        /// Where.
        path: PathBuf,
    },
    /// No free port was found for it.
    #[error("no free port for PostgreSQL: {0}")]
    NoPort(io::Error),
    /// Its process cannot be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Its process ended.
    #[error(transparent)]
    Exited(#[from] Exited),
    /// It did not respond in time.
    #[error("PostgreSQL did not respond within {seconds} s; see {log}", log = log.display())]
    Late {
        /// How long was waited, in seconds.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// A statement failed.
    #[error("a PostgreSQL statement failed: {0}")]
    Statement(#[from] postgres::Error),
    /// A process of it cannot be observed.
    #[error("cannot read the memory of PostgreSQL's process {pid}: {source}")]
    Memory {
        /// Which.
        pid: u32,
        /// Why.
        source: io::Error,
    },
}

impl Postgres {
    /// Makes databases in `folder`, which others must be able to pass through if this program is root, and serves them
    /// on a free port of loopback, within `bounds`, with every setting that matters to speed and
    /// durability as installed.
    pub fn start(folder: &Path, log: &Path, bounds: &Bounds) -> Result<Self, PostgresError> {
        let account = unprivileged()?;
        let data = folder.join("data");
        prepare(folder, account.as_ref())?;
        init(&data, account.as_ref())?;
        let port = free_port().map_err(PostgresError::NoPort)?;
        let launch = Launch {
            args: args(&data, folder, port),
            bounds: bounds.clone(),
            user: account.map(|(account, _)| account),
            // Fast shutdown: it does not wait for its clients to leave.
            stop_signal: Signal::SIGINT,
            ..Launch::new("postgres", program("postgres"), log.to_owned())
        };
        let process = launch.start().map_err(missing)?;
        let url = format!("postgresql://authbench@127.0.0.1:{port}/postgres");
        let mut client = wait(&process, &url)?;
        let version: String = client.query_one("SHOW server_version", &[])?.get(0);
        Ok(Self { process, client: Mutex::new(client), url, version })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its version, such as `15.14`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.version.split(' ').next().unwrap_or_default()
    }

    /// Its main process: check, suspend, stop.
    #[must_use]
    pub const fn process(&self) -> &Child {
        &self.process
    }

    /// Its processes as they are now: one a connection, and those that keep house.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let main = self.process.pid();
        let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        std::iter::once(main).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    /// Its memory now.
    pub fn memory(&self) -> Result<PostgresMemory, PostgresError> {
        let mut rss_bytes = 0;
        for pid in self.pids() {
            // A process that kept house may be gone by now.
            if let Ok(memory) = observe::memory(pid) {
                rss_bytes += memory.pss_bytes.unwrap_or(memory.rss_bytes);
            }
        }
        let mut used_bytes = 0;
        for table in TABLES {
            let size = "SELECT coalesce(pg_total_relation_size(to_regclass($1)), 0)";
            used_bytes += self.client().query_one(size, &[&table])?.get::<_, i64>(0).cast_unsigned();
        }
        Ok(PostgresMemory { used_bytes, rss_bytes })
    }

    /// Empties our tables, if they are there.
    pub fn clear(&self) -> Result<(), PostgresError> {
        for table in TABLES {
            let exists: bool = self.client().query_one("SELECT to_regclass($1) IS NOT NULL", &[&table])?.get(0);
            if exists {
                self.client().batch_execute(&format!("TRUNCATE {table}"))?;
            }
        }
        Ok(())
    }

    fn client(&self) -> std::sync::MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loopback, and a socket in its own folder.
fn args(data: &Path, folder: &Path, port: u16) -> Vec<std::ffi::OsString> {
    let port = port.to_string();
    let mut args: Vec<std::ffi::OsString> = vec!["-D".into(), data.into(), "-k".into(), folder.into()];
    args.extend(["-p", &port, "-c", "listen_addresses=127.0.0.1"].map(Into::into));
    args
}

fn wait(process: &Child, url: &str) -> Result<Client, PostgresError> {
    let deadline = Instant::now() + READY_DEADLINE;
    while Instant::now() < deadline {
        process.check()?;
        if let Ok(client) = Client::connect(url, NoTls) {
            return Ok(client);
        }
        sleep(POLL);
    }
    Err(PostgresError::Late { seconds: READY_DEADLINE.as_secs(), log: process.log().to_owned() })
}

fn missing(error: LaunchError) -> PostgresError {
    match error {
        LaunchError::Spawn { source, .. } if source.kind() == io::ErrorKind::NotFound => PostgresError::Missing,
        other => other.into(),
    }
}
