//! A cluster as the way to Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use redis::aio::ConnectionLike;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisFuture, Value};
use tokio::time::{Instant, sleep_until};

use crate::link::{CONNECT_RETRIES, CONNECT_TIMEOUT, Link, RETRY_PAUSE, tcp_settings};
use crate::timeout::{STORE_TIMEOUT, with_timeout};

/// A Redis Cluster: a connection to each of its nodes, shared like that of [`Multiplexed`](crate::Multiplexed), and a map
/// of the slots that is read again when a node redirects a command or is lost.
///
/// The client of `redis` 1.8 can lose a cluster for good: it drops every node, or waits for itself. So after a failed
/// operation a new one is created, which discovers the cluster as at the start, from the given node; until
/// there is one, and while that node is down, the old one stays in use.
pub struct Clustered(Arc<Cluster>);

struct Cluster {
    client: ClusterClient,
    connection: ArcSwap<ClusterConnection>,
    /// Whether another connection is being made.
    reconnecting: AtomicBool,
}

impl Clustered {
    /// Finds the cluster of which this is a node.
    pub async fn connect(node: ConnectionInfo) -> Result<Self, RedisError> {
        let client = ClusterClient::builder([node])
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(STORE_TIMEOUT)
            .retries(CONNECT_RETRIES as u32)
            .tcp_settings(tcp_settings())
            .build()?;
        let connection = ArcSwap::from_pointee(client.get_async_connection().await?);
        Ok(Self(Arc::new(Cluster { client, connection, reconnecting: AtomicBool::new(false) })))
    }
}

impl Cluster {
    /// Returns the same result; requests a new connection if it is a connection failure and not a node's response.
    fn check_result<T>(self: &Arc<Self>, result: Result<T, RedisError>) -> Result<T, RedisError> {
        let kind = result.as_ref().err().map(RedisError::kind);
        let lost = matches!(kind, Some(ErrorKind::Io | ErrorKind::ClusterConnectionNotFound));
        if lost && !self.reconnecting.swap(true, Ordering::Relaxed) {
            tokio::spawn(Arc::clone(self).reconnect());
        }
        result
    }

    async fn reconnect(self: Arc<Self>) {
        if let Some(Ok(connection)) = with_timeout(self.client.get_async_connection()).await {
            self.connection.store(Arc::new(connection));
        }
        sleep_until(Instant::now() + RETRY_PAUSE).await;
        self.reconnecting.store(false, Ordering::Relaxed);
    }
}

/// A connection to a cluster that reports its failures.
pub struct MonitoredConnection {
    connection: ClusterConnection,
    cluster: Arc<Cluster>,
}

impl ConnectionLike for MonitoredConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move { self.cluster.check_result(self.connection.req_packed_command(command).await) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let values = self.connection.req_packed_commands(commands, offset, count).await;
            self.cluster.check_result(values)
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

impl Link for Clustered {
    const IS_CLUSTER: bool = true;
    /// One in each sixteenth of the slots: a node that has a range of an eighth of them or more has one of these.
    const PROBE_HASH_TAGS: &'static [&'static str] = &[
        "{10}", "{3}", "{61}", "{43}", "{11}", "{2}", "{60}", "{42}", "{12}", "{1}", "{63}", "{41}", "{13}", "{0}",
        "{62}", "{40}",
    ];
    type Connection = MonitoredConnection;

    async fn connection(&self) -> Result<MonitoredConnection, RedisError> {
        let connection = ClusterConnection::clone(&self.0.connection.load());
        Ok(MonitoredConnection { connection, cluster: Arc::clone(&self.0) })
    }
}
