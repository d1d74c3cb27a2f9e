//! One run of the suite: the facts first, then every check of the table.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use contract::{SchemeDescriptor, route, user};
use serde_json::json;

use crate::check_context::{CheckContext, RunState, Users};
use crate::check_error::CheckError;
use crate::checks::{self, Check};
use crate::facts::{DEFAULT_USER_COUNT, Facts};
use crate::half_open::HalfOpen;
use crate::login::IssuedCredential;
use crate::outcome::{CheckOutcome, Ending, Report, Verdict};
use crate::pause_detector::PauseDetector;
use crate::subject::Subject;
use crate::wire::{self, Base, Request, RequestError};

/// Attempts at a check that is disturbed each time.
const ATTEMPTS: u32 = 3;
/// Checks in a row with a request without a response in time after which the run ends.
const MAX_CONSECUTIVE_TIMEOUTS: u32 = 8;

/// A server cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No server is given.
    #[error("no server is given: give at least one base URL")]
    NoNode,
    /// The server does not respond.
    #[error("{route}: {what}; check that the server runs at this address and speaks plain http")]
    NoResponse {
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
    fn check_started(&mut self, check: &Check, place: usize, count: usize);
    /// A check has ended.
    fn check_finished(&mut self, outcome: &CheckOutcome);
}

/// An observer that does nothing.
impl Observer for () {
    fn check_started(&mut self, _: &Check, _: usize, _: usize) {}

    fn check_finished(&mut self, _: &CheckOutcome) {}
}

