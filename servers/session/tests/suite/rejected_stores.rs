//! Stores that a server must not start with, and the errors for them.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use testkit::TIMEOUT;
use testkit::cluster::Cluster;
use testkit::postgres::Postgres;
use testkit::redis::Redis;
use testkit::server::{Server, startup_error};

#[track_caller]
fn assert_start_fails(scheme: &str, flag: &str, url: &str, parts: &[&str]) {
    let (code, message) = startup_error(crate::BINARY, &["--listen", "127.0.0.1:0", "--scheme", scheme, flag, url]);
    assert_eq!((code, message.lines().count()), (1, 1), "{scheme}: {message}");
    for part in parts {
        assert!(message.contains(part), "{scheme}: {part:?} is not in {message}");
    }
    assert!(!message.contains("secret"), "{message}");
}

fn starts(scheme: &str, flag: &str, url: &str) -> Server {
    Server::start(crate::BINARY, &["--scheme", scheme, flag, url])
}

const SINGLE: [&str; 4] = ["session-redis", "session-redis-pool", "session-redis-cached", "cookie-sealed"];

#[test]
fn redis_with_password_is_rejected_without_it() {
    let redis = Redis::start();
    redis.set("requirepass", "the-secret");
    let host = format!("127.0.0.1:{}", redis.port());
    for scheme in SINGLE.into_iter().chain(["session-redis-cluster"]) {
        for url in [redis.url(), format!("redis://:no-secret@{host}/0")] {
            assert_start_fails(scheme, "--redis-url", &url, &["cannot use Redis at", &host, "PASSWORD@"]);
        }
    }
    starts("session-redis", "--redis-url", &format!("redis://:the-secret@{host}/0"));
}

#[test]
fn cluster_node_is_rejected_by_single_redis_schemes() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        for scheme in SINGLE {
            assert_start_fails(scheme, "--redis-url", &node.url(), &["session-redis-cluster", "cluster-enabled no"]);
        }
    }
}

#[test]
fn read_only_replica_is_rejected() {
    let (primary, replica) = (Redis::start(), Redis::start());
    let mut follow = redis::cmd("REPLICAOF");
    let () = follow.arg("127.0.0.1").arg(primary.port()).query(&mut replica.connection()).unwrap();
    for scheme in SINGLE {
        assert_start_fails(scheme, "--redis-url", &replica.url(), &["read-only replica", "primary"]);
    }
}

#[test]
fn redis_with_eviction_is_rejected() {
    let redis = Redis::start();
    redis.set("maxmemory-policy", "allkeys-lru");
    for scheme in SINGLE {
        assert_start_fails(scheme, "--redis-url", &redis.url(), &["allkeys-lru", "set maxmemory-policy noeviction"]);
    }
    redis.set("maxmemory-policy", "volatile-ttl");
    for scheme in &SINGLE[..3] {
        assert_start_fails(scheme, "--redis-url", &redis.url(), &["volatile-ttl", "set maxmemory-policy noeviction"]);
    }
    // What it keeps there has no time to live.
    starts("cookie-sealed", "--redis-url", &redis.url());
}

#[test]
fn every_node_of_a_cluster_is_checked_for_eviction() {
    let cluster = Cluster::start();
    cluster.nodes[2].set("maxmemory-policy", "allkeys-lfu");
    assert_start_fails("session-redis-cluster", "--redis-url", &cluster.url(), &["allkeys-lfu", "noeviction"]);
    cluster.nodes[2].set("maxmemory-policy", "noeviction");
    cluster.nodes[1].set("maxmemory", "1");
    let server = starts("session-redis-cluster", "--redis-url", &cluster.url());
    assert_eq!(server.get("/readyz", &[]).status, 503, "one node of three is full");
}

#[test]
fn full_redis_is_accepted_with_a_warning() {
    let redis = Redis::start();
    redis.set("maxmemory", "1");
    for scheme in &SINGLE[..3] {
        let server = starts(scheme, "--redis-url", &redis.url());
        assert_eq!(server.get("/readyz", &[]).status, 503, "{scheme}");
        server.signal("-TERM");
        let (_, log) = server.wait_for_exit();
        assert!(log.contains("accepts no writes"), "{scheme}: {log}");
    }
}

#[test]
fn read_only_postgres_is_rejected() {
    let postgres = Postgres::start();
    postgres.set_read_only(true);
    let setting = ["read-only transaction", "default_transaction_read_only"];
    assert_start_fails("session-postgres", "--postgres-url", &postgres.url(), &setting);
    let standby = Postgres::start_standby();
    assert_start_fails("session-postgres", "--postgres-url", &standby.url(), &["hot standby", "primary"]);
}

/// A connection pooler before a database, gone with this value.
struct Pgbouncer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Pgbouncer {
    fn start(postgres: &Postgres, mode: &str) -> Self {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        let program = program.expect("pgbouncer is not installed; scripts/bootstrap.sh --test installs it");
        let port = testkit::free_address().port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let database = format!("host=127.0.0.1 port={} user=authbench dbname=postgres", postgres.port());
        let settings = format!(
            "[databases]\npostgres = {database}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             auth_type = any\npool_mode = {mode}\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n"
        );
        std::fs::File::create(&file).unwrap().write_all(settings.as_bytes()).unwrap();
        let mut command = Command::new(program);
        command.arg("-q").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            // It does not run as root.
            make_readable(folder.path());
            command.uid(NOBODY).gid(NOBODY);
        }
        let pooler = Self { child: command.spawn().unwrap(), port, _folder: folder };
        let deadline = Instant::now() + TIMEOUT;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "pgbouncer does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        pooler
    }

    fn url(&self) -> String {
        format!("postgresql://authbench@127.0.0.1:{}/postgres", self.port)
    }
}

/// The user `nobody` of every Unix.
const NOBODY: u32 = 65_534;

/// Lets everyone read a folder.
fn make_readable(folder: &Path) {
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(folder).status().unwrap().success());
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn pooler_that_loses_prepared_statements_is_rejected() {
    let postgres = Postgres::start();
    for mode in ["transaction", "statement"] {
        let pooler = Pgbouncer::start(&postgres, mode);
        let parts = ["cannot use PostgreSQL at", "PgBouncer", "session mode"];
        assert_start_fails("session-postgres", "--postgres-url", &pooler.url(), &parts);
    }
    let pooler = Pgbouncer::start(&postgres, "session");
    let server = starts("session-postgres", "--postgres-url", &pooler.url());
    assert_eq!(server.login(1).status, 200, "a pooler in session mode loses nothing");
}
