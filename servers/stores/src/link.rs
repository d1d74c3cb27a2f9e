//! Ways to reach one Redis: all requests over one connection, or each over one of a pool.

use std::future::Future;
use std::time::Duration;

use deadpool_redis::{Manager, Pool, PoolError};
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisError};

/// How long one attempt to connect may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// Attempts to connect in a row after the first, and the least pause before each. While they last, all
/// requests wait for their end; so this bounds how often a dead Redis is knocked at.
pub(crate) const CONNECT_RETRIES: usize = 2;
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long sent bytes may stay unacknowledged before the connection counts as lost. Without it a host
/// that vanished is missed for as long as the kernel retransmits, which is a quarter of an hour.
pub(crate) const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(2);
/// Commands that may wait for the connection's task; more than that, and their senders wait as well.
const QUEUE_CAPACITY: usize = 4096;

/// After how long without traffic the kernel checks a connection, and how often then.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(30);
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Where connections come from.
pub trait Link: Send + Sync + 'static {
    /// Whether it leads to a cluster.
    const IS_CLUSTER: bool = false;
    /// Ends of keys that together lie on every node that can be written to.
    const PROBE_HASH_TAGS: &'static [&'static str] = &[""];

    /// Executes one command, or several after another.
    type Connection: ConnectionLike + Send;

    /// A connection for one operation.
    fn connection(&self) -> impl Future<Output = Result<Self::Connection, RedisError>> + Send;
}

/// One connection, shared: commands that are sent at about the same time travel together. It
/// reconnects by itself.
pub struct Multiplexed(ConnectionManager);

impl Multiplexed {
    /// Connects.
    pub async fn connect(address: ConnectionInfo) -> Result<Self, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_number_of_retries(CONNECT_RETRIES)
            .set_min_delay(RETRY_PAUSE)
            .set_pipeline_buffer_size(QUEUE_CAPACITY)
            // The store times whole operations; a second timer in each would only cost.
            .set_response_timeout(None);
        ConnectionManager::new_with_config(Client::open(address)?, config).await.map(Self)
    }
}

impl Link for Multiplexed {
    type Connection = ConnectionManager;

    async fn connection(&self) -> Result<ConnectionManager, RedisError> {
        Ok(self.0.clone())
    }
}

/// A pool of connections, each for one operation at a time. `deadpool-redis` sends `UNWATCH` and
/// `PING` before it reuses a connection, and has no switch for it. It has no timers of its own: the store times
/// whole operations, the wait for a connection among them.
pub struct Pooled(Pool);

impl Pooled {
    /// Connects once, so that a Redis that is not there is noticed now; up to `size` times later.
    pub async fn connect(address: ConnectionInfo, size: usize) -> Result<Self, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        let manager = Manager::new_with_config(address, config)?;
        let pool = Pool::builder(manager).max_size(size).build();
        let link = Self(pool.expect("only a pool with timers needs a runtime"));
        link.connection().await?;
        Ok(link)
    }
}

impl Link for Pooled {
    type Connection = deadpool_redis::Connection;

    async fn connection(&self) -> Result<Self::Connection, RedisError> {
        // Boxed, because this future takes 14 kB, and every scheme's handler would have to hold it.
        Box::pin(self.0.get()).await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            other => RedisError::from((redis::ErrorKind::Io, "no pooled connection", other.to_string())),
        })
    }
}

/// Commands are written whole: waiting to fill a segment would only add Nagle's delay. And idle connections are checked
/// by the kernel, before load balancers and firewalls forget them.
pub(crate) fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
    TcpSettings::default().set_nodelay(true).set_user_timeout(UNACKNOWLEDGED_TIMEOUT).set_keepalive(keepalive)
}

/// The address in a URL such as `redis://127.0.0.1:6379/0`.
pub fn address(url: &str) -> Result<ConnectionInfo, RedisError> {
    let settings = tcp_settings();
    Ok(url.into_connection_info()?.set_tcp_settings(settings))
}
