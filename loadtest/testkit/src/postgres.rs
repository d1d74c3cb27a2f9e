//! A PostgreSQL of the test's own: a free port, an empty database, gone with this value.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lab::child::{Account, Child, Launch};
use lab::listener::free_port;
use lab::postgres::installed::{init, prepare, program, unprivileged};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::wait_until;

/// A database that responds.
pub struct Postgres {
    process: Option<Child>,
    port: u16,
    folder: TempDir,
    /// A standby must allow as many as its primary, which for a copy of an empty one is the default.
    max_connections: u32,
}

impl Postgres {
    /// Starts one.
    pub fn start() -> Self {
        let mut postgres = Self::copy_template();
        postgres.restart();
        postgres
    }

    /// Starts a hot standby without a primary: it can be read.
    pub fn start_standby() -> Self {
        let mut postgres = Self::copy_template();
        postgres.max_connections = 100;
        std::fs::write(postgres.folder.path().join("data/standby.signal"), "").unwrap();
        postgres.restart();
        postgres
    }

    fn copy_template() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copied =
            Command::new("cp").args(["-a", "--reflink=auto"]).arg(template()).arg(folder.path().join("data")).status();
        assert!(copied.unwrap().success());
        prepare(folder.path(), account().as_ref()).unwrap();
        Self { process: None, port: free_port().unwrap(), folder, max_connections: 40 }
    }

    /// Returns where clients connect.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("postgresql://authbench@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the result of a query as plain text; none where the query fails.
    pub fn query(&self, query: &str) -> Option<String> {
        let output = Command::new(program("psql")).args([&self.url(), "-XAtc", query]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// Makes every transaction read-only from now on, or no longer.
    pub fn set_read_only(&self, read_only: bool) {
        let setting = format!("ALTER SYSTEM SET default_transaction_read_only = {read_only}");
        // Without this the setting could not be undone.
        let session_setting = "SET default_transaction_read_only = off";
        let mut psql = Command::new(program("psql"));
        psql.args([&self.url(), "-XAtq", "-c", session_setting, "-c", &setting, "-c", "SELECT pg_reload_conf()"]);
        assert!(psql.output().unwrap().status.success());
        let expected = if read_only { "on" } else { "off" };
        wait_until("the setting is in effect", || {
            self.query("SHOW default_transaction_read_only").as_deref() == Some(expected)
        });
    }

    /// Closes the connection of every client.
    pub fn close_clients(&self) {
        let others = "pid <> pg_backend_pid() AND backend_type = 'client backend'";
        self.query(&format!("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE {others}"))
            .unwrap();
    }

    /// Returns all that it holds, as text.
    pub fn dump(&self) -> Vec<u8> {
        let output = Command::new(program("pg_dump")).args(["--inserts", &self.url()]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    /// Returns the prepared statements that it has executed since its start, in their order.
    pub fn statements(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.log()).unwrap();
        let executed =
            log.lines().filter_map(|line| Some(line.split_once("execute ")?.1.split_once(": ")?.1.to_owned()));
        executed.collect()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Starts it on the port it had, with what it had.
    pub fn restart(&mut self) {
        let _ = std::fs::remove_file(self.log());
        let (port, max_connections) = (self.port.to_string(), format!("max_connections={}", self.max_connections));
        let data = self.folder.path().join("data");
        let mut args = vec!["-D", data.to_str().unwrap(), "-p", &port, "-k", ""];
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", &max_connections, "log_statement=all"] {
            args.extend(["-c", setting]);
        }
        let launch = Launch {
            args: args.into_iter().map(Into::into).collect(),
            user: account().map(|(account, _)| account),
            // Immediate shutdown: its processes exit without tidying up.
            stop_signal: Signal::SIGQUIT,
            ..Launch::new("postgres", program("postgres"), self.log())
        };
        self.process = Some(launch.start().expect("PostgreSQL is installed"));
        wait_until("PostgreSQL responds", || self.query("SELECT 1").is_some());
    }

    /// Stops its processes (SIGSTOP), the main one first, so that it starts no other in between.
    pub fn suspend(&self) {
        self.process.as_ref().expect("PostgreSQL is running").suspend().unwrap();
        self.signal_children(Signal::SIGSTOP);
    }

    /// Ends a [`suspend`](Self::suspend).
    pub fn resume(&self) {
        self.process.as_ref().expect("PostgreSQL is running").resume().unwrap();
        self.signal_children(Signal::SIGCONT);
    }

    /// Sends a signal to the processes that the main one has started.
    fn signal_children(&self, signal: Signal) {
        let main = self.process.as_ref().expect("PostgreSQL is running").pid();
        let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        for pid in children.split_whitespace() {
            // One may have exited.
            let _ = kill(Pid::from_raw(pid.parse().unwrap()), signal);
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A suspended process does not act on the signal that ends it.
        if self.process.as_ref().is_some_and(|process| process.resume().is_ok()) {
            self.signal_children(Signal::SIGCONT);
        }
        self.kill();
    }
}

fn account() -> Option<(Account, String)> {
    unprivileged().unwrap()
}

/// An empty cluster of databases, made once for all processes of all suites: making takes seconds, copying does not.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let version = String::from_utf8(Command::new(program("initdb")).arg("--version").output().unwrap().stdout);
        let name = format!("template of {}", version.unwrap().trim());
        let parent = template_folder();
        let template = parent.join(name.replace(|each: char| !each.is_alphanumeric(), "-"));
        if !template.exists() {
            let folder = tempfile::tempdir_in(parent).unwrap();
            let (account, data) = (account(), folder.path().join("data"));
            prepare(folder.path(), account.as_ref()).unwrap();
            init(&data, account.as_ref()).unwrap();
            // Another process may have been faster.
            assert!(std::fs::rename(data, &template).is_ok() || template.exists());
        }
        template
    })
}

/// The folder `tmp` of the build directory, which tests lie two folders below.
fn template_folder() -> PathBuf {
    let test_binary = std::env::current_exe().unwrap();
    let folder = test_binary.ancestors().nth(3).expect("the test binary is in PROFILE/deps").join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
