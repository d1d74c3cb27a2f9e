//! Reference servers for the checks, and authbench as its users run it.

use std::process::{Child as Process, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use contract::Scheme;
use engine::record::Placement;
use lab::child::{Bounds, Child, Launch};
use lab::server::{Server, ServerSpec, locate};
use serde_json::Value;
use tempfile::TempDir;

/// The processors of each process; determined before any thread is pinned.
pub(crate) static PLACEMENT: LazyLock<Placement> = LazyLock::new(lab::placement::detect);

/// A server without a store on one processor, with a temporary folder for its log.
pub(crate) struct Reference {
    pub(crate) server: Server,
    _folder: TempDir,
}

impl Reference {
    pub(crate) fn control() -> Self {
        Self::of(Scheme::CONTROL)
    }

    pub(crate) fn of(scheme: Scheme) -> Self {
        let folder = TempDir::new().expect("there is room for a log");
        let spec = ServerSpec {
            bounds: Bounds::on(&PLACEMENT.server_cpus),
            workers: Some(1),
            ..ServerSpec::new(scheme, folder.path().join("server.log"))
        };
        Self { server: Server::start(&spec).expect("the servers were built"), _folder: folder }
    }
}

/// A server that responds after a known time.
pub(crate) struct DelayServer {
    process: Child,
    pub(crate) base_url: String,
    _folder: TempDir,
}

impl DelayServer {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("there is room for a log");
        let program = locate("delay-server").expect("the servers were built");
        let launch = Launch {
            args: arguments.iter().chain(&["--workers-fifo"]).map(Into::into).collect(),
            ..Launch::new("delay-server", program, folder.path().join("delay.log"))
        };
        let process = launch.start().expect("it was there just now");
        let address = find_in_output(&process, |line| line["listening"].as_str().map(str::to_owned));
        Self { process, base_url: format!("http://{address}"), _folder: folder }
    }

    /// Stops it, and returns the quantiles of the true delays, in microseconds.
    pub(crate) fn truth_us(self) -> Value {
        self.process.stop();
        find_in_output(&self.process, |line| line.get("delay_us").cloned())
    }
}

/// Returns the result of `find` on the first line of JSON for which it has one.
fn find_in_output<T>(process: &Child, find: impl Fn(&Value) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    let found = process.find_line(deadline, |line| find(&serde_json::from_str(line).ok()?));
    found.ok().flatten().expect("it says where it listens, and at its end what it did")
}

/// Returns the output of `authbench load --json`.
pub(crate) fn load(target: &str, arguments: &[&str]) -> Value {
    Load::begin(target, arguments).result()
}

/// A running `authbench load --json`.
pub(crate) struct Load {
    process: Process,
    _folder: TempDir,
}

impl Load {
    pub(crate) fn begin(target: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("there is room for a run");
        let process = Command::new(env!("CARGO_BIN_EXE_authbench"))
            .args(["load", "--target", target, "--json", "--out"])
            .arg(folder.path().join("run"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("authbench was built");
        Self { process, _folder: folder }
    }

    /// Returns its output when it has ended.
    pub(crate) fn result(self) -> Value {
        let output = self.process.wait_with_output().expect("it was started");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 10 | 12)), "authbench load: {stderr}");
        serde_json::from_slice(&output.stdout).expect("--json prints one object")
    }
}

/// Waits until a load has reached this server, which is when it uses CPU time.
pub(crate) fn await_load(server: &Server) {
    let clock = lab::observe::CpuClock::of(server.process().pid()).expect("the server runs");
    let used_ns = || clock.ns().expect("the server runs");
    let (before_ns, deadline) = (used_ns(), Instant::now() + Duration::from_secs(10));
    while used_ns() < before_ns + 100_000_000 {
        assert!(Instant::now() < deadline, "the load does not reach the server");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Pins this thread, and threads that it starts later, to the generator's processors of `compare`.
pub(crate) fn pin() {
    if let Err(error) = lab::placement::pin_current_thread(&PLACEMENT.generator_cpus) {
        println!("  {error}");
    }
}
