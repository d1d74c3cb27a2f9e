//! A private Redis is ours alone; an external one stays unchanged.

use lab::child::Bounds;
use lab::redis::{Redis, UnusableRedis};
use tempfile::TempDir;

use crate::processes::{ignored_test_command, is_running, wait_until};

fn private() -> (Redis, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path(), &folder.path().join("redis.log"), &Bounds::default()).unwrap();
    (redis, folder)
}

fn connect(redis: &Redis) -> redis::Connection {
    redis::Client::open(redis.url()).unwrap().get_connection().unwrap()
}

fn fill(connection: &mut redis::Connection, prefix: &str, count: u32) {
    let mut pipe = redis::pipe();
    for number in 0..count {
        pipe.cmd("SET").arg(format!("{prefix}{number}")).arg("x".repeat(100)).ignore();
    }
    pipe.query::<()>(connection).unwrap();
}

#[test]
fn private_redis_is_observed_and_stops_when_dropped() {
    let (redis, _folder) = private();
    let pid = redis.pid().unwrap();
    assert!(!format!("{redis:?}").contains("redis://"), "a URL may hold a password");
    assert!(redis.is_local() && redis.process().unwrap().pid() == pid);
    assert_eq!(Some(&redis.version().to_owned()), lab::host::software().get("redis-server"));

    let before = redis.memory().unwrap();
    let mut connection = connect(&redis);
    fill(&mut connection, "authbench:", 10_000);
    let after = redis.memory().unwrap();
    assert!(after.used_bytes >= before.used_bytes + 1_000_000, "{before:?} {after:?}");
    assert!(after.rss_bytes >= 1_000_000);
    let counts = redis.command_counts().unwrap();
    assert_eq!(counts.get("set"), Some(&10_000));
    assert_eq!(counts.get("info"), None);

    assert_eq!(redis.keys().unwrap(), 10_000);
    redis.flush().unwrap();
    assert_eq!(redis.keys().unwrap(), 0);
    drop(redis);
    assert!(!is_running(pid));
}

/// Like an idle connection that a managed service closes, or one whose process was stopped and continued.
#[test]
fn lost_connection_is_reopened() {
    let (redis, _folder) = private();
    let mut connection = connect(&redis);
    fill(&mut connection, "authbench:", 10);
    let closed: u32 = redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal"]).query(&mut connection).unwrap();
    assert!(closed > 0);
    assert_eq!(redis.keys().unwrap(), 10);
    redis.process().unwrap().stop();
    assert!(redis.keys().is_err(), "there is no wait for a Redis that has exited");
}

#[test]
fn private_redis_writes_nothing_to_disk() {
    let (redis, folder) = private();
    fill(&mut connect(&redis), "authbench:", 10);
    redis.process().unwrap().stop();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["redis.log"]);
}

#[test]
fn crashed_private_redis_is_detected() {
    let (redis, _folder) = private();
    connect(&redis).send_packed_command(&redis::cmd("SHUTDOWN").arg("NOSAVE").get_packed_command()).unwrap();
    wait_until(10, "the exit is noticed", || redis.process().unwrap().check().is_err());
    assert!(matches!(redis.memory(), Err(UnusableRedis::Command { .. })));
}

#[test]
fn used_database_is_rejected_unless_allowed() {
    let (server, _folder) = private();
    fill(&mut connect(&server), "theirs:", 3);
    let error = Redis::at(server.url(), false).unwrap_err();
    assert!(matches!(error, UnusableRedis::NotEmpty { keys: 3, .. }), "{error}");
    assert!(Redis::at(server.url(), true).is_ok());
    assert!(
        Redis::at(&server.url().replace("/0", "/1"), false).is_ok(),
        "an empty database of the same server is accepted"
    );
}

#[test]
fn external_redis_keeps_all_foreign_keys() {
    let (server, _folder) = private();
    let mut connection = connect(&server);
    fill(&mut connection, "theirs:", 1500);
    let external = Redis::at(server.url(), true).unwrap();
    let other = Redis::at(server.url(), true).unwrap();
    assert_eq!(external.pid(), server.pid());
    assert_ne!(external.key_prefix(), other.key_prefix());
    fill(&mut connection, other.key_prefix(), 10);
    fill(&mut connection, external.key_prefix(), 2500);
    assert!(matches!(external.flush(), Err(UnusableRedis::NotPrivate { .. })));
    assert_eq!(external.clear().unwrap(), 2500);
    assert_eq!(server.keys().unwrap(), 1510);

    fill(&mut connection, external.key_prefix(), 7);
    drop(external);
    assert_eq!(server.keys().unwrap(), 1510);
    drop(other);
    assert_eq!(server.keys().unwrap(), 1500);
    assert!(is_running(server.pid().unwrap()));
}

#[test]
fn errors_contain_no_password() {
    for url in ["redis://:hunter2@127.0.0.1:1/0", "redis://:hunter2@127.0.0.1:1/zero", "hunter2"] {
        let error = Redis::at(url, false).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn missing_redis_server_error_says_how_to_install_it() {
    let output =
        ignored_test_command("redis::start_without_redis_in_path").env("PATH", "/nonexistent").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "the program that the test above runs without a PATH"]
fn start_without_redis_in_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = Redis::start(folder.path(), &folder.path().join("redis.log"), &Bounds::default()).unwrap_err();
    assert!(matches!(error, UnusableRedis::Missing));
    assert!(error.to_string().contains("apt-get install redis-server"), "{error}");
}

#[test]
fn private_redis_loses_data_on_crash_and_keeps_it_on_shutdown() {
    let (mut redis, folder) = private();
    let (first, url) = (redis.pid().unwrap(), redis.url().to_owned());
    fill(&mut connect(&redis), "authbench:", 10);
    redis.shut_down().unwrap();
    assert!(!is_running(first), "it has exited when this returns");
    redis.restart().unwrap();
    assert_ne!(redis.pid(), Some(first));
    assert_eq!((redis.url(), redis.keys().unwrap()), (url.as_str(), 10), "at the same address, with its data");

    let second = redis.pid().unwrap();
    redis.crash().unwrap();
    assert!(!is_running(second));
    redis.restart().unwrap();
    assert_eq!(redis.keys().unwrap(), 0, "the data of the last dump is gone, too");
    assert_eq!(redis.url(), url);
    drop(redis);
    assert!(std::fs::read_dir(folder.path()).unwrap().all(|file| file.unwrap().file_name() != "dump.rdb"));
}