/// Runs every check of the table, until `stop` is set: then the run ends within a second, and the report has the checks that
/// were done.
pub fn run(subject: &Subject, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Report, RunError> {
    run_selected(subject, |_| true, observer, stop)
}

/// Runs those checks of the table that are wanted, as [`run`] does.
pub fn run_selected(
    subject: &Subject,
    wanted: impl Fn(&Check) -> bool,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Report, RunError> {
    let node = subject.nodes.first().ok_or(RunError::NoNode)?;
    let checks: Vec<_> = checks::all().filter(|check| wanted(check)).collect();
    let (users, half_open) = (Users::begin(), HalfOpen::begin(node));
    let facts = discover_facts(node, &users, stop)?;
    let shared = RunState { users, stop, throttled_login: OnceLock::new(), half_open };
    let mut runner = Runner {
        subject,
        facts: &facts,
        shared: &shared,
        pauses: PauseDetector::start(),
        consecutive_timeouts: 0,
        outcomes: vec![],
    };
    let ending = runner.run_checks(&checks, observer);
    let outcomes = runner.outcomes;
    Ok(Report { scheme: facts.descriptor, outcomes, ending })
}

/// A run under way.
struct Runner<'a> {
    subject: &'a Subject,
    facts: &'a Facts,
    shared: &'a RunState<'a>,
    pauses: PauseDetector,
    /// Consecutive checks, including the last, with a request that got no response in time.
    consecutive_timeouts: u32,
    outcomes: Vec<CheckOutcome>,
}

impl Runner<'_> {
    fn run_checks(&mut self, checks: &[&Check], observer: &mut dyn Observer) -> Ending {
        for (place, check) in checks.iter().enumerate() {
            observer.check_started(check, place, checks.len());
            let outcome = self.run_check(check);
            // The result of a check after the stop does not count.
            if self.shared.stop.load(Ordering::Relaxed) {
                return Ending::Stopped;
            }
            observer.check_finished(&outcome);
            self.outcomes.push(outcome);
            if self.consecutive_timeouts == MAX_CONSECUTIVE_TIMEOUTS {
                return Ending::Unresponsive;
            }
        }
        Ending::Complete
    }

    fn run_check(&mut self, check: &Check) -> CheckOutcome {
        let started = Instant::now();
        let mut timed_out = false;
        let (verdict, attempts) = run_until_undisturbed(|| {
            self.pauses.take_pause();
            let context = CheckContext::new(self.subject, self.facts, self.shared);
            let verdict = run_once(check, &context);
            timed_out |= context.timed_out();
            (verdict, self.pauses.take_pause() || context.store_unavailable())
        });
        self.consecutive_timeouts = if timed_out { self.consecutive_timeouts + 1 } else { 0 };
        CheckOutcome {
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
fn run_until_undisturbed(mut attempt: impl FnMut() -> (Verdict, bool)) -> (Verdict, u32) {
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

fn run_once(check: &Check, context: &CheckContext<'_>) -> Verdict {
    match (check.run)(context) {
        Ok(()) => Verdict::Pass,
        Err(CheckError::Fail(why)) => Verdict::Fail { why, exchanges: context.exchanges() },
        Err(CheckError::NotApplicable(reason)) => Verdict::NotApplicable { reason },
    }
}

fn discover_facts(node: &Base, users: &Users, stop: &AtomicBool) -> Result<Facts, RunError> {
    let described = wire::send(node, &Request::get(route::BENCH_SCHEME), stop)
        .map_err(|error| no_response(route::BENCH_SCHEME, error))?;
    let descriptor: Option<SchemeDescriptor> = serde_json::from_slice(&described.body).ok();
    let count = descriptor.as_ref().map_or(DEFAULT_USER_COUNT, |descriptor| descriptor.users);
    let issued = first_credential(node, users, count, stop)?;
    let unchanged_clock = Request::post(route::BENCH_CLOCK).json(&json!({ "advance_s": 0 }));
    let clock = wire::send(node, &unchanged_clock, stop).is_ok_and(|response| response.status == 200);
    Ok(Facts::of(descriptor, &issued, clock))
}

/// Returns what one of the first users that can log in is issued.
fn first_credential(node: &Base, users: &Users, count: u32, stop: &AtomicBool) -> Result<IssuedCredential, RunError> {
    let mut status = 0;
    for _ in 0..5 {
        let request = CheckContext::login_request(&users.next(count), user::PASSWORD);
        let response = wire::send(node, &request, stop).map_err(|error| no_response(route::LOGIN, error))?;
        if response.status == 200 {
            return IssuedCredential::from_first_login(node, &response, stop).ok_or(RunError::NoCredential);
        }
        status = response.status;
    }
    Err(RunError::NoLogin { status })
}

fn no_response(route: &'static str, error: RequestError) -> RunError {
    match error {
        RequestError::Stopped => RunError::Stopped,
        other => RunError::NoResponse { route, what: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use contract::Carrier;

    use super::*;

    /// Sends a request and gets no response.
    static NO_RESPONSE: Check = Check {
        id: "unanswered",
        row: 1,
        title: "A title.",
        source: "a source",
        run: |context| context.send(&Request::get("/me").within(Duration::from_millis(20))).map(drop),
    };
    static PASSES: Check = Check { id: "silent", run: |_| Ok(()), ..NO_RESPONSE };

    /// Returns how a run of these checks ends, and after how many, against a server that accepts connections only.
    fn run_result(checks: &[&Check], stop: bool) -> (Ending, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let subject = Subject::new(Base::from(listener.local_addr().unwrap()));
        let (cookie, refresh_cookie) = (String::new(), String::new());
        let issued = IssuedCredential {
            carrier: Carrier::Bearer,
            credential: "id".to_owned(),
            refresh_token: None,
            cookie,
            refresh_cookie,
        };
        let (facts, stop) = (Facts::of(None, &issued, false), AtomicBool::new(stop));
        let half_open = HalfOpen::begin(&subject.nodes[0]);
        let shared = RunState { users: Users::begin(), stop: &stop, throttled_login: OnceLock::new(), half_open };
        let pauses = PauseDetector::start();
        let mut runner = Runner {
            subject: &subject,
            facts: &facts,
            shared: &shared,
            pauses,
            consecutive_timeouts: 0,
            outcomes: vec![],
        };
        (runner.run_checks(checks, &mut ()), runner.outcomes.len())
    }

    #[test]
    fn repeatedly_unresponsive_server_ends_the_run() {
        let enough = MAX_CONSECUTIVE_TIMEOUTS as usize;
        assert_eq!(run_result(&vec![&NO_RESPONSE; 2 * enough], false), (Ending::Unresponsive, enough));
        let now_and_then = [&vec![&NO_RESPONSE; enough - 1][..], &[&PASSES], &vec![&NO_RESPONSE; enough - 1]].concat();
        assert_eq!(run_result(&now_and_then, false), (Ending::Complete, now_and_then.len()));
    }

    #[test]
    fn interrupted_check_is_not_reported() {
        assert_eq!(run_result(&[&NO_RESPONSE, &PASSES], true), (Ending::Stopped, 0));
    }

    #[test]
    fn disturbed_check_is_repeated_and_undisturbed_result_counts() {
        let pass = || Verdict::Pass;
        let fail = |why: &str| Verdict::Fail { why: why.to_owned(), exchanges: vec![] };
        let none = || Verdict::NotApplicable { reason: "used up".to_owned() };
        let result_of = |attempts: Vec<(Verdict, bool)>| {
            let mut attempts = attempts.into_iter();
            run_until_undisturbed(|| attempts.next().unwrap())
        };
        assert_eq!(result_of(vec![(pass(), true)]), (pass(), 1));
        assert_eq!(result_of(vec![(fail("a"), false)]), (fail("a"), 1));
        assert_eq!(result_of(vec![(fail("a"), true), (pass(), true)]), (pass(), 2));
        assert_eq!(result_of(vec![(none(), true), (fail("b"), false)]), (fail("b"), 2));
        assert_eq!(result_of(vec![(fail("a"), true), (none(), false)]), (fail("a"), 2));
        assert_eq!(result_of(vec![(fail("a"), true), (none(), true), (none(), false)]), (fail("a"), 3));
        assert_eq!(result_of(vec![(fail("a"), true), (fail("b"), true), (fail("c"), true)]), (fail("c"), 3));
    }
}
