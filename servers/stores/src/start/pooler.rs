//! Detects a connection pooler in front of `PostgreSQL` that loses prepared statements.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

use crate::timeout::with_timeout;

/// What to do about it.
pub(super) const LOSES_STATEMENTS: &str = "a connection pooler in transaction mode, such as PgBouncer, is in front of \
     it and loses prepared statements between two transactions; use its session mode, PgBouncer 1.21 or later with max_prepared_statements above 0, or the \
     database's own port";

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the repeated statement may take: a pooler without another server connection lets it wait.
const REPEAT_TIMEOUT: Duration = Duration::from_millis(400);

/// Returns whether a statement that was prepared over a connection is lost to its next transaction.
///
/// A pooler in transaction mode gives the server connection on which it was prepared to the next client that begins a
/// transaction. Here that is a second client of our own, so the first one's next transaction gets another one.
/// If this cannot be determined, for example without a second connection, the pooler is accepted.
pub(super) async fn loses_statements(config: &Config) -> bool {
    let mut config = config.clone();
    config.connect_timeout(CONNECT_TIMEOUT).application_name("authbench");
    match with_timeout(detect_loss(&config)).await {
        Some(Ok(lost)) => lost,
        Some(Err(error)) => is_statement_loss(&error),
        None => false,
    }
}

async fn detect_loss(config: &Config) -> Result<bool, Error> {
    let (first, second) = (connect(config).await?, connect(config).await?);
    let prepared = first.prepare("SELECT pg_backend_pid()::text").await?;
    let own: String = first.query_one(&prepared, &[]).await?.get(0);
    second.batch_execute("BEGIN").await?;
    let shared = second
        .simple_query("SELECT pg_backend_pid()")
        .await?
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(own.as_str())));
    let again = timeout(REPEAT_TIMEOUT, first.execute(&prepared, &[])).await;
    second.batch_execute("ROLLBACK").await?;
    match again {
        Ok(again) => again.map(|_| false),
        Err(_) => Ok(shared),
    }
}

async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The statement is unknown, or another process has left one of this name, or there are no transactions at all.
fn is_statement_loss(error: &Error) -> bool {
    let lost = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
    let statement_mode = error.as_db_error().is_some_and(|error| error.message().contains("statement pooling"));
    statement_mode || error.code().is_some_and(|code| lost.contains(code))
}
