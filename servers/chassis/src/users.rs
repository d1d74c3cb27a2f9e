//! The users: computed from their number, so that a million need no memory that would be mistaken for the
//! memory of their sessions, and changed according to the directory.

use std::sync::Arc;

use contract::body::Identity;
use contract::user;

use crate::auth::{AuthError, UnixSeconds};
use crate::directory::{Change, Directory, Standing};
use crate::password::{self, Hasher, Memory, PasswordHash, Turn};
use crate::throttle::{Attempt, Throttle};
use crate::turns::Overloaded;

/// The user that is looked up for an unknown name, so that it takes as long.
const NOBODY: u32 = u32::MAX;

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
pub(crate) struct Proved {
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
    pub(crate) fn wrapped(&self, place: u64) -> u32 {
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
    ) -> Result<(Proved, Turn), LoginError> {
        self.not_throttled(attempt, now)?;
        let number = self.number(attempt.name);
        let standing = self.directory.standing(number.unwrap_or(NOBODY)).await?;
        let hash = self.hash(&standing)?;
        let turn = self.hasher.turn(attempt.peer).await?;
        // Of many guesses at once, those that had to wait for their turn see that the others have failed.
        self.not_throttled(attempt, now)?;
        // The turn lasts until a failure is counted, so that no guess is hashed in between.
        let (matches, turn) = turn.matches(hash, password).await;
        let Some(number) = number.filter(|_| matches && !standing.disabled) else {
            self.throttle.failed(attempt, now);
            return Err(LoginError::Failed);
        };
        self.throttle.succeeded(attempt);
        let epoch = standing.epoch;
        Ok((Proved { identity: standing.applied_to(self.identity(number)), epoch }, turn))
    }

    /// Returns the user with this number in the directory's current state; none if there is no such user, or it is disabled.
    pub(crate) async fn current(&self, number: u32) -> Result<Option<Identity>, AuthError> {
        if number >= self.count {
            return Ok(None);
        }
        let standing = self.directory.standing(number).await?;
        Ok((!standing.disabled).then(|| standing.applied_to(self.identity(number))))
    }

    /// Returns whether the user is unchanged since the password was given. A change revokes every credential that
    /// existed before; one that was being issued meanwhile would escape that.
    pub(crate) async fn is_unchanged(&self, proved: &Proved) -> Result<bool, AuthError> {
        Ok(self.directory.standing(proved.identity.id).await?.epoch == proved.epoch)
    }

    /// Sets a new password for this user; returns false if the user has changed since the old one was given. Of two
    /// changes with one old password the second finds it replaced.
    pub(crate) async fn set_password(&self, proved: &Proved, turn: Turn, password: String) -> Result<bool, AuthError> {
        let hash = turn.hash(password).await;
        let change = Change { password: Some(hash.to_phc(self.hasher.memory())), ..Change::default() };
        self.directory.change_at(proved.identity.id, proved.epoch, change).await
    }

    /// Changes this user.
    pub(crate) async fn change(&self, number: u32, change: Change) -> Result<(), AuthError> {
        self.directory.change(number, change).await
    }

    fn hash(&self, standing: &Standing) -> Result<PasswordHash, AuthError> {
        let Some(text) = &standing.password else { return Ok(self.seeded.clone()) };
        PasswordHash::from_phc(text, self.hasher.memory()).ok_or_else(|| {
            AuthError::Internal("the directory has a password hash of another format or memory size".to_owned())
        })
    }

    fn not_throttled(&self, attempt: Attempt<'_>, now: UnixSeconds) -> Result<(), LoginError> {
        self.throttle.wait_s(attempt, now).map_or(Ok(()), |wait_s| Err(LoginError::Throttled { wait_s }))
    }
}
