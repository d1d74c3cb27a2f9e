//! One run of the suite: the facts first, then every check of the table by itself.

use std::time::Instant;

use contract::{SchemeDescriptor, route, user};
use serde_json::json;

use crate::case::{Case, Users};
use crate::checks::{ALL, Check};
use crate::facts::{FEW_USERS, Facts};
use crate::login::Handed;
use crate::outcome::{Outcome, Report, Verdict};
use crate::standstill::Watch;
use crate::stop::Stop;
use crate::subject::Subject;
use crate::wire::{self, Base, Request, Silence};

/// Attempts at a check that something disturbs each time.
const ATTEMPTS: u32 = 3;

/// A server cannot be examined at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nobody was named.
    #[error("no server was named: give at least one base URL")]
    NoNode,
    /// It does not answer.
    #[error("{route} gives no answer ({what}): is the server there, and does it speak plain http?")]
    Silent {
        /// What was asked.
        route: &'static str,
        /// What came instead.
        what: String,
    },
    /// Nobody can log in.
    #[error(
        "no seeded user can log in: POST /login answers {status}; the suite needs users user-000000, user-000001, ... \
         with the password `{}`",
        user::PASSWORD
    )]
    NoLogin {
        /// The status of the last attempt.
        status: u16,
    },
    /// There is nothing to examine.
    #[error("the login hands out no credential: there is nothing to examine, as with the control")]
    NoCredential,
}

/// Runs every check of the table.
pub fn run(subject: &Subject) -> Result<Report, RunError> {
    run_those(subject, |_| true)
}

/// Runs those checks of the table that are wanted.
pub fn run_those(subject: &Subject, wanted: impl Fn(&Check) -> bool) -> Result<Report, RunError> {
    let node = subject.nodes.first().ok_or(RunError::NoNode)?;
    let users = Users::begin();
    let facts = facts(node, &users)?;
    let outcomes = ALL.iter().copied().flatten().filter(|check| wanted(check));
    let watch = Watch::start();
    let outcomes = outcomes.map(|check| outcome(check, &watch, || Case::new(subject, &facts, &users))).collect();
    Ok(Report { scheme: facts.descriptor, outcomes })
}

fn outcome<'a>(check: &Check, watch: &Watch, case: impl Fn() -> Case<'a>) -> Outcome {
    let started = Instant::now();
    let (verdict, attempts) = settled(|| {
        watch.stood_still();
        let case = case();
        let verdict = verdict(check, &case);
        (verdict, watch.stood_still() || case.missed_store())
    });
    Outcome {
        id: check.id.to_owned(),
        row: check.row,
        title: check.title.to_owned(),
        source: check.source.to_owned(),
        verdict,
        attempts,
        took_ms: started.elapsed().as_millis() as u64,
    }
}

/// What the attempts at a check say, and how many there were; each says whether something disturbed it, too. The first
/// that passes or that nothing disturbed is the last.
fn settled(mut attempt: impl FnMut() -> (Verdict, bool)) -> (Verdict, u32) {
    let mut failed = None;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (verdict, disturbed) = attempt();
        // A failure stands until it is refuted: the attempt may have used up what the check needs.
        let verdict = match verdict {
            Verdict::NotApplicable { .. } => failed.take().unwrap_or(verdict),
            other => other,
        };
        if verdict == Verdict::Pass || !disturbed || attempts == ATTEMPTS {
            return (verdict, attempts);
        }
        failed = matches!(verdict, Verdict::Fail { .. }).then_some(verdict);
    }
}

fn verdict(check: &Check, case: &Case<'_>) -> Verdict {
    match (check.run)(case) {
        Ok(()) => Verdict::Pass,
        Err(Stop::Fail(why)) => Verdict::Fail { why, exchanges: case.exchanges() },
        Err(Stop::NotApplicable(reason)) => Verdict::NotApplicable { reason },
    }
}

fn facts(node: &Base, users: &Users) -> Result<Facts, RunError> {
    let described =
        wire::send(node, &Request::get(route::BENCH_SCHEME)).map_err(|silence| silent(route::BENCH_SCHEME, silence))?;
    let descriptor: Option<SchemeDescriptor> = serde_json::from_slice(&described.body).ok();
    let count = descriptor.as_ref().map_or(FEW_USERS, |descriptor| descriptor.users);
    let handed = handed(node, users, count)?;
    let standing = Request::post(route::BENCH_CLOCK).json(&json!({ "advance_s": 0 }));
    let clock = wire::send(node, &standing).is_ok_and(|answer| answer.status == 200);
    Ok(Facts::of(descriptor, &handed, clock))
}

/// What one of the first users who may log in is handed.
fn handed(node: &Base, users: &Users, count: u32) -> Result<Handed, RunError> {
    let mut status = 0;
    for _ in 0..5 {
        let request = Case::login_request(&users.next(count), user::PASSWORD);
        let answer = wire::send(node, &request).map_err(|silence| silent(route::LOGIN, silence))?;
        if answer.status == 200 {
            return Handed::at_first_login(node, &answer).ok_or(RunError::NoCredential);
        }
        status = answer.status;
    }
    Err(RunError::NoLogin { status })
}

fn silent(route: &'static str, silence: Silence) -> RunError {
    RunError::Silent { route, what: format!("{silence:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_disturbed_is_repeated_and_what_was_not_counts() {
        let pass = || Verdict::Pass;
        let fail = |why: &str| Verdict::Fail { why: why.to_owned(), exchanges: vec![] };
        let none = || Verdict::NotApplicable { reason: "used up".to_owned() };
        let told = |attempts: Vec<(Verdict, bool)>| {
            let mut attempts = attempts.into_iter();
            settled(|| attempts.next().unwrap())
        };
        assert_eq!(told(vec![(pass(), true)]), (pass(), 1));
        assert_eq!(told(vec![(fail("a"), false)]), (fail("a"), 1));
        assert_eq!(told(vec![(fail("a"), true), (pass(), true)]), (pass(), 2));
        assert_eq!(told(vec![(none(), true), (fail("b"), false)]), (fail("b"), 2));
        assert_eq!(told(vec![(fail("a"), true), (none(), false)]), (fail("a"), 2));
        assert_eq!(told(vec![(fail("a"), true), (none(), true), (none(), false)]), (fail("a"), 3));
        assert_eq!(told(vec![(fail("a"), true), (fail("b"), true), (fail("c"), true)]), (fail("c"), 3));
    }
}
