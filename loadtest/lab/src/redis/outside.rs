//! A Redis that belongs to somebody else.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;

use super::{NO_ARGS, Redis, StoreError, ask, info, is_loopback, open, place};

/// Keys looked at, and at most removed, by one command.
const BATCH: &str = "1000";

pub(super) fn connect(url: &str, allow_used: bool) -> Result<Redis, StoreError> {
    let client = redis::Client::open(url).map_err(StoreError::Url)?;
    let mut connection = open(url).map_err(|source| StoreError::Unreachable { place: place(url), source })?;
    let keys = ask(&mut connection, url, "DBSIZE", NO_ARGS)?;
    if keys > 0 && !allow_used {
        return Err(StoreError::NotEmpty { place: place(url), keys });
    }
    let server = info::parse(&ask::<String>(&mut connection, url, "INFO", "server")?);
    Ok(Redis {
        url: url.to_owned(),
        key_prefix: unique_prefix(),
        connection: Mutex::new(connection),
        version: server.get("redis_version").cloned().unwrap_or_else(|| "unknown".to_owned()),
        pid: local_pid(&server).filter(|_| is_loopback(client.get_connection_info().addr())),
        process: None,
        again: None,
    })
}

/// So that runs that share a database do not share a key: the process id and 64 random bits.
fn unique_prefix() -> String {
    format!("authbench:{}-{:016x}:", std::process::id(), RandomState::new().hash_one(()))
}

/// The process id that it gives, if that process here is a Redis. One in a container, or behind a
/// tunnel, counts its ids elsewhere.
fn local_pid(server: &BTreeMap<String, String>) -> Option<u32> {
    let pid: u32 = server.get("process_id")?.parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    ["redis-server", "valkey-server"].contains(&name.trim()).then_some(pid)
}

/// Removes the keys under the run's prefix, step by step so that others are served meanwhile. The
/// prefix has no character that means something in a pattern.
pub(super) fn unlink_prefix(redis: &Redis) -> Result<u64, StoreError> {
    let pattern = format!("{}*", redis.key_prefix());
    let mut cursor = "0".to_owned();
    let mut removed = 0;
    loop {
        let scan = [&cursor, "MATCH", &pattern, "COUNT", BATCH];
        let (next, keys): (String, Vec<Vec<u8>>) = redis.command("SCAN", &scan)?;
        if !keys.is_empty() {
            removed += redis.command::<u64>("UNLINK", &keys)?;
        }
        if next == "0" {
            return Ok(removed);
        }
        cursor = next;
    }
}
