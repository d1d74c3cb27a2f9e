//! `PostgreSQL` behind a pool, with prepared statements and a timeout.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

use crate::StoreError;
use crate::link::{KEEPALIVE, KEEPALIVE_INTERVAL};
use crate::timeout::{Failure, RetryOnce, STORE_TIMEOUT, query_with_timeout};

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// What serialises servers that start at once over the same empty database; any number would do.
const SCHEMA_LOCK: i64 = 0x6175_7468;

/// A database.
///
/// A statement whose connection was lost is repeated once over a new one, because load balancers and administrators
/// close idle connections. So each has to be idempotent, or to define the meaning of a repetition.
pub struct Postgres {
    pool: Pool,
}

/// What a statement has changed.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    /// Rows, by the last attempt.
    pub rows: u64,
    /// Whether that was the second one: the first may have changed them already.
    pub repeated: bool,
}

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Postgres {
    /// Connects once, so that a database that is not there is noticed now; up to `size` times later.
    pub async fn connect(mut config: Config, size: usize) -> Result<Self, StoreError> {
        config.connect_timeout(CONNECT_TIMEOUT).application_name("authbench").tcp_user_timeout(2 * STORE_TIMEOUT);
        config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE_INTERVAL);
        // A lost connection is detected by itself: no query is needed to check it.
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        // Nor has the pool timers of its own: whole operations are timed, the wait for a connection among them.
        let pool = Pool::builder(manager).max_size(size).build();
        let postgres = Self { pool: pool.expect("only a pool with timers needs a runtime") };
        postgres.execute("SELECT 1", &[]).await?;
        Ok(postgres)
    }

    /// Makes a table or an index, if it is not there. Servers that start together do it one after another.
    pub async fn create_if_missing(&self, statement: &str) -> Result<(), StoreError> {
        query_with_timeout("PostgreSQL", async {
            let mut client = self.client().await?;
            let transaction = client.transaction().await?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK]).await?;
            transaction.batch_execute(statement).await?;
            Ok::<_, StatementError>(transaction.commit().await?)
        })
        .await
    }

    /// Whether it is a hot standby, which nothing can be written to.
    pub(crate) async fn is_standby(&self) -> Result<bool, StoreError> {
        Ok(self.row("SELECT 1 WHERE pg_is_in_recovery()", &[]).await?.is_some())
    }

    /// The row that a statement gives, if it gives one.
    pub async fn row(&self, statement: &str, parameters: Parameters<'_>) -> Result<Option<Row>, StoreError> {
        query_with_timeout("PostgreSQL", async {
            let mut retry = RetryOnce::default();
            loop {
                let result = self.attempt_row(statement, parameters).await;
                if !self.should_retry(&mut retry, &result) {
                    return result;
                }
            }
        })
        .await
    }

    /// How many rows a statement has changed.
    pub async fn execute(&self, statement: &str, parameters: Parameters<'_>) -> Result<Changed, StoreError> {
        query_with_timeout("PostgreSQL", async {
            let mut retry = RetryOnce::default();
            loop {
                let result = self.attempt(statement, parameters).await;
                if !self.should_retry(&mut retry, &result) {
                    return result.map(|rows| Changed { rows, repeated: retry.repeated });
                }
            }
        })
        .await
    }

    async fn attempt_row(&self, statement: &str, parameters: Parameters<'_>) -> Result<Option<Row>, StatementError> {
        let client = self.client().await?;
        let prepared = client.prepare_cached(statement).await?;
        Ok(client.query_opt(&prepared, parameters).await?)
    }

    async fn attempt(&self, statement: &str, parameters: Parameters<'_>) -> Result<u64, StatementError> {
        let client = self.client().await?;
        let prepared = client.prepare_cached(statement).await?;
        Ok(client.execute(&prepared, parameters).await?)
    }

    /// Whether to repeat a statement. What closed its connection has closed the idle ones as well, and the pool may not
    /// have noticed yet.
    fn should_retry<T>(&self, retry: &mut RetryOnce, result: &Result<T, StatementError>) -> bool {
        let due = retry.should_retry(result);
        if due {
            self.pool.retain(|_, _| false);
        }
        due
    }

    async fn client(&self) -> Result<Object, StatementError> {
        // Boxed, because this future is large, and every handler would have to hold it.
        Box::pin(self.pool.get()).await.map_err(StatementError::Connect)
    }
}

/// Why a statement was not executed.
#[derive(Debug)]
enum StatementError {
    Connect(PoolError),
    Statement(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for StatementError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write_causes(error, f),
            Self::Statement(error) => write_causes(error, f),
        }
    }
}

impl Failure for StatementError {
    fn lost_connection(&self) -> bool {
        use std::error::Error as _;

        let Self::Statement(error) = self else { return false };
        let broken = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>()).is_some();
        let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::IDLE_SESSION_TIMEOUT];
        broken || error.is_closed() || error.code().is_some_and(|code| ended.contains(code))
    }

    fn rejected_write(&self) -> bool {
        let rejections = [SqlState::DISK_FULL, SqlState::READ_ONLY_SQL_TRANSACTION];
        matches!(self, Self::Statement(error) if error.code().is_some_and(|code| rejections.contains(code)))
    }
}

/// An error with those of its causes that it does not state itself: `tokio_postgres` states only "db error" at the
/// top, and its pool the error of the connection.
fn write_causes(error: &dyn std::error::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    f.write_str(&text)
}
