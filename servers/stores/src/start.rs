//! Connections at the start of a module, with errors that name the flag and say what to do.

mod pooler;
mod redis;

use std::error::Error as _;
use std::sync::Arc;

use ::redis::{ConnectionInfo, ErrorKind, RedisError};
use chassis::module::{ModuleSettings, StartError};
use tokio_postgres::config::Host;

use crate::timeout::with_timeout;
use crate::{Clustered, Link, Multiplexed, Pooled, Postgres, Redis, address};

pub use redis::StoredData;

/// Redis over one connection.
pub async fn multiplexed(
    start: &ModuleSettings,
    stored_data: StoredData,
) -> Result<Arc<Redis<Multiplexed>>, StartError> {
    let address = redis_address(start)?;
    let link = Multiplexed::connect(address.clone()).await;
    check(start, link.map_err(|error| unreachable(&address, &error))?, &address, stored_data).await
}

/// Redis over a pool of this many connections.
pub async fn pooled(start: &ModuleSettings, size: usize) -> Result<Arc<Redis<Pooled>>, StartError> {
    let address = redis_address(start)?;
    let link = Pooled::connect(address.clone(), size).await;
    check(start, link.map_err(|error| unreachable(&address, &error))?, &address, StoredData::Credentials).await
}

/// The cluster that a node of it knows.
pub async fn clustered(start: &ModuleSettings) -> Result<Arc<Redis<Clustered>>, StartError> {
    let address = redis_address(start)?;
    if start.key_prefix.contains(['{', '}']) {
        let text = format!(
            "--key-prefix {}: must not contain braces, which a cluster interprets as hash tags",
            start.key_prefix
        );
        return Err(StartError::Usage(text));
    }
    match Clustered::connect(address.clone()).await {
        Ok(link) => check(start, link, &address, StoredData::Credentials).await,
        Err(error) => Err(no_cluster_error(start, &address, &error).await),
    }
}

/// Returns why there is no cluster at this address: a plain connection finds out more than the failure of all nodes.
async fn no_cluster_error(start: &ModuleSettings, address: &ConnectionInfo, error: &RedisError) -> StartError {
    let location = address.addr();
    let plain = match Multiplexed::connect(address.clone()).await {
        Ok(link) => Redis::new(link, &start.key_prefix),
        Err(error) => return unreachable(address, &error),
    };
    match with_timeout(plain.query_without_timeout::<String>(&::redis::cmd("INFO"))).await {
        Some(Ok(info)) if info.contains("cluster_enabled:0") => {
            StartError::Failed(format!("cannot use Redis at {location}: {}", redis::IS_SINGLE))
        }
        Some(Err(error)) => unreachable(address, &error),
        _ => StartError::Failed(format!(
            "cannot reach a Redis Cluster at {location}: {error}; check with CLUSTER INFO that all slots are served"
        )),
    }
}

/// `PostgreSQL` over a pool of this many connections.
pub async fn postgres(start: &ModuleSettings, size: usize) -> Result<Arc<Postgres>, StartError> {
    const EXAMPLE_URL: &str = "postgresql://user@127.0.0.1:5432/database";
    let Some(url) = &start.postgres_url else {
        return Err(StartError::Usage(format!("{} needs --postgres-url, such as {EXAMPLE_URL}", start.scheme)));
    };
    // The URL itself is left out: it may hold a password.
    let config: tokio_postgres::Config = url.parse().map_err(|error: tokio_postgres::Error| {
        // Only the cause says which parameter is wrong.
        let wrong = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        StartError::Usage(format!("--postgres-url: {wrong}; expected a URL such as {EXAMPLE_URL}"))
    })?;
    if config.get_hosts().is_empty() {
        return Err(StartError::Usage(format!("--postgres-url has no host; expected a URL such as {EXAMPLE_URL}")));
    }
    let location = location(&config);
    let connected = Postgres::connect(config.clone(), size).await;
    let unusable = |why: &str| StartError::Failed(format!("cannot use PostgreSQL at {location}: {why}"));
    if pooler::loses_statements(&config).await {
        return Err(unusable(pooler::LOSES_STATEMENTS));
    }
    let postgres = connected.map_err(|error| {
        StartError::Failed(format!(
            "cannot reach PostgreSQL at {location}: {error}; start it or set another --postgres-url"
        ))
    })?;
    if postgres.is_standby().await.map_err(|error| unusable(&error.to_string()))? {
        return Err(unusable("it is a read-only hot standby; set the address of its primary"));
    }
    Ok(Arc::new(postgres))
}

/// Where a configuration leads, without the password that may be in it.
fn location(config: &tokio_postgres::Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => "no host".to_owned(),
    };
    config.get_ports().first().map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

/// The address that was given.
pub fn redis_address(start: &ModuleSettings) -> Result<ConnectionInfo, StartError> {
    let Some(url) = &start.redis_url else {
        let text = format!("{} needs --redis-url, such as redis://127.0.0.1:6379/0", start.scheme);
        return Err(StartError::Usage(text));
    };
    // The URL itself is left out: it may hold a password.
    address(url).map_err(|error| {
        StartError::Usage(format!("--redis-url: {error}; expected a URL such as redis://127.0.0.1:6379/0"))
    })
}

/// A Redis that cannot be reached, or rejects the login.
#[must_use]
pub fn unreachable(address: &ConnectionInfo, error: &RedisError) -> StartError {
    let location = address.addr();
    if error.code().is_some() || error.kind() == ErrorKind::AuthenticationFailed {
        return StartError::Failed(format!("cannot use Redis at {location}: {}", redis::remedy(error)));
    }
    StartError::Failed(format!("cannot reach Redis at {location}: {error}; start it or set another --redis-url"))
}

/// A Redis that can keep what is stored in it.
async fn check<L: Link>(
    start: &ModuleSettings,
    link: L,
    address: &ConnectionInfo,
    stored_data: StoredData,
) -> Result<Arc<Redis<L>>, StartError> {
    let redis = Redis::new(link, &start.key_prefix);
    redis::check(&redis, address, stored_data).await?;
    Ok(Arc::new(redis))
}
