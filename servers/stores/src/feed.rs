//! A connection over which Redis pushes changes, and which tracks the age of its state.
//!
//! Redis pushes at most once, and a connection may break silently. So a feed sends heartbeats all the
//! time: a `PING` with a response proves that everything that Redis had to push before it received that `PING` has arrived,
//! because responses and pushes share one ordered connection (RESP3). The state is then as of the moment at
//! which the `PING` was sent, and a user of it within a time limit is never more out of date than that.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, FromRedisValue, ProtocolVersion, PushInfo, PushKind, RedisError,
};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::StoreError;
use crate::timeout::{self, query_with_timeout};

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// The pause between two attempts.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Signs of life within a bound: a few may be late.
const HEARTBEATS_PER_BOUND: u32 = 8;

/// A receiver of pushes.
pub trait Subscriber: Send + Sync + 'static {
    /// Starts again over a new connection: the state may be out of date, and nothing is pushed yet. When this
    /// is done, everything that counts is known.
    fn on_connect(&self, connection: &mut MultiplexedConnection)
    -> impl Future<Output = Result<(), RedisError>> + Send;

    /// Handles a push. Pushes arrive in the order of the wire; it must not wait.
    fn on_push(&self, push: &PushInfo);
}

/// A feed at work, for as long as this value lives.
pub struct Feed {
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    started: Instant,
    /// Microseconds from `started` to the moment as of which everything is known; 0 for never.
    as_of_us: AtomicU64,
    bound: Duration,
    connection: watch::Sender<Option<MultiplexedConnection>>,
}

impl Feed {
    /// Connects, and notifies `subscriber`. It reconnects by itself. The state counts as fresh for `bound`.
    pub async fn start<A: Subscriber>(
        address: ConnectionInfo,
        subscriber: Arc<A>,
        bound: Duration,
    ) -> Result<Self, RedisError> {
        let settings = address.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(address.set_redis_settings(settings))?;
        let state = Arc::new(State {
            started: Instant::now(),
            as_of_us: AtomicU64::new(0),
            bound,
            connection: watch::Sender::default(),
        });
        let first = FeedSession::open(&client, &subscriber).await?;
        first.send_heartbeat(&state).await?;
        state.set_connection(Some(first.connection.clone()));
        let task = tokio::spawn(run_feed(client, subscriber, Arc::clone(&state), first));
        Ok(Self { state, task })
    }

    /// Whether what is known is younger than the bound.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let as_of_us = self.state.as_of_us.load(Ordering::Acquire);
        as_of_us > 0 && self.state.started.elapsed() <= Duration::from_micros(as_of_us) + self.state.bound
    }

    /// Returns the response to a command over the tracked connection; none while that connection is
    /// lost, which proves nothing about Redis.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<Option<T>, StoreError> {
        query_with_timeout("Redis", async {
            let Some(connection) = self.state.connection() else { return Ok(None) };
            query_unless_lost(connection, command).await
        })
        .await
    }

    /// Waits until everything that has happened in Redis so far has arrived; returns false if there is no connection.
    pub async fn catch_up(&self) -> Result<bool, StoreError> {
        Ok(self.query::<()>(&redis::cmd("PING")).await?.is_some())
    }

    /// Waits until everything that has happened in Redis so far has arrived, over a new connection if the present one is
    /// lost.
    pub async fn await_current(&self) -> Result<(), StoreError> {
        query_with_timeout("Redis", async {
            let mut connections = self.state.connection.subscribe();
            loop {
                let connection = connections.borrow_and_update().clone();
                if let Some(connection) = connection
                    && query_unless_lost::<()>(connection, &redis::cmd("PING")).await?.is_some()
                {
                    return Ok::<_, RedisError>(());
                }
                // The feed owns the sender.
                connections.changed().await.expect("a feed in use is not dropped");
            }
        })
        .await
    }
}

/// Returns the response to a command; none if the connection is lost.
async fn query_unless_lost<T: FromRedisValue>(
    mut connection: MultiplexedConnection,
    command: &Cmd,
) -> Result<Option<T>, RedisError> {
    match command.query_async(&mut connection).await {
        Ok(response) => Ok(Some(response)),
        Err(error) if error.is_io_error() || error.is_connection_dropped() => Ok(None),
        Err(error) => Err(error),
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }

    fn set_connection(&self, connection: Option<MultiplexedConnection>) {
        self.connection.send_replace(connection);
    }
}

/// One connection from its beginning to its loss.
struct FeedSession {
    connection: MultiplexedConnection,
    lost: Arc<Notify>,
}

impl FeedSession {
    async fn open<A: Subscriber>(client: &Client, subscriber: &Arc<A>) -> Result<Self, RedisError> {
        let lost = Arc::new(Notify::new());
        let (receiver, connection_lost) = (Arc::clone(subscriber), Arc::clone(&lost));
        let push = move |push: PushInfo| -> Result<(), std::convert::Infallible> {
            if push.kind == PushKind::Disconnection {
                connection_lost.notify_one();
            }
            receiver.on_push(&push);
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_push_sender(push);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        with_timeout(subscriber.on_connect(&mut connection)).await?;
        Ok(Self { connection, lost })
    }

    /// Sends a heartbeat, which proves the state up to the moment at which it was sent.
    async fn send_heartbeat(&self, state: &State) -> Result<(), RedisError> {
        let sent_us = state.started.elapsed().as_micros() as u64;
        let mut connection = self.connection.clone();
        let () = with_timeout(redis::cmd("PING").query_async(&mut connection)).await?;
        state.as_of_us.fetch_max(sent_us.max(1), Ordering::AcqRel);
        Ok(())
    }

    async fn send_heartbeats(&self, state: &State) {
        let pause = state.bound / HEARTBEATS_PER_BOUND;
        loop {
            let next = Instant::now() + pause;
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.lost.notified() => return,
            }
            if self.send_heartbeat(state).await.is_err() {
                return;
            }
        }
    }
}

async fn run_feed<A: Subscriber>(client: Client, subscriber: Arc<A>, state: Arc<State>, first: FeedSession) {
    let mut session = Some(first);
    loop {
        // The first heartbeat comes first: what is known over the connection is then fresh.
        if let Some(session) = session.take()
            && session.send_heartbeat(&state).await.is_ok()
        {
            state.set_connection(Some(session.connection.clone()));
            session.send_heartbeats(&state).await;
            state.set_connection(None);
        }
        session = FeedSession::open(&client, &subscriber).await.ok();
        if session.is_none() {
            sleep_until(Instant::now() + RECONNECT_PAUSE).await;
        }
    }
}

async fn with_timeout<T>(operation: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let late = || Err(RedisError::from(io::Error::from(io::ErrorKind::TimedOut)));
    timeout::with_timeout(operation).await.unwrap_or_else(late)
}
