//! The settings of `session-server`, and the errors for invalid ones.

use std::process::Command;

use testkit::server::{Server, startup_error};

#[track_caller]
fn assert_start_fails(arguments: &[&str], code: i32, parts: &[&str]) {
    let (exit_code, message) = startup_error(crate::BINARY, arguments);
    assert_eq!(exit_code, code, "{arguments:?}: {message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    for part in ["session-server: "].iter().chain(parts) {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

#[test]
fn default_scheme_is_session_memory() {
    assert_eq!(Server::start(crate::BINARY, &[]).ready["scheme"], "session-memory");
}

#[test]
fn scheme_of_another_server_is_rejected() {
    let known = "supported: session-memory, session-redis, session-redis-pool";
    assert_start_fails(&["--scheme", "jwt-hs256"], 2, &["jwt-hs256", known]);
    assert_start_fails(&["--scheme", "session-mysql"], 2, &["session-mysql", known]);
}

#[test]
fn missing_or_unreachable_redis_is_reported() {
    let free = testkit::free_address().to_string();
    for scheme in ["session-redis", "session-redis-pool"] {
        assert_start_fails(&["--scheme", scheme], 2, &[scheme, "needs --redis-url", "redis://"]);
        assert_start_fails(
            &["--scheme", scheme, "--redis-url", "http://x"],
            2,
            &["--redis-url", "redis://127.0.0.1:6379/0"],
        );
        let url = format!("redis://me:secret@{free}/0");
        assert_start_fails(
            &["--scheme", scheme, "--redis-url", &url],
            1,
            &["cannot reach Redis", &free, "--redis-url"],
        );
        let (_, message) = startup_error(crate::BINARY, &["--scheme", scheme, "--redis-url", &url]);
        assert!(!message.contains("secret"), "{message}");
    }
}

#[test]
fn missing_or_unreachable_postgres_is_reported() {
    let free = testkit::free_address().to_string();
    let scheme = ["--scheme", "session-postgres"];
    assert_start_fails(&scheme, 2, &["session-postgres needs --postgres-url", "postgresql://"]);
    let malformed = ["--postgres-url", "postgresql://me:secret@[x"];
    assert_start_fails(
        &[scheme, malformed].concat(),
        2,
        &["--postgres-url", "postgresql://user@127.0.0.1:5432/database"],
    );
    let url = format!("postgresql://me:secret@{free}/db");
    let absent = [scheme, ["--postgres-url", &url]].concat();
    assert_start_fails(&absent, 1, &["cannot reach PostgreSQL at", &free, "start it or set another --postgres-url"]);
    for arguments in [[scheme, malformed].concat(), absent] {
        let (_, message) = startup_error(crate::BINARY, &arguments);
        assert!(!message.contains("secret"), "{message}");
        assert!(message.matches("error connecting to server").count() <= 1, "a cause is stated once: {message}");
    }
    for without_host in ["", "postgresql://"] {
        let flags = [scheme, ["--postgres-url", without_host]].concat();
        assert_start_fails(&flags, 2, &["--postgres-url", "postgresql://user@127.0.0.1:5432/database"]);
    }
}

#[test]
fn invalid_postgres_url_names_the_wrong_parameter() {
    for (url, wrong) in [
        ("postgresql://me:secret@127.0.0.1:5432/db?speed=9", "`speed`"),
        ("postgresql://me:secret@127.0.0.1:99999/db", "`port`"),
        ("postgresql://me:secret@127.0.0.1/db?sslmode=often", "`sslmode`"),
        ("postgresql://me:secret@127.0.0.1/db?connect_timeout=soon", "`connect_timeout`"),
    ] {
        let flags = ["--scheme", "session-postgres", "--postgres-url", url];
        assert_start_fails(&flags, 2, &["--postgres-url", wrong]);
        assert!(!startup_error(crate::BINARY, &flags).1.contains("secret"), "the password is not shown");
    }
}

#[test]
fn single_redis_is_rejected_by_the_cluster_scheme() {
    let redis = testkit::redis::Redis::start();
    let flags = ["--scheme", "session-redis-cluster", "--redis-url", &redis.url()];
    assert_start_fails(&flags, 1, &["cannot use Redis at", "single Redis", "scheme session-redis or"]);
    let braces = [&flags[..], &["--key-prefix", "{a}"]].concat();
    assert_start_fails(&braces, 2, &["--key-prefix {a}", "braces"]);
}

#[test]
fn contradictory_limits_are_rejected() {
    assert_start_fails(
        &["--credential-ttl-s", "100", "--absolute-ttl-s", "99"],
        2,
        &["--credential-ttl-s 100", "at most 99"],
    );
    let touch = ["--credential-ttl-s", "60", "--touch-interval-s", "60"];
    assert_start_fails(&touch, 2, &["--touch-interval-s 60", "below the idle timeout of 60"]);
    Server::start(crate::BINARY, &[&touch[..], &["--touch", "always"]].concat());
    Server::start(crate::BINARY, &["--credential-ttl-s", "1"]);
    Server::start(crate::BINARY, &["--absolute-ttl-s", "5"]);
    let pool = ["--scheme", "session-redis-pool", "--redis-url", "redis://127.0.0.1:1/0", "--pool-size", "0"];
    assert_start_fails(&pool, 2, &["--pool-size 0", "at least 1"]);
}

#[test]
fn scheme_settings_are_read_from_the_auth_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    std::fs::write(&path, "[server]\ncredential-ttl-s = 60\n[auth]\ntouch-interval-s = 60\n").unwrap();
    let path = path.to_str().unwrap();
    assert_start_fails(&["--config", path], 2, &["--touch-interval-s 60"]);
    Server::start(crate::BINARY, &["--config", path, "--touch-interval-s", "59"]);
}

#[test]
fn help_lists_the_schemes_and_hides_environment_values() {
    let mut help = Command::new(crate::BINARY);
    let output = help.arg("--help").env("AUTHBENCH_REDIS_URL", "redis://me:secret@localhost/0").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{text}");
    for known in ["session-redis-pool", "--touch-interval-s", "AUTHBENCH_REDIS_URL", "--config"] {
        assert!(text.contains(known), "{known} is not in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}
