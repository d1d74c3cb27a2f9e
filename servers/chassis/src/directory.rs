//! What has become of the seeded users since: new passwords, other roles, lock-outs.
//!
//! It stands apart from credentials, as the table of users does in any application: it is asked at login and at
//! renewals, never to check a credential. Only what differs from the seed is kept.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contract::body::Identity;
use futures_util::future::BoxFuture;

use crate::auth::AuthError;

/// How a user stands now, where he differs from his seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Locked out: no login, no renewal.
    pub disabled: bool,
    /// What he may do; none: as seeded.
    pub roles: Option<Vec<String>>,
    /// The hash of his password in PHC form; none: as seeded.
    pub password: Option<String>,
    /// How often something of him was changed. What was handed out at an earlier epoch is not to be renewed.
    pub epoch: u64,
}

impl Standing {
    /// This user as he is now.
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
    /// Locked out, or let in again.
    pub disabled: Option<bool>,
    /// What he may do from now on.
    pub roles: Option<Vec<String>>,
    /// The hash of his new password, in PHC form.
    pub password: Option<String>,
}

/// The users who have changed. Servers that share one agree on who may log in.
pub trait Directory: Send + Sync + 'static {
    /// How this user stands; for one who never changed, the default.
    fn standing(&self, user: u32) -> BoxFuture<'_, Result<Standing, AuthError>>;

    /// Changes a user. Fields of changes that happen at once do not overwrite each other.
    fn change(&self, user: u32, change: Change) -> BoxFuture<'_, Result<(), AuthError>>;

    /// Changes a user whose epoch is still this one; returns whether it was. Of several such changes at once exactly
    /// one is made.
    fn change_at(&self, user: u32, epoch: u64, change: Change) -> BoxFuture<'_, Result<bool, AuthError>>;
}

/// The changes that this process was told of.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<HashMap<u32, Standing>>);

impl InMemory {
    fn changed(&self) -> MutexGuard<'_, HashMap<u32, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for InMemory {
    fn standing(&self, user: u32) -> BoxFuture<'_, Result<Standing, AuthError>> {
        let standing = self.changed().get(&user).cloned().unwrap_or_default();
        Box::pin(std::future::ready(Ok(standing)))
    }

    fn change(&self, user: u32, change: Change) -> BoxFuture<'_, Result<(), AuthError>> {
        self.changed().entry(user).or_default().change(change);
        Box::pin(std::future::ready(Ok(())))
    }

    fn change_at(&self, user: u32, epoch: u64, change: Change) -> BoxFuture<'_, Result<bool, AuthError>> {
        let mut changed = self.changed();
        let standing = changed.entry(user).or_default();
        let current = standing.epoch == epoch;
        if current {
            standing.change(change);
        }
        Box::pin(std::future::ready(Ok(current)))
    }
}
