//! `PostgreSQL` behind a pool, asked with prepared statements and with patience that ends.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

use crate::StoreError;
use crate::patience::{PATIENCE, patiently};

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_millis(500);
/// What serialises servers that start at once over the same empty database; any number would do.
const DEFINING: i64 = 0x6175_7468;

/// A database.
pub struct Postgres {
    pool: Pool,
}

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Postgres {
    /// Connects once, so that a database that is not there is noticed now; up to `size` times later.
    pub async fn connect(mut config: Config, size: usize) -> Result<Self, StoreError> {
        config.connect_timeout(CONNECT).application_name("authbench").tcp_user_timeout(2 * PATIENCE);
        // A connection that was lost says so by itself: no query is spent on looking after it.
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        // Nor has the pool timers of its own: whole operations are timed, the wait for a connection among them.
        let pool = Pool::builder(manager).max_size(size).build();
        let postgres = Self { pool: pool.expect("only a pool with timers can want for a runtime") };
        postgres.ping().await?;
        Ok(postgres)
    }

    /// Makes a table or an index, if it is not there. Servers that start together do it one after another.
    pub async fn define(&self, statement: &str) -> Result<(), StoreError> {
        patiently("PostgreSQL", async {
            let mut client = self.client().await?;
            let transaction = client.transaction().await.map_err(text)?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&DEFINING]).await.map_err(text)?;
            transaction.batch_execute(statement).await.map_err(text)?;
            transaction.commit().await.map_err(text)
        })
        .await
    }

    /// The row that a statement gives, if it gives one.
    pub async fn row(&self, statement: &str, parameters: Parameters<'_>) -> Result<Option<Row>, StoreError> {
        patiently("PostgreSQL", async {
            let client = self.client().await?;
            let prepared = client.prepare_cached(statement).await.map_err(text)?;
            client.query_opt(&prepared, parameters).await.map_err(text)
        })
        .await
    }

    /// How many rows a statement has changed.
    pub async fn execute(&self, statement: &str, parameters: Parameters<'_>) -> Result<u64, StoreError> {
        patiently("PostgreSQL", async {
            let client = self.client().await?;
            let prepared = client.prepare_cached(statement).await.map_err(text)?;
            client.execute(&prepared, parameters).await.map_err(text)
        })
        .await
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.execute("SELECT 1", &[]).await.map(|_| ())
    }

    async fn client(&self) -> Result<deadpool_postgres::Object, String> {
        // Boxed, because this future is large, and every handler would have to hold it.
        Box::pin(self.pool.get()).await.map_err(text)
    }
}

/// An error with its causes: `tokio_postgres` says no more than "db error" at the top.
fn text(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
