//! How long a store is waited for.

use std::time::Duration;

use chassis::auth::AuthError;
use tokio::time::timeout;

/// The longest that any operation takes: then the store counts as down. It is under a second, and
/// above what a connection and one lost packet take.
pub const PATIENCE: Duration = Duration::from_millis(800);

/// The store cannot be reached, does not answer in time, or answers with an error of its own. It
/// says nothing about what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::StoreUnavailable(error.0)
    }
}

/// The answer of the store with this name, if it comes in time.
pub(crate) async fn patiently<T, E: std::fmt::Display>(
    store: &str,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(|error| StoreError(format!("{store}: {error}"))),
        Err(_) => Err(StoreError(format!("{store}: no answer within {} ms", PATIENCE.as_millis()))),
    }
}
