//! Servers of one scheme on the backend that they need, as a subject of the suite.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use conformance::{Extent, Report, SigningKeys, StartOutcome, Starter, Subject};
use contract::{Algorithm, Carrier, EarlyRevocation, Kind, Scheme, SessionBackend};
use tempfile::TempDir;

use crate::relay::Relays;
use crate::server::Server;
use crate::store_control::TestStoreControl;
use testkit::backend::Backend;
use testkit::program::program;

/// Keys without any value, generated for the tests of `jwt`.
const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jwt/tests/suite/keys");

/// Running servers and everything that they depend on.
pub(crate) struct Testbed {
    nodes: Vec<Server>,
    backend: Arc<Mutex<Backend>>,
    relays: Arc<Relays>,
    keys: Option<(&'static str, PathBuf)>,
    command: ServerCommand,
    folder: TempDir,
}

/// A program with the flags of its scheme, without backend and keys.
#[derive(Clone)]
struct ServerCommand {
    program: PathBuf,
    flags: Vec<String>,
}

impl Testbed {
    /// The server of this scheme as it is shipped; two of them where they share a store.
    pub(crate) fn of(scheme: Scheme, carrier: Carrier) -> Self {
        let nodes = if scheme.store().is_external() { 2 } else { 1 };
        Self::with(program(scheme.binary()), scheme, carrier, nodes, &[])
    }

    /// Starts this many servers of another program that accepts the same flags and some more.
    pub(crate) fn with(program: PathBuf, scheme: Scheme, carrier: Carrier, nodes: usize, more: &[&str]) -> Self {
        let (mut backend, keys) = (Backend::of(scheme), key_file(scheme));
        let relays = Relays::to(&mut backend);
        let command = ServerCommand { program, flags: flags(scheme, carrier, more) };
        let folder = tempfile::tempdir().unwrap();
        let key_flags = keys.iter().flat_map(|(flag, path)| [(*flag).to_owned(), path.display().to_string()]);
        let own_flags: Vec<_> = command.flags.iter().cloned().chain(key_flags).collect();
        let start = |node: usize| {
            let log = folder.path().join(format!("log-{node}"));
            // The last one can be cut off from the store.
            let backend_flags = if node + 1 == nodes { relays.redirect(backend.flags()) } else { backend.flags() };
            let server = Server::start(&command.program, &[own_flags.as_slice(), &backend_flags].concat(), &log);
            server.unwrap_or_else(|code| panic!("{scheme}: {code}: {}", std::fs::read_to_string(&log).unwrap()))
        };
        let nodes = (0..nodes).map(start).collect();
        Self { nodes, backend: Arc::new(Mutex::new(backend)), relays: Arc::new(relays), keys, command, folder }
    }

    /// Returns the address of the first server.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.nodes[0].address
    }

    /// Returns the warnings of the servers, line by line.
    pub(crate) fn warnings(&self) -> String {
        let log = |node| std::fs::read_to_string(self.folder.path().join(format!("log-{node}"))).unwrap();
        let logs: Vec<String> = (0..self.nodes.len()).map(log).collect();
        // Everything but debug output: a panic is not a line in the log's own format.
        let is_not_debug = |line: &&str| !line.contains("DEBUG") && !line.contains("INFO");
        logs.iter().flat_map(|log| log.lines()).filter(is_not_debug).collect::<Vec<_>>().join("\n")
    }

    /// Returns the subject with everything that can be given to the suite.
    pub(crate) fn subject(&self) -> Subject {
        let without = matches!(*self.backend.lock().unwrap(), Backend::NoStore);
        let starter =
            OtherServerStarter { command: self.command.clone(), backend: self.backend.lock().unwrap().flags() };
        Subject {
            nodes: self.nodes.iter().map(|node| node.address.into()).collect(),
            keys: self.keys.as_ref().map(|(flag, path)| signing_keys(flag, &std::fs::read(path).unwrap())),
            store: (!without).then(|| Box::new(self.store_control()) as _),
            log: Some(self.folder.path().join("log-0")),
            starter: Some(Box::new(starter)),
            memory: Some(self.nodes[0].memory()),
            refresh_grace_s: 0,
            extent: extent(),
        }
    }
}

