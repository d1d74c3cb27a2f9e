//! The journey mix: login, reads, refresh, as many reads, logout, and again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::issued::Issued;

/// The position of a user in a journey.
#[derive(Debug)]
pub(crate) struct Journey {
    reads: u32,
    stage: Stage,
    /// The number of the user to log in.
    pub(crate) user: Option<u32>,
    /// What the login issued.
    pub(crate) issued: Option<Issued>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Login,
    Read,
    Refresh,
    Logout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Login,
    ReadBefore(u32),
    Refresh,
    ReadAfter(u32),
    Logout,
}

impl Journey {
    pub(crate) fn new(reads: u32) -> Self {
        Self { reads, stage: Stage::Login, user: None, issued: None }
    }

    pub(crate) fn next(&self) -> Step {
        match self.stage {
            Stage::Login => Step::Login,
            Stage::ReadBefore(_) | Stage::ReadAfter(_) => Step::Read,
            Stage::Refresh => Step::Refresh,
            Stage::Logout => Step::Logout,
        }
    }

    /// Returns what the login issued; every step but the login has it.
    pub(crate) fn issued(&mut self) -> &mut Issued {
        self.issued.as_mut().expect("the first step is the login")
    }

    /// Advances after a successful step.
    pub(crate) fn advance(&mut self) {
        self.stage = match self.stage {
            Stage::Login => before(self.reads),
            Stage::ReadBefore(left) => before(left - 1),
            Stage::Refresh => after(self.reads),
            Stage::ReadAfter(left) => after(left - 1),
            Stage::Logout => Stage::Login,
        };
    }

    /// Begins again with a login after a step that failed.
    pub(crate) fn restart(&mut self) {
        self.stage = Stage::Login;
    }
}

/// The users that are on a journey.
///
/// No user is on two at a time as long as there are more of them than connections: a logout may revoke every credential
/// of its user, as with `jwt-*-epoch`, and another journey of the same user would fail for it.
#[derive(Debug)]
pub(crate) struct ActiveUsers {
    population: u32,
    users: Mutex<HashSet<u32>>,
}

impl ActiveUsers {
    pub(crate) fn of(population: u32) -> Self {
        Self { population: population.max(1), users: Mutex::default() }
    }

    /// Claims this user, or the next free one, and returns the number.
    pub(crate) fn claim(&self, number: u32) -> u32 {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let following = (number..self.population).chain(0..number);
        let free = following.into_iter().find(|user| !users.contains(user)).unwrap_or(number);
        users.insert(free);
        free
    }

    pub(crate) fn release(&self, user: u32) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).remove(&user);
    }
}

const fn before(left: u32) -> Stage {
    if left == 0 { Stage::Refresh } else { Stage::ReadBefore(left) }
}

const fn after(left: u32) -> Stage {
    if left == 0 { Stage::Logout } else { Stage::ReadAfter(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(journey: &mut Journey) -> char {
        let step = journey.next();
        if step == Step::Login {
            journey.issued = Some(Issued::none());
        }
        journey.issued();
        journey.advance();
        match step {
            Step::Login => 'L',
            Step::Read => 'r',
            Step::Refresh => 'R',
            Step::Logout => 'O',
        }
    }

    fn step_sequence(reads: u32, steps: usize) -> String {
        let mut journey = Journey::new(reads);
        (0..steps).map(|_| take(&mut journey)).collect()
    }

    #[test]
    fn steps_repeat_in_order() {
        assert_eq!(step_sequence(2, 8), "LrrRrrOL");
        assert_eq!(step_sequence(0, 4), "LROL");
    }

    #[test]
    fn user_is_on_one_journey_while_others_are_free() {
        let active = ActiveUsers::of(3);
        assert_eq!([1, 1, 1].map(|number| active.claim(number)), [1, 2, 0]);
        assert_eq!(active.claim(1), 1, "all are");
        active.release(2);
        assert_eq!(active.claim(0), 2);
    }

    #[test]
    fn failed_step_restarts_with_a_login() {
        let mut journey = Journey::new(1);
        assert_eq!((take(&mut journey), journey.next()), ('L', Step::Read));
        journey.restart();
        assert_eq!(journey.next(), Step::Login);
    }
}
