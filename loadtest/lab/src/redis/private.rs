//! A Redis that only this run knows of.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Redis, UnusableRedis, info, open, place};
use crate::child::{Bounds, Child, Launch, LaunchError};
use crate::listener::free_port;

const READY_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);
/// Redis does not accept port 0, so another program may take the free port before it does.
const ATTEMPTS: u32 = 5;
/// The file into which a Redis that is shut down writes what it holds.
const DUMP_FILE: &str = "dump.rdb";

/// How one is started again.
pub(super) struct RestartSpec {
    launch: Launch,
    dump: PathBuf,
}

/// On its own, or as a node of a cluster that is still to be formed.
pub(super) fn start(folder: &Path, log: &Path, bounds: &Bounds, node: bool) -> Result<Redis, UnusableRedis> {
    for _ in 1..ATTEMPTS {
        match start_once(folder, log, bounds, node) {
            Err(UnusableRedis::Exited(exited)) if exited.tail.contains("Address already in use") => {}
            outcome => return outcome,
        }
    }
    start_once(folder, log, bounds, node)
}

fn start_once(folder: &Path, log: &Path, bounds: &Bounds, node: bool) -> Result<Redis, UnusableRedis> {
    let port = free_port().map_err(UnusableRedis::NoPort)?;
    let mut args = args(port, folder);
    if node {
        args.extend(cluster_args(free_port().map_err(UnusableRedis::NoPort)?));
    }
    let launch =
        Launch { args, bounds: bounds.clone(), ..Launch::new("redis-server", "redis-server".into(), log.to_owned()) };
    let process = launch.clone().start().map_err(missing)?;
    let url = format!("redis://127.0.0.1:{port}/0");
    let (connection, version) = wait(&process, &url)?;
    Ok(Redis {
        url,
        key_prefix: "authbench:".to_owned(),
        connection: Mutex::new(connection),
        version,
        pid: Some(process.pid()),
        process: Some(process),
        restart_spec: Some(RestartSpec { launch, dump: folder.join(DUMP_FILE) }),
    })
}

/// Has it write down what it holds, and end.
pub(super) fn shut_down(redis: &Redis, process: &Child) -> Result<(), UnusableRedis> {
    process.expect_exit();
    // It exits without a response; the process shows whether it does.
    let response = redis.command::<redis::Value>("SHUTDOWN", "SAVE");
    let deadline = Instant::now() + READY_DEADLINE;
    while process.check().is_ok() {
        if Instant::now() >= deadline {
            response?;
            return Err(UnusableRedis::Late { seconds: READY_DEADLINE.as_secs(), log: process.log().to_owned() });
        }
        sleep(POLL);
    }
    Ok(())
}

/// On the same port, in the same folder. What it has read there is removed, so that it holds all in memory alone again.
pub(super) fn restart(redis: &mut Redis) -> Result<(), UnusableRedis> {
    let not_private = || UnusableRedis::NotPrivate { place: place(&redis.url) };
    let RestartSpec { launch, dump } = redis.restart_spec.as_ref().ok_or_else(not_private)?;
    let process = launch.clone().start().map_err(missing)?;
    let (connection, _) = wait(&process, &redis.url)?;
    match std::fs::remove_file(dump) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(UnusableRedis::Folder { path: dump.clone(), source });
        }
        _ => {}
    }
    redis.pid = Some(process.pid());
    redis.connection = Mutex::new(connection);
    redis.process = Some(process);
    Ok(())
}

/// Nothing on disk, loopback only, and an error rather than eviction when memory runs out.
fn args(port: u16, folder: &Path) -> Vec<OsString> {
    let port = port.to_string();
    let options = [
        ("--port", port.as_str()),
        ("--bind", "127.0.0.1"),
        ("--save", ""),
        ("--appendonly", "no"),
        ("--daemonize", "no"),
        ("--maxmemory-policy", "noeviction"),
    ];
    let dir = [OsString::from("--dir"), folder.into()];
    options.into_iter().flat_map(|(name, value)| [name.into(), value.into()]).chain(dir).collect()
}

/// A node of a cluster, which the others reach on this port.
fn cluster_args(bus: u16) -> [OsString; 4] {
    ["--cluster-enabled".into(), "yes".into(), "--cluster-port".into(), bus.to_string().into()]
}

fn missing(error: LaunchError) -> UnusableRedis {
    match error {
        LaunchError::Spawn { source, .. } if source.kind() == io::ErrorKind::NotFound => UnusableRedis::Missing,
        other => other.into(),
    }
}

/// Waits until the process itself responds on the port, not another Redis that took it first, and returns its version.
fn wait(process: &Child, url: &str) -> Result<(redis::Connection, String), UnusableRedis> {
    let deadline = Instant::now() + READY_DEADLINE;
    while Instant::now() < deadline {
        process.check()?;
        if let Some((connection, pid, version)) = identify(url)
            && pid == process.pid()
        {
            return Ok((connection, version));
        }
        sleep(POLL);
    }
    Err(UnusableRedis::Late { seconds: READY_DEADLINE.as_secs(), log: process.log().to_owned() })
}

fn identify(url: &str) -> Option<(redis::Connection, u32, String)> {
    let mut connection = open(url).ok()?;
    redis::cmd("PING").query::<String>(&mut connection).ok()?;
    let text: String = redis::cmd("INFO").arg("server").query(&mut connection).ok()?;
    let fields = info::parse(&text);
    Some((connection, fields.get("process_id")?.parse().ok()?, fields.get("redis_version")?.clone()))
}
