//! What time it is, as a value, so that a test can choose it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::auth::UnixSeconds;

/// Where the handlers read the time that they give to the authenticator.
#[derive(Clone, Copy)]
pub(crate) struct Clock(pub(crate) fn() -> UnixSeconds);

impl Clock {
    /// The clock of the operating system.
    pub(crate) const SYSTEM: Self = Self(system_seconds);

    pub(crate) fn now(self) -> UnixSeconds {
        (self.0)()
    }
}

fn system_seconds() -> UnixSeconds {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970").as_secs()
}
