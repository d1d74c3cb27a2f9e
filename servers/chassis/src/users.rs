//! The users: computed from their number, so that a million need no memory that would be mistaken for the
//! memory of their sessions, and changed according to the directory.

use std::sync::Arc;

use contract::body::Identity;
use contract::user;

use crate::auth::{AuthError, UnixSeconds};
use crate::directory::{Change, Directory, UserState};
use crate::fair_queue::Overloaded;
use crate::password::{self, HashPermit, Hasher, Memory, PasswordHash};
use crate::throttle::{Attempt, Throttle};

/// The user that is looked up for an unknown name, so that it takes as long.
const UNKNOWN_USER: u32 = u32::MAX;

/// The users and their passwords.
pub(crate) struct Users {
    count: u32,
    roles: u16,
    /// The common password of all users that never changed theirs.
    seeded: PasswordHash,
    hasher: Hasher,
    directory: Arc<dyn Directory>,
    throttle: Throttle,
}

/// A user with a correct password.
pub(crate) struct Authenticated {
    pub(crate) identity: Identity,
    epoch: u64,
}

/// Why a user is not authenticated.
#[derive(Debug)]
pub(crate) enum LoginError {
    /// There is no such user, the user is disabled, or the password is wrong: the response does not reveal which.
    Failed,
    /// Too many have failed of late.
    Throttled {
        /// Seconds until the next may try.
        wait_s: u64,
    },
    /// Too many passwords wait to be hashed.
    Overloaded,
    /// The directory could not be queried.
    Directory(AuthError),
}

impl From<AuthError> for LoginError {
    fn from(error: AuthError) -> Self {
        Self::Directory(error)
    }
}

impl From<Overloaded> for LoginError {
    fn from(Overloaded: Overloaded) -> Self {
        Self::Overloaded
    }
}

impl Users {
    /// `count` users, where an ordinary one has `roles` roles. Hashes once, which takes tens of milliseconds.
    pub(crate) fn seeded(count: u32, roles: u16, memory: Memory, directory: Arc<dyn Directory>) -> Self {
        let seeded = password::hash_now(user::PASSWORD, memory);
        Self { count, roles, seeded, hasher: Hasher::new(memory), directory, throttle: Throttle::new() }
    }

    /// The user with this number, as seeded.
    pub(crate) fn identity(&self, number: u32) -> Identity {
        Identity::seeded(number, self.roles)
    }

    /// The number of the user at this place in the endless repetition of all users.
    pub(crate) fn number_at(&self, place: u64) -> u32 {
        (place % u64::from(self.count)) as u32
    }

    /// The number of the user with this name, if there is one.
    pub(crate) fn number(&self, username: &str) -> Option<u32> {
        user::number(username).filter(|number| *number < self.count)
    }

    /// Returns the user with this name, if the password is correct. An unknown name, a disabled user and a wrong
    /// password take the same steps: one directory look-up, one hashing, whose turn is returned as well.
    pub(crate) async fn authenticate(
        &self,
        attempt: Attempt<'_>,
        password: String,
        now: UnixSeconds,
    ) -> Result<(Authenticated, HashPermit), LoginError> {
        self.check_throttle(attempt, now)?;
        let number = self.number(attempt.name);
        let state = self.directory.user_state(number.unwrap_or(UNKNOWN_USER)).await?;
        let hash = self.hash(&state)?;
        let permit = self.hasher.acquire(attempt.peer).await?;
        // Of many guesses at once, those that had to wait for their turn see that the others have failed.
        self.check_throttle(attempt, now)?;
        // The turn lasts until a failure is counted, so that no guess is hashed in between.
        let (matches, permit) = permit.matches(hash, password).await;
        let Some(number) = number.filter(|_| matches && !state.disabled) else {
            self.throttle.record_failure(attempt, now);
            return Err(LoginError::Failed);
        };
        self.throttle.record_success(attempt);
        let epoch = state.epoch;
        Ok((Authenticated { identity: state.applied_to(self.identity(number)), epoch }, permit))
    }

    /// Returns the user with this number in the directory's current state; none if there is no such user, or it is disabled.
    pub(crate) async fn current_identity(&self, number: u32) -> Result<Option<Identity>, AuthError> {
        if number >= self.count {
            return Ok(None);
        }
        let state = self.directory.user_state(number).await?;
        Ok((!state.disabled).then(|| state.applied_to(self.identity(number))))
    }

    /// Returns whether the user is unchanged since the password was given. A change revokes every credential that
    /// existed before; one that was being issued meanwhile would escape that.
    pub(crate) async fn is_unchanged(&self, authenticated: &Authenticated) -> Result<bool, AuthError> {
        Ok(self.directory.user_state(authenticated.identity.id).await?.epoch == authenticated.epoch)
    }

    /// Sets a new password for this user; returns false if the user has changed since the old one was given. Of two
    /// changes with one old password the second finds it replaced.
    pub(crate) async fn set_password(
        &self,
        authenticated: &Authenticated,
        permit: HashPermit,
        password: String,
    ) -> Result<bool, AuthError> {
        let hash = permit.hash(password).await;
        let change = Change { password: Some(hash.to_phc(self.hasher.memory())), ..Change::default() };
        self.directory.change_at_epoch(authenticated.identity.id, authenticated.epoch, change).await
    }

    /// Changes this user.
    pub(crate) async fn change(&self, number: u32, change: Change) -> Result<(), AuthError> {
        self.directory.change(number, change).await
    }

    fn hash(&self, state: &UserState) -> Result<PasswordHash, AuthError> {
        let Some(text) = &state.password else { return Ok(self.seeded.clone()) };
        PasswordHash::from_phc(text, self.hasher.memory()).ok_or_else(|| {
            AuthError::Internal("the directory has a password hash of another format or memory size".to_owned())
        })
    }

    fn check_throttle(&self, attempt: Attempt<'_>, now: UnixSeconds) -> Result<(), LoginError> {
        self.throttle.wait_s(attempt, now).map_or(Ok(()), |wait_s| Err(LoginError::Throttled { wait_s }))
    }
}
