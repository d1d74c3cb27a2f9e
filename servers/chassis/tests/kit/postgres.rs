//! A PostgreSQL of the test's own: a free port, an empty database, gone with this value.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::PATIENCE;

pub(crate) struct Postgres {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
    /// A standby must allow as many as its primary, which for a copy of an empty one is the default.
    max_connections: u32,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let mut postgres = Self::copied();
        postgres.revive();
        postgres
    }

    /// A hot standby, whose primary is away: it can be read.
    pub(crate) fn start_standby() -> Self {
        let mut postgres = Self::copied();
        postgres.max_connections = 100;
        std::fs::write(postgres.folder.path().join("data/standby.signal"), "").unwrap();
        postgres.revive();
        postgres
    }

    fn copied() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let copied =
            Command::new("cp").args(["-a", "--reflink=auto"]).arg(template()).arg(folder.path().join("data")).status();
        assert!(copied.unwrap().success());
        open(folder.path());
        Self { child: None, port, folder, max_connections: 40 }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("postgresql://authbench@127.0.0.1:{}/postgres", self.port)
    }

    /// What it answers to a query, as bare text.
    pub(crate) fn query(&self, query: &str) -> Option<String> {
        let output = Command::new(program("psql")).args([&self.url(), "-XAtc", query]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// Lets every transaction be read-only from now on, or no longer.
    pub(crate) fn set_read_only(&self, read_only: bool) {
        let setting = format!("ALTER SYSTEM SET default_transaction_read_only = {read_only}");
        // The second one must not be kept from undoing the first.
        let own = "SET default_transaction_read_only = off";
        let mut psql = Command::new(program("psql"));
        psql.args([&self.url(), "-XAtq", "-c", own, "-c", &setting, "-c", "SELECT pg_reload_conf()"]);
        assert!(psql.output().unwrap().status.success());
        let deadline = Instant::now() + PATIENCE;
        let wanted = if read_only { "on" } else { "off" };
        while self.query("SHOW default_transaction_read_only").as_deref() != Some(wanted) {
            assert!(Instant::now() < deadline, "the setting is not taken over");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Closes the connection of every client.
    pub(crate) fn close_clients(&self) {
        let others = "pid <> pg_backend_pid() AND backend_type = 'client backend'";
        self.query(&format!("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE {others}"))
            .unwrap();
    }

    /// All that it holds, as text.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let output = Command::new(program("pg_dump")).args(["--inserts", &self.url()]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    /// The prepared statements that it was asked to carry out so far, in their order.
    pub(crate) fn statements(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let executed =
            log.lines().filter_map(|line| Some(line.split_once("execute ")?.1.split_once(": ")?.1.to_owned()));
        executed.collect()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, "-QUIT");
            let _ = child.wait();
        }
    }

    /// Starts it on the port it had, with what it had.
    pub(crate) fn revive(&mut self) {
        let data = self.folder.path().join("data");
        let mut command = unprivileged(Command::new(program("postgres")));
        command.arg("-D").arg(&data).args(["-p", &self.port.to_string(), "-k", ""]);
        command.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            &format!("max_connections={}", self.max_connections),
        ]);
        command.args(["-c", "log_statement=all"]);
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("PostgreSQL is installed"));
        let deadline = Instant::now() + PATIENCE;
        while self.query("SELECT 1").is_none() {
            assert!(Instant::now() < deadline, "no PostgreSQL");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal to the process and those it has started, such as `-STOP`: to itself first, so that it starts
    /// nobody meanwhile who would be left out.
    pub(crate) fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("it runs");
        signal(child, name);
        let children = Command::new("pgrep").args(["-P", &child.id().to_string()]).output().unwrap().stdout;
        for pid in String::from_utf8(children).unwrap().lines() {
            let _ = Command::new("kill").args([name, pid]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.signal("-CONT");
        }
        self.kill();
    }
}

fn signal(child: &Child, name: &str) {
    let _ = Command::new("kill").args([name, &child.id().to_string()]).status();
}

/// An empty cluster of databases, made once for all processes of all suites: making takes seconds, copying does not.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let version = String::from_utf8(Command::new(program("initdb")).arg("--version").output().unwrap().stdout);
        let name = format!("template of {}", version.unwrap().trim());
        let template =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace(|each: char| !each.is_alphanumeric(), "-"));
        if !template.exists() {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let data = initialized(folder.path());
            // Another process may have been faster.
            assert!(std::fs::rename(data, &template).is_ok() || template.exists());
        }
        template
    })
}

fn initialized(folder: &Path) -> PathBuf {
    open(folder);
    let data = folder.join("data");
    let mut initdb = unprivileged(Command::new(program("initdb")));
    initdb.arg("-D").arg(&data).args(["-U", "authbench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    let output = initdb.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    data
}

/// PostgreSQL refuses to run as root; then it runs as the user that its package has made.
fn unprivileged(mut command: Command) -> Command {
    if id(&["-u"]) == "0" {
        command.uid(id(&["-u", "postgres"]).parse().unwrap()).gid(id(&["-g", "postgres"]).parse().unwrap());
        command.current_dir("/");
    }
    command
}

/// Lets that user into a folder.
fn open(folder: &Path) {
    if id(&["-u"]) == "0" {
        assert!(Command::new("chown").args(["-R", "postgres"]).arg(folder).status().unwrap().success());
    }
}

fn id(arguments: &[&str]) -> String {
    let output = Command::new("id").args(arguments).output().unwrap();
    assert!(output.status.success(), "id {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A program of PostgreSQL, which Debian keeps out of PATH.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| name.into())
}
