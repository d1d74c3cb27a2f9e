//! Changes of the seeded users: new passwords, roles, lock-outs.
//!
//! It is separate from credentials, like the user table of any application: it is queried at login and at
//! renewals, never to check a credential. Only differences from the seed are stored.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contract::body::Identity;
use futures_util::future::BoxFuture;

use crate::auth::AuthError;

/// The state of a user, where it differs from the seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserState {
    /// Locked out: no login, no renewal.
    pub disabled: bool,
    /// The roles; none: as seeded.
    pub roles: Option<Vec<String>>,
    /// The password hash in PHC form; none: as seeded.
    pub password: Option<String>,
    /// The number of changes. Credentials issued at an earlier epoch cannot be renewed.
    pub epoch: u64,
}

impl UserState {
    /// Returns this user in the current state.
    #[must_use]
    pub fn applied_to(self, identity: Identity) -> Identity {
        Identity { roles: self.roles.unwrap_or(identity.roles), ..identity }
    }

    fn change(&mut self, change: Change) {
        self.epoch += 1;
        self.disabled = change.disabled.unwrap_or(self.disabled);
        self.roles = change.roles.or_else(|| self.roles.take());
        self.password = change.password.or_else(|| self.password.take());
    }
}

/// A change of a user. What is none stays; the epoch grows by one in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Disables or enables the user.
    pub disabled: Option<bool>,
    /// The new roles.
    pub roles: Option<Vec<String>>,
    /// The hash of the new password, in PHC form.
    pub password: Option<String>,
}

/// The changed users. Servers that share one directory agree on who may log in.
pub trait Directory: Send + Sync + 'static {
    /// Returns the state of this user; the default for one without changes.
    fn user_state(&self, user: u32) -> BoxFuture<'_, Result<UserState, AuthError>>;

    /// Changes a user. Fields of changes that happen at once do not overwrite each other.
    fn change(&self, user: u32, change: Change) -> BoxFuture<'_, Result<(), AuthError>>;

    /// Changes a user whose epoch is still this one; returns whether it was. Of several such concurrent changes exactly
    /// one succeeds.
    fn change_at_epoch(&self, user: u32, epoch: u64, change: Change) -> BoxFuture<'_, Result<bool, AuthError>>;
}

/// The changes made through this process.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<HashMap<u32, UserState>>);

impl InMemory {
    fn changed(&self) -> MutexGuard<'_, HashMap<u32, UserState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for InMemory {
    fn user_state(&self, user: u32) -> BoxFuture<'_, Result<UserState, AuthError>> {
        let state = self.changed().get(&user).cloned().unwrap_or_default();
        Box::pin(std::future::ready(Ok(state)))
    }

    fn change(&self, user: u32, change: Change) -> BoxFuture<'_, Result<(), AuthError>> {
        self.changed().entry(user).or_default().change(change);
        Box::pin(std::future::ready(Ok(())))
    }

    fn change_at_epoch(&self, user: u32, epoch: u64, change: Change) -> BoxFuture<'_, Result<bool, AuthError>> {
        let mut changed = self.changed();
        let state = changed.entry(user).or_default();
        let current = state.epoch == epoch;
        if current {
            state.change(change);
        }
        Box::pin(std::future::ready(Ok(current)))
    }
}
