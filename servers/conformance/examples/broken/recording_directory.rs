//! A directory that records the last change, so that revocations can be distinguished.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chassis::auth::AuthError;
use chassis::directory::{Change, Directory, UserState};

/// How an authenticator learns why it is called to revoke a user's credentials.
pub(crate) type Changes = Arc<Mutex<HashMap<u32, Change>>>;

pub(crate) struct RecordingDirectory {
    pub(crate) inner: Arc<dyn Directory>,
    pub(crate) changes: Changes,
}

impl Directory for RecordingDirectory {
    fn user_state(
        &self,
        user: u32,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<UserState, AuthError>> + Send + '_>> {
        self.inner.user_state(user)
    }

    fn change(
        &self,
        user: u32,
        change: Change,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), AuthError>> + Send + '_>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).insert(user, change.clone());
        self.inner.change(user, change)
    }

    fn change_at_epoch(
        &self,
        user: u32,
        epoch: u64,
        change: Change,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<bool, AuthError>> + Send + '_>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).insert(user, change.clone());
        self.inner.change_at_epoch(user, epoch, change)
    }
}
