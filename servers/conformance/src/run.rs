//! One run of the suite: the facts first, then every check of the table.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use contract::{SchemeDescriptor, route, user};
use serde_json::json;

use crate::case::{Case, Shared, Users};
use crate::checks::{self, Check};
use crate::facts::{FEW_USERS, Facts};
use crate::half_open::HalfOpen;
use crate::login::Handed;
use crate::outcome::{CheckResult, Ending, Report, Verdict};
use crate::standstill::Watch;
use crate::stop::Stop;
use crate::subject::Subject;
use crate::wire::{self, Base, Request, Silence};

/// Attempts at a check that is disturbed each time.
const ATTEMPTS: u32 = 3;
/// Checks in a row with a request without a response in time after which the run ends.
const UNRESPONSIVE: u32 = 8;

/// A server cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No server is given.
    #[error("no server is given: give at least one base URL")]
    NoNode,
    /// The server does not respond.
    #[error("{route}: {what}; check that the server runs at this address and speaks plain http")]
    Silent {
        /// The route.
        route: &'static str,
        /// What happened instead.
        what: String,
    },
    /// No user can log in.
    #[error(
        "no seeded user can log in: POST /login returns {status}; the suite needs the users user-000000, \
         user-000001, ... with the password `{}`",
        user::PASSWORD
    )]
    NoLogin {
        /// The status of the last attempt.
        status: u16,
    },
    /// There is nothing to check.
    #[error("the login issues no credential, so there is nothing to check; the control is such a server")]
    NoCredential,
    /// The run was stopped before the first check.
    #[error("interrupted before the first check")]
    Stopped,
}

/// Follows a run from check to check.
pub trait Observer {
    /// A check begins: its position, counted from 0, and the number of checks.
    fn begins(&mut self, check: &Check, place: usize, count: usize);
    /// A check has ended.
    fn ends(&mut self, outcome: &CheckResult);
}

/// An observer that does nothing.
impl Observer for () {
    fn begins(&mut self, _: &Check, _: usize, _: usize) {}

    fn ends(&mut self, _: &CheckResult) {}
}

/// Runs every check of the table, until `stop` is set: then the run ends within a second, and the report has the checks that
/// were done.
pub fn run(subject: &Subject, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Report, RunError> {
    run_those(subject, |_| true, observer, stop)
}

/// Runs those checks of the table that are wanted, as [`run`] does.
pub fn run_those(
    subject: &Subject,
    wanted: impl Fn(&Check) -> bool,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Report, RunError> {
    let node = subject.nodes.first().ok_or(RunError::NoNode)?;
    let checks: Vec<_> = checks::all().filter(|check| wanted(check)).collect();
    let (users, half_open) = (Users::begin(), HalfOpen::begin(node));
    let facts = facts(node, &users, stop)?;
    let shared = Shared { users, stop, guessed: OnceLock::new(), half_open };
    let mut run = Run { subject, facts: &facts, shared: &shared, watch: Watch::start(), late: 0, outcomes: vec![] };
    let ending = run.all(&checks, observer);
    let outcomes = run.outcomes;
    Ok(Report { scheme: facts.descriptor, outcomes, ending })
}

/// A run under way.
struct Run<'a> {
    subject: &'a Subject,
    facts: &'a Facts,
    shared: &'a Shared<'a>,
    watch: Watch,
    /// Consecutive checks, including the last, with a request that got no response in time.
    late: u32,
    outcomes: Vec<CheckResult>,
}

impl Run<'_> {
    fn all(&mut self, checks: &[&Check], observer: &mut dyn Observer) -> Ending {
        for (place, check) in checks.iter().enumerate() {
            observer.begins(check, place, checks.len());
            let outcome = self.outcome(check);
            // The result of a check after the stop does not count.
            if self.shared.stop.load(Ordering::Relaxed) {
                return Ending::Stopped;
            }
            observer.ends(&outcome);
            self.outcomes.push(outcome);
            if self.late == UNRESPONSIVE {
                return Ending::Unresponsive;
            }
        }
        Ending::Complete
    }

    fn outcome(&mut self, check: &Check) -> CheckResult {
        let started = Instant::now();
        let mut timed_out = false;
        let (verdict, attempts) = settled(|| {
            self.watch.stood_still();
            let case = Case::new(self.subject, self.facts, self.shared);
            let verdict = verdict(check, &case);
            timed_out |= case.timed_out();
            (verdict, self.watch.stood_still() || case.missed_store())
        });
        self.late = if timed_out { self.late + 1 } else { 0 };
        CheckResult {
            id: check.id.to_owned(),
            row: check.row,
            title: check.title.to_owned(),
            source: check.source.to_owned(),
            verdict,
            attempts,
            took_ms: started.elapsed().as_millis() as u64,
        }
    }
}

