//! What a module connects to at its start, with errors that name the flag and say what to do.

use std::sync::Arc;

use chassis::module::{Start, StartError};
use redis::{ConnectionInfo, RedisError};
use tokio_postgres::config::Host;

use crate::{Clustered, Link, Multiplexed, Pooled, Postgres, Redis, address};

/// Redis over one connection.
pub async fn multiplexed(start: &Start) -> Result<Arc<Redis<Multiplexed>>, StartError> {
    let address = redis_address(start)?;
    let link = Multiplexed::connect(address.clone()).await;
    Ok(redis(start, link.map_err(|error| unreachable(&address, &error))?))
}

/// Redis over a pool of this many connections.
pub async fn pooled(start: &Start, size: usize) -> Result<Arc<Redis<Pooled>>, StartError> {
    let address = redis_address(start)?;
    let link = Pooled::connect(address.clone(), size).await;
    Ok(redis(start, link.map_err(|error| unreachable(&address, &error))?))
}

/// The cluster that a node of it knows.
pub async fn clustered(start: &Start) -> Result<Arc<Redis<Clustered>>, StartError> {
    let address = redis_address(start)?;
    if start.key_prefix.contains(['{', '}']) {
        let text = format!("--key-prefix {}: braces would decide where keys lie in a cluster", start.key_prefix);
        return Err(StartError::Usage(text));
    }
    let link = Clustered::connect(address.clone()).await;
    let place = address.addr().to_string();
    let unreachable = |error| {
        StartError::Failed(format!(
            "cannot reach a Redis Cluster at {place}: {error}; is it one (cluster-enabled yes), with all slots served?"
        ))
    };
    Ok(redis(start, link.map_err(unreachable)?))
}

/// `PostgreSQL` over a pool of this many connections.
pub async fn postgres(start: &Start, size: usize) -> Result<Arc<Postgres>, StartError> {
    const LIKE: &str = "postgresql://user@127.0.0.1:5432/database";
    let Some(url) = &start.postgres_url else {
        return Err(StartError::Usage(format!("{} needs --postgres-url, such as {LIKE}", start.scheme)));
    };
    // The URL itself is left out: it may hold a password.
    let config: tokio_postgres::Config =
        url.parse().map_err(|error| StartError::Usage(format!("--postgres-url: {error}; it is like {LIKE}")))?;
    let place = place(&config);
    let postgres = Postgres::connect(config, size).await.map_err(|error| {
        StartError::Failed(format!(
            "cannot reach PostgreSQL at {place}: {error}; start it, or give another --postgres-url"
        ))
    })?;
    Ok(Arc::new(postgres))
}

/// Where a configuration leads, without the password that may be in it.
fn place(config: &tokio_postgres::Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => "no host".to_owned(),
    };
    config.get_ports().first().map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

/// The address that was given.
pub fn redis_address(start: &Start) -> Result<ConnectionInfo, StartError> {
    let Some(url) = &start.redis_url else {
        let text = format!("{} needs --redis-url, such as redis://127.0.0.1:6379/0", start.scheme);
        return Err(StartError::Usage(text));
    };
    // The URL itself is left out: it may hold a password.
    address(url)
        .map_err(|error| StartError::Usage(format!("--redis-url: {error}; it is like redis://127.0.0.1:6379/0")))
}

/// A Redis that is not there.
#[must_use]
pub fn unreachable(address: &ConnectionInfo, error: &RedisError) -> StartError {
    let address = address.addr();
    StartError::Failed(format!("cannot reach Redis at {address}: {error}; start it, or give another --redis-url"))
}

fn redis<L: Link>(start: &Start, link: L) -> Arc<Redis<L>> {
    Arc::new(Redis::new(link, &start.key_prefix))
}
