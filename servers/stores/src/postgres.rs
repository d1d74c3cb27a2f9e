//! `PostgreSQL` behind a pool, with prepared statements and a timeout.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

use crate::StoreError;
use crate::link::{KEEPALIVE, KEEPALIVE_INTERVAL};
use crate::patience::{Failure, PATIENCE, Repetition, patiently};

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_millis(500);
/// What serialises servers that start at once over the same empty database; any number would do.
const DEFINING: i64 = 0x6175_7468;

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
        config.connect_timeout(CONNECT).application_name("authbench").tcp_user_timeout(2 * PATIENCE);
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
    pub async fn define(&self, statement: &str) -> Result<(), StoreError> {
        patiently("PostgreSQL", async {
            let mut client = self.client().await?;
            let transaction = client.transaction().await?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&DEFINING]).await?;
            transaction.batch_execute(statement).await?;
            Ok::<_, Failed>(transaction.commit().await?)
        })
        .await
    }

    /// Whether it is a hot standby, which nothing can be written to.
    pub(crate) async fn is_standby(&self) -> Result<bool, StoreError> {
        Ok(self.row("SELECT 1 WHERE pg_is_in_recovery()", &[]).await?.is_some())
    }

    /// The row that a statement gives, if it gives one.
    pub async fn row(&self, statement: &str, parameters: Parameters<'_>) -> Result<Option<Row>, StoreError> {
        patiently("PostgreSQL", async {
            let mut repetition = Repetition::default();
            loop {
                let result = self.attempt_row(statement, parameters).await;
                if !self.is_due(&mut repetition, &result) {
                    return result;
                }
            }
        })
        .await
    }

    /// How many rows a statement has changed.
    pub async fn execute(&self, statement: &str, parameters: Parameters<'_>) -> Result<Changed, StoreError> {
        patiently("PostgreSQL", async {
            let mut repetition = Repetition::default();
            loop {
                let result = self.attempt(statement, parameters).await;
                if !self.is_due(&mut repetition, &result) {
                    return result.map(|rows| Changed { rows, repeated: repetition.used });
                }
            }
        })
        .await
    }

    async fn attempt_row(&self, statement: &str, parameters: Parameters<'_>) -> Result<Option<Row>, Failed> {
        let client = self.client().await?;
        let prepared = client.prepare_cached(statement).await?;
        Ok(client.query_opt(&prepared, parameters).await?)
    }

    async fn attempt(&self, statement: &str, parameters: Parameters<'_>) -> Result<u64, Failed> {
        let client = self.client().await?;
        let prepared = client.prepare_cached(statement).await?;
        Ok(client.execute(&prepared, parameters).await?)
    }

    /// Whether to repeat a statement. What closed its connection has closed the idle ones as well, and the pool may not
    /// have noticed yet.
    fn is_due<T>(&self, repetition: &mut Repetition, result: &Result<T, Failed>) -> bool {
        let due = repetition.is_due(result);
        if due {
            self.pool.retain(|_, _| false);
        }
        due
    }

    async fn client(&self) -> Result<Object, Failed> {
        // Boxed, because this future is large, and every handler would have to hold it.
        Box::pin(self.pool.get()).await.map_err(Failed::Connect)
    }
}

/// Why a statement was not executed.
#[derive(Debug)]
enum Failed {
    Connect(PoolError),
    Statement(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => causes(error, f),
            Self::Statement(error) => causes(error, f),
        }
    }
}

impl Failure for Failed {
    fn lost_connection(&self) -> bool {
        use std::error::Error as _;

        let Self::Statement(error) = self else { return false };
        let broken = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>()).is_some();
        let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::IDLE_SESSION_TIMEOUT];
        broken || error.is_closed() || error.code().is_some_and(|code| ended.contains(code))
    }

    fn refused_write(&self) -> bool {
        let refused = [SqlState::DISK_FULL, SqlState::READ_ONLY_SQL_TRANSACTION];
        matches!(self, Self::Statement(error) if error.code().is_some_and(|code| refused.contains(code)))
    }
}

/// An error with those of its causes that it does not state itself: `tokio_postgres` states only "db error" at the
/// top, and its pool the error of the connection.
fn causes(error: &dyn std::error::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        cause = error.source();
    }
    f.write_str(&said)
}
