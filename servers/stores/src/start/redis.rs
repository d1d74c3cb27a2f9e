//! Whether a Redis can keep what a scheme stores in it.

use chassis::module::StartError;
use redis::{ConnectionInfo, ErrorKind, RedisError, ServerErrorKind, Value};

use crate::timeout::{Failure, limit, with_timeout};
use crate::{Link, Redis};

/// What a scheme keeps in a Redis, which decides what must never be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredData {
    /// Sessions, refresh tokens or denials, which have a time to live, and the changed users.
    Credentials,
    /// The changed users alone, which have none.
    Users,
}

/// Rejects a Redis that cannot be written to or that may evict keys, with an error that says what to do. One that is
/// full now is accepted with a warning: credentials can still be checked and revoked.
pub(super) async fn check<L: Link>(
    redis: &Redis<L>,
    address: &ConnectionInfo,
    stored_data: StoredData,
) -> Result<(), StartError> {
    let unusable = |why: String| StartError::Failed(format!("cannot use Redis at {}: {why}", address.addr()));
    let late = || unusable(format!("no response within {} ms", limit().as_millis()));
    // A user without the permission to query this gets no response, and then the write has to suffice.
    let facts = with_timeout(redis.query_without_timeout::<Value>(&redis::cmd("INFO"))).await.ok_or_else(late)?;
    let facts = facts.map(Facts::of).unwrap_or_default();
    facts.check_mode::<L>().map_err(unusable)?;
    match with_timeout(redis.probe_without_timeout()).await.ok_or_else(late)? {
        Err(error) if is_temporary(&error) => {
            tracing::warn!(%error, "Redis accepts no writes; logins get 503 until it does");
        }
        probed => probed.map_err(|error| unusable(remedy(&error)))?,
    }
    facts.check_eviction(stored_data).map_err(unusable)
}

/// What a Redis reports about itself, on each of its nodes.
#[derive(Default)]
struct Facts(Vec<String>);

impl Facts {
    /// Parses the response to `INFO`, which a cluster returns for each node.
    fn of(info: Value) -> Self {
        let mut texts = vec![];
        collect(info, &mut texts);
        Self(texts)
    }

    fn values<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.0.iter().flat_map(|text| text.lines());
        lines.filter_map(move |line| line.strip_prefix(field)?.strip_prefix(':')).map(str::trim)
    }

    fn check_mode<L: Link>(&self) -> Result<(), String> {
        match (L::IS_CLUSTER, self.values("cluster_enabled").next()) {
            (false, Some("1")) => Err(IS_CLUSTER.to_owned()),
            (true, Some("0")) => Err(IS_SINGLE.to_owned()),
            _ => Ok(()),
        }
    }

    fn check_eviction(&self, stored_data: StoredData) -> Result<(), String> {
        let mut policies = self.values("maxmemory_policy").peekable();
        if policies.peek().is_none() {
            tracing::warn!("Redis does not report its maxmemory-policy; make sure that it is noeviction");
        }
        let evicts_stored_data = |policy: &&str| match stored_data {
            StoredData::Credentials => *policy != "noeviction",
            StoredData::Users => policy.starts_with("allkeys-"),
        };
        let Some(policy) = policies.find(evicts_stored_data) else { return Ok(()) };
        Err(format!(
            "its maxmemory-policy is {policy}, which can evict logouts and disabled users when memory is short; set \
             maxmemory-policy noeviction"
        ))
    }
}

/// Returns every text in a response.
fn collect(value: Value, texts: &mut Vec<String>) {
    match value {
        Value::BulkString(bytes) => texts.push(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => texts.push(text),
        Value::Array(values) => values.into_iter().for_each(|value| collect(value, texts)),
        Value::Map(pairs) => pairs.into_iter().for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}

const IS_CLUSTER: &str = "it is a node of a Redis Cluster; use the scheme session-redis-cluster or a Redis with \
                          cluster-enabled no";
pub(super) const IS_SINGLE: &str = "it is a single Redis, not a cluster; use the scheme session-redis or a node of a \
                                    Redis Cluster";

/// Returns whether it will accept writes again without a new configuration: it is full, cannot save, or lacks replicas.
fn is_temporary(error: &RedisError) -> bool {
    error.rejected_write() && error.kind() != ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// What is wrong, and what to do about it.
pub(super) fn remedy(error: &RedisError) -> String {
    let needs_password = "it requires another user name or password; put them into the URL, such as \
                          redis://USER:PASSWORD@127.0.0.1:6379/0, or omit the user";
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            format!("{error}: {needs_password}")
        }
        (_, Some("READONLY")) => "it is a read-only replica; set the address of its primary".to_owned(),
        (_, Some("NOPERM")) => {
            format!("{error}; allow this user all commands on the keys and channels of --key-prefix")
        }
        (_, Some("MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT")) => format!("{error}: {IS_CLUSTER}"),
        (_, Some("LOADING")) => format!("{error}; start the server again when Redis has loaded its data"),
        _ => error.to_string(),
    }
}
