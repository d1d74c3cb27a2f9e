//! A reference server as a process: started, ready, and checked to be the requested one.

mod binary;
mod ready;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::{Carrier, Scheme, SchemeDescriptor, Touch};

use self::ready::Ready;
use crate::child::{Bounds, Child, Exited, Launch, LaunchError};
use crate::http::{Client, HttpError};

pub use binary::{BIN_DIR, MissingBinary, locate};

/// How long a server may take from its start until it is ready: it hashes a password and may make an RSA key.
pub const READY_DEADLINE: Duration = Duration::from_secs(30);
/// The same under a wrapper such as valgrind, which makes it many times as slow.
const WRAPPED_READY_DEADLINE: Duration = Duration::from_mins(3);

/// What to start.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// Which scheme; it also decides which binary.
    pub scheme: Scheme,
    /// Where the credential travels.
    pub carrier: Carrier,
    /// The environment variable and the URL that name the store; none for a scheme that has none apart.
    pub store_url: Option<(&'static str, String)>,
    /// What every key in the store begins with.
    pub key_prefix: String,
    /// How many users are seeded.
    pub users: u32,
    /// How many roles an ordinary user has.
    pub roles: u16,
    /// When a session's idle limit is pushed back.
    pub touch: Touch,
    /// Seconds that a credential lives; none leaves it to the scheme.
    pub credential_ttl_s: Option<u64>,
    /// What the server calls itself among several like it.
    pub node: String,
    /// What it may use of the machine.
    pub bounds: Bounds,
    /// The environment variable and the path of its key; without it the server generates a key that it does not share.
    pub key: Option<(&'static str, PathBuf)>,
    /// Where it listens; with port 0 the kernel chooses a free one.
    pub listen: SocketAddr,
    /// Threads that serve requests; none leaves it to the server.
    pub workers: Option<u32>,
    /// Further settings: environment variables and their values, such as `AUTHBENCH_EPOCH_TTL_S`.
    pub settings: Vec<(&'static str, String)>,
    /// Further flags, each with its value, such as `--next-hop`.
    pub flags: Vec<(&'static str, String)>,
    /// The program that runs the server's binary; none runs it directly.
    pub wrapper: Option<Wrapper>,
    /// The file that its output is appended to.
    pub log: PathBuf,
}

/// A program that runs another one in its own process, such as valgrind.
#[derive(Clone, Debug)]
pub struct Wrapper {
    /// A path, or a name to be found in `PATH`.
    pub program: PathBuf,
    /// Its arguments; those of the other program follow, its path first.
    pub args: Vec<OsString>,
}

impl ServerSpec {
    /// The server of this scheme with every default, unpinned, logging to `log`.
    #[must_use]
    pub fn new(scheme: Scheme, log: PathBuf) -> Self {
        Self {
            scheme,
            carrier: Carrier::default(),
            store_url: None,
            key_prefix: "authbench:".to_owned(),
            users: contract::user::DEFAULT_USERS,
            roles: contract::user::DEFAULT_ROLES,
            touch: Touch::default(),
            credential_ttl_s: None,
            node: "node-1".to_owned(),
            bounds: Bounds::default(),
            key: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            workers: None,
            settings: Vec::new(),
            flags: Vec::new(),
            wrapper: None,
            log,
        }
    }

    fn args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--bench".into()];
        let mut flag = |name: &str, value: &str| args.extend([name.into(), value.into()]);
        flag("--listen", &self.listen.to_string());
        flag("--scheme", self.scheme.id());
        flag("--carrier", &self.carrier.to_string());
        flag("--key-prefix", &self.key_prefix);
        flag("--users", &self.users.to_string());
        flag("--roles", &self.roles.to_string());
        flag("--touch", &self.touch.to_string());
        flag("--node", &self.node);
        if let Some(ttl_s) = self.credential_ttl_s {
            flag("--credential-ttl-s", &ttl_s.to_string());
        }
        if let Some(workers) = self.workers {
            flag("--workers", &workers.to_string());
        }
        for (name, value) in &self.flags {
            flag(name, value);
        }
        args
    }

    /// The URL may hold a password, and arguments are visible to every user.
    fn env(&self) -> Vec<(OsString, OsString)> {
        let store = self.store_url.iter().map(|(name, url)| (name.into(), url.into()));
        let key = self.key.iter().map(|(name, path)| (name.into(), path.into()));
        store.chain(key).chain(self.settings.iter().map(|(name, value)| (name.into(), value.into()))).collect()
    }

    /// Returns the first property in which the server's own description differs from the requested one.
    fn mismatch(&self, found: &SchemeDescriptor) -> Option<Mismatch> {
        let pairs = [
            ("scheme", self.scheme.id().to_owned(), found.scheme.clone()),
            ("carrier", self.carrier.to_string(), found.carrier.to_string()),
            ("store", self.scheme.store().to_string(), found.store.to_string()),
            ("users", self.users.to_string(), found.users.to_string()),
            ("roles", self.roles.to_string(), found.roles.to_string()),
            // A scheme without sessions has nothing to touch.
            ("touch", self.touch.to_string(), found.touch.unwrap_or(self.touch).to_string()),
            ("node", self.node.clone(), found.node.clone()),
        ];
        let wrong = pairs.into_iter().find(|(_, requested, found)| requested != found);
        wrong.map(|(what, requested, found)| Mismatch { what, requested, found })
    }
}

/// A property of a server that differs from the requested one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The fact's name.
    pub what: &'static str,
    /// The requested value.
    pub requested: String,
    /// What the server reports.
    pub found: String,
}

/// A server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its binary is not there.
    #[error(transparent)]
    Missing(#[from] MissingBinary),
    /// Its process cannot be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It ended before it was ready.
    #[error(transparent)]
    Exited(#[from] Exited),
    /// It did not report its address in time, or did not become ready.
    #[error("{name} did not {what} within {seconds} s; see {log}", log = log.display())]
    Late {
        /// The server.
        name: String,
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// It does not report its scheme.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is not the requested server.
    #[error(
        "{program} was started with {what} {requested:?} but reports {found:?}; rebuild the whole workspace",
        program = program.display(), what = mismatch.what, requested = mismatch.requested, found = mismatch.found
    )]
    Mismatch {
        /// The binary.
        program: PathBuf,
        /// What differs.
        mismatch: Mismatch,
    },
}

/// A server that is ready. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    descriptor: SchemeDescriptor,
    readiness_polls: u32,
}

