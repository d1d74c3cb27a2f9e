//! An external Redis that this program did not start.

use std::collections::BTreeMap;
use std::sync::Mutex;

use redis::Connection;

use super::run_keys::unique_prefix;
use super::{NO_ARGS, Redis, UnusableRedis, info, is_loopback, open, place, run_command};

pub(super) fn connect(url: &str, allow_used: bool) -> Result<Redis, UnusableRedis> {
    let mut connection = open_connection(url)?;
    let client = redis::Client::open(url).map_err(UnusableRedis::Url)?;
    let keys = run_command(&mut connection, url, "DBSIZE", NO_ARGS)?;
    if keys > 0 && !allow_used {
        return Err(UnusableRedis::NotEmpty { place: place(url), keys });
    }
    let server = info::parse(&run_command::<String>(&mut connection, url, "INFO", "server")?);
    Ok(Redis {
        url: url.to_owned(),
        key_prefix: unique_prefix(),
        connection: Mutex::new(connection),
        version: server.get("redis_version").cloned().unwrap_or_else(|| "unknown".to_owned()),
        pid: local_pid(&server).filter(|_| is_loopback(client.get_connection_info().addr())),
        process: None,
        restart_spec: None,
    })
}

/// Connects.
pub(super) fn open_connection(url: &str) -> Result<Connection, UnusableRedis> {
    redis::Client::open(url).map_err(UnusableRedis::Url)?;
    open(url).map_err(|source| UnusableRedis::Unreachable { place: place(url), source })
}

/// The process id that it gives, if that process here is a Redis. One in a container, or behind a
/// tunnel, counts its ids elsewhere.
fn local_pid(server: &BTreeMap<String, String>) -> Option<u32> {
    let pid: u32 = server.get("process_id")?.parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    ["redis-server", "valkey-server"].contains(&name.trim()).then_some(pid)
}