/// Returns the verdict of several attempts at a check and their number; each attempt states whether it was disturbed. The
/// first one that passes or is undisturbed is the last.
fn settled(mut attempt: impl FnMut() -> (Verdict, bool)) -> (Verdict, u32) {
    let mut failed = None;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (verdict, disturbed) = attempt();
        // A failure stands until an attempt passes: the attempt may have used up what the check needs.
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

fn facts(node: &Base, users: &Users, stop: &AtomicBool) -> Result<Facts, RunError> {
    let described = wire::send(node, &Request::get(route::BENCH_SCHEME), stop)
        .map_err(|silence| silent(route::BENCH_SCHEME, silence))?;
    let descriptor: Option<SchemeDescriptor> = serde_json::from_slice(&described.body).ok();
    let count = descriptor.as_ref().map_or(FEW_USERS, |descriptor| descriptor.users);
    let handed = handed(node, users, count, stop)?;
    let standing = Request::post(route::BENCH_CLOCK).json(&json!({ "advance_s": 0 }));
    let clock = wire::send(node, &standing, stop).is_ok_and(|answer| answer.status == 200);
    Ok(Facts::of(descriptor, &handed, clock))
}

/// Returns what one of the first users that can log in is issued.
fn handed(node: &Base, users: &Users, count: u32, stop: &AtomicBool) -> Result<Handed, RunError> {
    let mut status = 0;
    for _ in 0..5 {
        let request = Case::login_request(&users.next(count), user::PASSWORD);
        let answer = wire::send(node, &request, stop).map_err(|silence| silent(route::LOGIN, silence))?;
        if answer.status == 200 {
            return Handed::at_first_login(node, &answer, stop).ok_or(RunError::NoCredential);
        }
        status = answer.status;
    }
    Err(RunError::NoLogin { status })
}

fn silent(route: &'static str, silence: Silence) -> RunError {
    match silence {
        Silence::Stopped => RunError::Stopped,
        other => RunError::Silent { route, what: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use contract::Carrier;

    use super::*;

    /// Sends a request and gets no response.
    static UNANSWERED: Check = Check {
        id: "unanswered",
        row: 1,
        title: "A title.",
        source: "a source",
        run: |case| case.send(&Request::get("/me").within(Duration::from_millis(20))).map(drop),
    };
    static SILENT: Check = Check { id: "silent", run: |_| Ok(()), ..UNANSWERED };

    /// Returns how a run of these checks ends, and after how many, against a server that accepts connections only.
    fn ended(checks: &[&Check], stop: bool) -> (Ending, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let subject = Subject::new(Base::from(listener.local_addr().unwrap()));
        let (cookie, refresh_cookie) = (String::new(), String::new());
        let handed = Handed {
            carrier: Carrier::Bearer,
            credential: "id".to_owned(),
            refresh_token: None,
            cookie,
            refresh_cookie,
        };
        let (facts, stop) = (Facts::of(None, &handed, false), AtomicBool::new(stop));
        let half_open = HalfOpen::begin(&subject.nodes[0]);
        let shared = Shared { users: Users::begin(), stop: &stop, guessed: OnceLock::new(), half_open };
        let watch = Watch::start();
        let mut run = Run { subject: &subject, facts: &facts, shared: &shared, watch, late: 0, outcomes: vec![] };
        (run.all(checks, &mut ()), run.outcomes.len())
    }

    #[test]
    fn repeatedly_unresponsive_server_ends_the_run() {
        let enough = UNRESPONSIVE as usize;
        assert_eq!(ended(&vec![&UNANSWERED; 2 * enough], false), (Ending::Unresponsive, enough));
        let now_and_then = [&vec![&UNANSWERED; enough - 1][..], &[&SILENT], &vec![&UNANSWERED; enough - 1]].concat();
        assert_eq!(ended(&now_and_then, false), (Ending::Complete, now_and_then.len()));
    }

    #[test]
    fn interrupted_check_is_not_reported() {
        assert_eq!(ended(&[&UNANSWERED, &SILENT], true), (Ending::Stopped, 0));
    }

    #[test]
    fn disturbed_check_is_repeated_and_undisturbed_result_counts() {
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
