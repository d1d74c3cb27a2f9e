//! Test support: running authbench and its requirements.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use contract::Scheme;
use lab::server::{Server, ServerSpec, locate};
use serde_json::Value;
use tempfile::TempDir;

/// For tests that do not concern conformance: the checks take seconds per scheme.
pub(crate) const SKIP_CONFORMANCE: &str = "--unsafe-skip-conformance";

/// Lets one test run at a time: each of them is a load, and two would distort each other's figures.
pub(crate) fn exclusive() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether expensive tests run in every variant, as `scripts/test.sh --full` does.
pub(crate) fn runs_full_tests() -> bool {
    std::env::var_os("FULL_TESTS").is_some()
}

/// A separate folder of a test, and a path in it that does not exist yet.
pub(crate) struct TestDir {
    folder: TempDir,
}

impl TestDir {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Creates a file with this text.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Returns the record of a whole comparison, from `results/evidence`, as JSON.
pub(crate) fn reference_record() -> String {
    let mut runs = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/evidence")).unwrap();
    let run = runs.find_map(|entry| Some(entry.unwrap().path()).filter(|path| path.is_dir())).unwrap();
    serde_json::to_string(&record_file::read(&run).unwrap()).unwrap()
}

/// Returns authbench with default handlers of the signals that stop it, as from a terminal: it keeps ignoring signals
/// ignored at its start, and a shell ignores SIGINT for background jobs, which these tests may be.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_authbench")]);
    command.args(arguments).stdin(Stdio::null()).env_remove("AUTHBENCH_BIN_DIR").env_remove("GITHUB_STEP_SUMMARY");
    command
}

pub(crate) fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs authbench to its end.
pub(crate) fn authbench(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Returns `authbench load --json` on this server, into the run folder, with these additional flags.
pub(crate) fn load(dir: &TestDir, target: &str, more: &[&str]) -> Command {
    let run = dir.run();
    command(&[&["load", "--target", target, "--json", "--out", run.to_str().unwrap()], more].concat())
}

/// Returns a folder of servers by name, each a program of this workspace with these additional flags, that hash
/// passwords with little memory: otherwise a conformance check is mostly hashing.
pub(crate) fn write_server_wrappers(dir: &TestDir, servers: &[(&str, &str, &[&str])]) -> PathBuf {
    let folder = dir.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    for (name, program, flags) in servers {
        let (path, flags) = (folder.join(name), flags.join(" "));
        let script =
            format!("#!/bin/sh\nexec '{}' {flags} --password-kib 64 \"$@\"\n", locate(program).unwrap().display());
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// Returns the setting of a server that hashes passwords with little memory. On a busy machine, a regular hashing takes
/// seconds.
pub(crate) fn fast_password_hashing() -> Vec<(&'static str, String)> {
    vec![("AUTHBENCH_PASSWORD_KIB", "64".to_owned())]
}

/// Waits until a load has begun, which is when the server uses CPU time.
pub(crate) fn wait_for_load(server: &Server) {
    let clock = lab::observe::CpuClock::of(server.process().pid()).unwrap();
    let before_ns = clock.ns().unwrap();
    let used = || clock.ns().unwrap() - before_ns;
    wait_until("the load begins", Duration::from_secs(30), || used() > 100_000_000);
}

/// Returns the JSON object of `load --json`. An invalid measurement (12) prints it too.
pub(crate) fn json(output: &Output) -> Value {
    assert!(matches!(output.status.code(), Some(0 | 12)), "{:?}: {}", output.status, stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Starts a reference server with default settings.
pub(crate) fn server(scheme: &str, dir: &TestDir, redis_url: Option<&str>) -> Server {
    let scheme: Scheme = scheme.parse().unwrap();
    let spec = ServerSpec {
        store_url: redis_url.map(|url| ("AUTHBENCH_REDIS_URL", url.to_owned())),
        users: 1_000,
        settings: fast_password_hashing(),
        ..ServerSpec::new(scheme, dir.path().join("server.log"))
    };
    Server::start(&spec).unwrap()
}

/// Waits for the condition, for as long as a slow machine may take.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