impl Testbed {
    fn store_control(&self) -> TestStoreControl {
        TestStoreControl { backend: Arc::clone(&self.backend), relays: Arc::clone(&self.relays) }
    }
}

/// Less of what is expensive: what shows in a hundred thousand mostly shows in two thousand.
pub(crate) const SMALL: Extent = Extent { minted: 2000, logins: 10, unknown_kids: 50, mutations: 500, half_open_s: 30 };

/// Whether every scheme is checked with both carriers and every broken server by every check, as `scripts/test.sh --full`
/// does.
pub(crate) fn is_full() -> bool {
    std::env::var_os("FULL_TESTS").is_some()
}

/// Whether the number of requests is that of the security table, and passwords are hashed as in production.
pub(crate) fn has_full_extent() -> bool {
    std::env::var_os("CONFORMANCE_EXTENT").is_some()
}

fn extent() -> Extent {
    if has_full_extent() { Extent::default() } else { SMALL }
}

fn signing_keys(flag: &str, file: &[u8]) -> SigningKeys {
    if flag == "--secret-file" { SigningKeys::secret(file) } else { SigningKeys::pem(file) }
}

/// Returns the flag and the file of the key that a scheme's servers share.
fn key_file(scheme: Scheme) -> Option<(&'static str, PathBuf)> {
    let (flag, name) = match scheme.kind().algorithm()? {
        Algorithm::Hs256 => ("--secret-file", "secret"),
        Algorithm::EdDsa => ("--key-file", "ed25519.pem"),
        Algorithm::Es256 => ("--key-file", "p256.pem"),
        Algorithm::Rs256 => ("--key-file", "rsa-2048.pem"),
    };
    Some((flag, PathBuf::from(KEYS).join(name)))
}

/// Returns short windows and limits, to keep waits short.
fn flags(scheme: Scheme, carrier: Carrier, more: &[&str]) -> Vec<String> {
    let carrier = carrier.to_string();
    let mut flags = vec!["--scheme", scheme.id(), "--carrier", &carrier, "--bench", "--listen", "127.0.0.1:0"];
    flags.extend(["--users", "2000", "--absolute-ttl-s", "7200", "--log", "debug"]);
    // Long enough to detect a login without hashing; otherwise most of the suite's time goes into hashing.
    flags.extend(["--password-kib", if has_full_extent() { "19456" } else { "2048" }]);
    match scheme.kind() {
        Kind::Token { early_revocation: EarlyRevocation::Push, .. } | Kind::Session(SessionBackend::RedisCached) => {
            flags.extend(["--propagation-s", "2"]);
        }
        Kind::Token { early_revocation: EarlyRevocation::Epoch, .. } => flags.extend(["--epoch-ttl-s", "1"]),
        _ => {}
    }
    flags.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
}

/// Starts another server of the same scheme on the same backend, with no key but the given one.
struct OtherServerStarter {
    command: ServerCommand,
    backend: Vec<String>,
}

impl Starter for OtherServerStarter {
    fn start(&self, flags: &[&str]) -> io::Result<StartOutcome> {
        let log = tempfile::NamedTempFile::new()?;
        let more = flags.iter().map(|flag| (*flag).to_owned());
        let flags: Vec<_> = self.command.flags.iter().chain(&self.backend).cloned().chain(more).collect();
        match Server::start(&self.command.program, &flags, log.path()) {
            Ok(_) => Ok(StartOutcome::Started),
            Err(code) => Ok(StartOutcome::Failed { code, stderr: std::fs::read_to_string(log.path())? }),
        }
    }
}

/// Returns the failures as text.
pub(crate) fn failures(report: &Report) -> String {
    let lines: Vec<_> = report.failures().map(|outcome| format!("{}: {:#?}", outcome.id, outcome.verdict)).collect();
    lines.join("\n")
}
