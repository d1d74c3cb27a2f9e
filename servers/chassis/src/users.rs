//! The seeded users. They are computed from their number, so that a million cost no memory that
//! would be mistaken for the memory of their sessions.

use contract::body::Identity;
use contract::user;

use crate::password::Password;

/// Who there is, and how he proves it.
pub(crate) struct Users {
    count: u32,
    roles: u16,
    /// The one password that all have.
    password: Password,
}

impl Users {
    /// `count` users, where an ordinary one has `roles` roles. Hashes once, which takes tens of milliseconds.
    pub(crate) fn seeded(count: u32, roles: u16) -> Self {
        Self { count, roles, password: Password::new(user::PASSWORD) }
    }

    /// The user with this number.
    pub(crate) fn identity(&self, number: u32) -> Identity {
        Identity::seeded(number, self.roles)
    }

    /// The number of the user at this place in the endless repetition of all users.
    pub(crate) fn wrapped(&self, place: u64) -> u32 {
        (place % u64::from(self.count)) as u32
    }

    /// The user with this name, if the password is his. An unknown name takes as long as a wrong
    /// password, because both are held against the same hash.
    pub(crate) async fn authenticate(&self, username: &str, password: String) -> Option<Identity> {
        let number = user::number(username).filter(|number| *number < self.count);
        let proved = self.password.is(password).await;
        number.filter(|_| proved).map(|number| self.identity(number))
    }
}
