//! One run of the suite: the facts first, then every check of the table by itself.

use std::time::Instant;

use contract::{SchemeDescriptor, route, user};
use serde_json::json;

use crate::case::{Case, Users};
use crate::checks::{ALL, Check};
use crate::facts::{FEW_USERS, Facts};
use crate::login::Handed;
use crate::outcome::{Outcome, Report, Verdict};
use crate::stop::Stop;
use crate::subject::Subject;
use crate::wire::{self, Base, Request, Silence};

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
    let outcomes = outcomes.map(|check| outcome(check, &Case::new(subject, &facts, &users))).collect();
    Ok(Report { scheme: facts.descriptor, outcomes })
}

fn outcome(check: &Check, case: &Case<'_>) -> Outcome {
    let started = Instant::now();
    let verdict = match (check.run)(case) {
        Ok(()) => Verdict::Pass,
        Err(Stop::Fail(why)) => Verdict::Fail { why, exchanges: case.exchanges() },
        Err(Stop::NotApplicable(reason)) => Verdict::NotApplicable { reason },
    };
    Outcome {
        id: check.id.to_owned(),
        row: check.row,
        title: check.title.to_owned(),
        source: check.source.to_owned(),
        verdict,
        took_ms: started.elapsed().as_millis() as u64,
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
            return Handed::in_answer(&answer).ok_or(RunError::NoCredential);
        }
        status = answer.status;
    }
    Err(RunError::NoLogin { status })
}

fn silent(route: &'static str, silence: Silence) -> RunError {
    RunError::Silent { route, what: format!("{silence:?}") }
}
