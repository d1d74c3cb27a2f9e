//! How long a store is waited for.

use std::pin::pin;
use std::time::Duration;

use chassis::auth::AuthError;
use tokio::time::timeout;

/// The time limit of any operation: after it the store counts as down. It is under a second, and
/// above what a connection and one lost packet take.
pub const STORE_TIMEOUT: Duration = Duration::from_millis(800);

/// The time limit while a server starts: no client waits for a response yet, and creating tables on a busy disk takes longer
/// than reading a row.
const START_TIMEOUT: Duration = STORE_TIMEOUT.saturating_mul(6);

tokio::task_local! {
    static STARTING: ();
}

/// Builds a module whose operations have the time limit of a start.
pub async fn at_start<T>(build: impl Future<Output = T>) -> T {
    STARTING.scope((), build).await
}

/// Returns the time limit of an operation of the current task.
pub(crate) fn limit() -> Duration {
    if STARTING.try_get().is_ok() { START_TIMEOUT } else { STORE_TIMEOUT }
}

/// The store did not execute the operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, does not respond in time, or responds with an error of its own. That proves nothing about
    /// the operation.
    #[error("{0}")]
    Unavailable(String),
    /// It responds and accepts no writes: it is full or read-only. Nothing was changed.
    #[error("{0}")]
    NotWritable(String),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::StoreUnavailable(reason),
            StoreError::NotWritable(reason) => Self::StoreNotWritable(reason),
        }
    }
}

/// What a client library reports when an operation failed.
pub(crate) trait Failure: std::fmt::Display {
    /// Returns whether a connection in use was lost, such as one that was closed while idle. The operation may have
    /// been performed or not. A failed attempt to connect does not count: a store that is down is not queried twice.
    fn lost_connection(&self) -> bool;

    /// Whether the store is full or read-only.
    fn rejected_write(&self) -> bool;
}

/// Allows one repetition of an operation whose connection was lost.
#[derive(Default)]
pub(crate) struct RetryOnce {
    /// Whether this is the second attempt: the first may have been performed already.
    pub(crate) repeated: bool,
}

impl RetryOnce {
    /// Whether to perform the operation, which must be idempotent, once more.
    pub(crate) fn should_retry<T, E: Failure>(&mut self, result: &Result<T, E>) -> bool {
        let due = !self.repeated && result.as_ref().is_err_and(Failure::lost_connection);
        self.repeated |= due;
        due
    }
}

/// Parts of the timeout, each counted once however long it lasted: while the machine or this process
/// pauses, no response of the store could arrive, and that is not the store's fault.
const PARTS: u32 = 8;

/// Returns the response of the store with this name, if it arrives in time.
pub(crate) async fn query_with_timeout<T, E: Failure>(
    store: &str,
    operation: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match with_timeout(operation).await {
        Some(response) => response.map_err(|error| {
            let kind = if error.rejected_write() { StoreError::NotWritable } else { StoreError::Unavailable };
            kind(format!("{store}: {error}"))
        }),
        None => Err(StoreError::Unavailable(format!("{store}: no response within {} ms", limit().as_millis()))),
    }
}

/// What comes of this, if it comes while it is waited for.
pub(crate) async fn with_timeout<T>(operation: impl Future<Output = T>) -> Option<T> {
    let mut operation = pin!(operation);
    let limit = limit();
    for _ in 0..PARTS {
        if let Ok(response) = timeout(limit / PARTS, operation.as_mut()).await {
            return Some(response);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep_until};

    use super::*;

    #[tokio::test]
    async fn response_that_arrives_during_a_process_pause_is_accepted() {
        let response = tokio::spawn(async {
            std::thread::sleep(2 * STORE_TIMEOUT);
            sleep_until(Instant::now() + STORE_TIMEOUT / PARTS).await;
        });
        assert!(with_timeout(response).await.is_some());
    }

    #[tokio::test]
    async fn start_has_a_longer_limit() {
        let late = sleep_until(Instant::now() + STORE_TIMEOUT * 5 / 4);
        assert!(at_start(with_timeout(late)).await.is_some());
        assert_eq!(limit(), STORE_TIMEOUT);
    }

    #[tokio::test]
    async fn silent_store_times_out_after_the_declared_time() {
        let (sent_at, silence) = (Instant::now(), std::future::pending::<()>());
        assert!(with_timeout(silence).await.is_none());
        assert!(sent_at.elapsed() >= STORE_TIMEOUT, "{:?}", sent_at.elapsed());
    }
}
