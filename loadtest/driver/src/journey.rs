//! The journey mix: login, reads, refresh, as many reads, logout, and again.

use crate::credential::Credential;

/// Where a user stands in his journey.
#[derive(Debug)]
pub(crate) struct Journey {
    reads: u32,
    stage: Stage,
    credential: Option<Credential>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Login,
    ReadBefore(u32),
    Refresh,
    ReadAfter(u32),
    Logout,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Login,
    Read(&'a Credential),
    Refresh(&'a Credential),
    Logout(&'a Credential),
}

impl Journey {
    pub(crate) fn new(reads: u32) -> Self {
        Self { reads, stage: Stage::Login, credential: None }
    }

    pub(crate) fn next(&self) -> Step<'_> {
        match (&self.credential, self.stage) {
            (None, _) | (_, Stage::Login) => Step::Login,
            (Some(credential), Stage::ReadBefore(_) | Stage::ReadAfter(_)) => Step::Read(credential),
            (Some(credential), Stage::Refresh) => Step::Refresh(credential),
            (Some(credential), Stage::Logout) => Step::Logout(credential),
        }
    }

    /// The step went well; a login or a refresh has handed out a credential.
    pub(crate) fn went_well(&mut self, handed_out: Option<Credential>) {
        if handed_out.is_some() {
            self.credential = handed_out;
        }
        self.stage = match self.stage {
            Stage::Login => before(self.reads),
            Stage::ReadBefore(left) => before(left - 1),
            Stage::Refresh => after(self.reads),
            Stage::ReadAfter(left) => after(left - 1),
            Stage::Logout => Stage::Login,
        };
        if self.stage == Stage::Login {
            self.credential = None;
        }
    }

    /// The step failed: the journey ends here, and another begins.
    pub(crate) fn failed(&mut self) {
        *self = Self::new(self.reads);
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

    fn credential() -> Credential {
        Credential { headers: Vec::new(), username: None }
    }

    fn letter(step: &Step<'_>) -> char {
        match step {
            Step::Login => 'L',
            Step::Read(_) => 'r',
            Step::Refresh(_) => 'R',
            Step::Logout(_) => 'O',
        }
    }

    fn walk(reads: u32, steps: usize) -> String {
        let mut journey = Journey::new(reads);
        (0..steps)
            .map(|_| {
                let letter = letter(&journey.next());
                journey.went_well("LR".contains(letter).then(credential));
                letter
            })
            .collect()
    }

    #[test]
    fn the_steps_come_in_order_and_again() {
        assert_eq!(walk(2, 8), "LrrRrrOL");
        assert_eq!(walk(0, 4), "LROL");
    }

    #[test]
    fn a_failure_starts_anew() {
        let mut journey = Journey::new(1);
        journey.went_well(Some(credential()));
        assert_eq!(letter(&journey.next()), 'r');
        journey.failed();
        assert_eq!(letter(&journey.next()), 'L');
    }
}