impl Server {
    /// Starts the scheme's own binary, see [`locate`], and waits until it is ready.
    pub fn start(spec: &ServerSpec) -> Result<Self, ServerError> {
        Self::start_program(&locate(spec.scheme.binary())?, spec)
    }

    /// Starts this binary and waits until it is ready.
    pub fn start_program(program: &Path, spec: &ServerSpec) -> Result<Self, ServerError> {
        let name = format!("{} ({})", spec.scheme.binary(), spec.scheme);
        let (first, mut args) = match &spec.wrapper {
            None => (program.to_owned(), Vec::new()),
            Some(wrapper) => (wrapper.program.clone(), [&wrapper.args[..], &[program.into()]].concat()),
        };
        args.extend(spec.args());
        let launch = Launch {
            args,
            env: spec.env(),
            bounds: spec.bounds.clone(),
            ..Launch::new(&name, first, spec.log.clone())
        };
        let child = launch.start()?;
        let deadline = if spec.wrapper.is_some() { WRAPPED_READY_DEADLINE } else { READY_DEADLINE };
        let Ready { address, polls } = ready::wait(&child, deadline)?;
        let descriptor = Client::new(&base_url(address)).scheme()?;
        match spec.mismatch(&descriptor) {
            Some(mismatch) => Err(ServerError::Mismatch { program: program.to_owned(), mismatch }),
            None => Ok(Self { child, address, descriptor, readiness_polls: polls }),
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        base_url(self.address)
    }

    /// Returns its own description.
    #[must_use]
    pub const fn descriptor(&self) -> &SchemeDescriptor {
        &self.descriptor
    }

    /// How many requests it took to see that it was ready: each of them is work.
    #[must_use]
    pub const fn readiness_polls(&self) -> u32 {
        self.readiness_polls
    }

    /// Its process: id, check, suspend, stop.
    #[must_use]
    pub const fn process(&self) -> &Child {
        &self.child
    }

    /// A client of this server.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.base_url())
    }
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}")
}
