//! Classifies a request: a pure function of the response, of the state of its credential, and of the fault.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use contract::StoreKind;
use driver::{ProbedRequest, Reply};
use engine::plan::Plan;
use engine::record::{OutageFault, OutageRound, Outcome, Validity};

use super::bed::{SchemeNodes, VICTIM};
use super::roll::{End, Roll};

/// A request that was sent this much later than planned belongs to another interval.
const LATE: Duration = Duration::from_millis(50);
/// The limit for the share of late requests among those with a response.
const LATE_SHARE: f64 = 0.05;

/// The timeline of a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) fault: OutageFault,
    /// The start of the planned requests.
    pub(super) start: Instant,
    pub(super) began: Instant,
    pub(super) healed: Instant,
    pub(super) interval_s: f64,
}

/// The state of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Good,
    /// Its revocation was requested; it may be accepted or not.
    Ending,
    Ended,
}

/// Returns the round of a scheme.
pub(super) fn judge(
    course: &Course,
    repetition: u32,
    started_at: &str,
    nodes: &SchemeNodes,
    roll: &Roll,
    plan: &Plan,
    probed: &[ProbedRequest],
) -> OutageRound {
    let intervals = (plan.duration_s / course.interval_s).ceil() as usize;
    let mut outcomes: BTreeMap<Outcome, Vec<u32>> = BTreeMap::new();
    for each in probed {
        let offset_s = (each.intended - course.start).as_secs_f64();
        let interval = ((offset_s / course.interval_s) as usize).min(intervals.saturating_sub(1));
        let lost_from = course.lost_from(nodes.scheme.store(), each.node);
        let outcome = outcome(each, roll.end_of(each.node, each.credential), roll.window, lost_from);
        outcomes.entry(outcome).or_insert_with(|| vec![0; intervals])[interval] += 1;
    }
    let mut round = OutageRound {
        scheme: nodes.scheme.id().to_owned(),
        fault: course.fault,
        repetition,
        started_at: started_at.to_owned(),
        fault_s: (course.began - course.start).as_secs_f64(),
        healed_s: (course.healed - course.start).as_secs_f64(),
        planned: probed.len() as u64,
        outcomes,
        logouts_asked: roll.asked_during,
        logouts_acknowledged: roll.acknowledged_during,
        validity: Validity::default(),
    };
    round.validity = Validity::from_reasons(reasons(&round, course, probed));
    round
}

impl Course {
    /// Returns when valid credentials may become unknown because state was lost.
    fn lost_from(&self, store: StoreKind, node: usize) -> Option<Instant> {
        let gone = match self.fault {
            OutageFault::StoreKilled => store.is_external(),
            OutageFault::NodeKilled => store == StoreKind::Memory && node == VICTIM,
            _ => false,
        };
        gone.then_some(self.healed)
    }
}

fn outcome(probed: &ProbedRequest, end: Option<End>, window: Duration, lost_from: Option<Instant>) -> Outcome {
    let (sent, done, status, named) = match probed.reply {
        Reply::Unsent => return Outcome::Unsent,
        Reply::Completed { status, has_expected_user, sent, done } => (sent, done, Some(status), has_expected_user),
        Reply::TimedOut | Reply::Disconnected => (probed.intended, probed.intended, None, true),
    };
    let standing = standing(end, window, sent, done);
    match (standing, status) {
        (_, Some(200)) if !named => Outcome::WronglyAllowed,
        (Standing::Good, Some(200)) => Outcome::Good,
        (Standing::Good, Some(401)) if lost_from.is_some_and(|from| done >= from) => Outcome::Lost,
        (Standing::Good, Some(401 | 403)) => Outcome::WronglyDenied,
        (Standing::Good, Some(503)) => Outcome::Unavailable,
        (Standing::Good, Some(_)) => Outcome::OtherStatus,
        (Standing::Good, None) if probed.reply == Reply::TimedOut => Outcome::TimedOut,
        (Standing::Good, None) => Outcome::Disconnected,
        (Standing::Ending, Some(200)) => Outcome::Tolerated,
        (Standing::Ended, Some(200)) => Outcome::WronglyAllowed,
        (Standing::Ending | Standing::Ended, Some(401 | 403)) => Outcome::RightlyDenied,
        (Standing::Ending | Standing::Ended, _) => Outcome::NotLetIn,
    }
}

/// Returns the state of a credential for a request: revoked if it was sent after the window, valid if the response came
/// before the revocation was requested.
fn standing(end: Option<End>, window: Duration, sent: Instant, done: Instant) -> Standing {
    match end {
        None => Standing::Good,
        Some(end) if done < end.asked => Standing::Good,
        Some(End { acknowledged: Some(acknowledged), .. }) if sent >= acknowledged + window => Standing::Ended,
        Some(_) => Standing::Ending,
    }
}

fn reasons(round: &OutageRound, course: &Course, probed: &[ProbedRequest]) -> Vec<String> {
    let unsent = round.count(Outcome::Unsent);
    // Requests planned shortly before the fault may have been sent, or in flight, when it began.
    let before = ((round.fault_s - LATE.as_secs_f64()) / course.interval_s) as usize;
    let fine = [Outcome::Good, Outcome::RightlyDenied, Outcome::Tolerated];
    let wrong = round.outcomes.iter().filter(|(outcome, _)| !fine.contains(outcome));
    let wrong: u32 = wrong.flat_map(|(_, counts)| counts.iter().take(before)).sum();
    let sent = probed.iter().filter_map(|each| match each.reply {
        Reply::Completed { sent, .. } => Some(sent.saturating_duration_since(each.intended)),
        _ => None,
    });
    let lags: Vec<Duration> = sent.collect();
    let late = lags.iter().filter(|lag| **lag > LATE).count() as f64 / lags.len().max(1) as f64;
    let found = [
        (unsent > 0).then(|| format!("{unsent} of {} requests were not sent", round.planned)),
        (wrong > 0).then(|| format!("{wrong} requests got a wrong response before the fault")),
        (late > LATE_SHARE)
            .then(|| format!("{:.0} % of the requests were sent more than {} ms late", late * 100.0, LATE.as_millis())),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const WINDOW: Duration = Duration::from_secs(2);

    /// Returns a request sent this many milliseconds after the zero, with a response 5 ms later.
    fn answered(zero: Instant, at_ms: u32, status: u16, has_expected_user: bool) -> ProbedRequest {
        let sent = zero + at_ms * MS;
        let reply = Reply::Completed { status, has_expected_user, sent, done: sent + 5 * MS };
        ProbedRequest { intended: sent, node: 0, credential: 0, reply }
    }

    fn unanswered(zero: Instant, reply: Reply) -> ProbedRequest {
        ProbedRequest { intended: zero + 3_000 * MS, node: 0, credential: 0, reply }
    }

    #[test]
    fn good_credential_counts_as_lost_only_after_state_loss() {
        let zero = Instant::now();
        let came_to = |status, lost_from| outcome(&answered(zero, 100, status, true), None, WINDOW, lost_from);
        assert_eq!(came_to(200, None), Outcome::Good);
        assert_eq!(came_to(401, None), Outcome::WronglyDenied);
        assert_eq!(came_to(401, Some(zero + 200 * MS)), Outcome::WronglyDenied, "the loss is not visible yet");
        assert_eq!(came_to(401, Some(zero + 50 * MS)), Outcome::Lost);
        assert_eq!(came_to(403, Some(zero)), Outcome::WronglyDenied, "403 shows that the credential is known");
        assert_eq!(came_to(503, Some(zero)), Outcome::Unavailable);
        assert_eq!(came_to(500, None), Outcome::OtherStatus);
        let unheard = |reply| outcome(&unanswered(zero, reply), None, WINDOW, None);
        assert_eq!(
            [Reply::TimedOut, Reply::Disconnected, Reply::Unsent].map(unheard),
            [Outcome::TimedOut, Outcome::Disconnected, Outcome::Unsent]
        );
        let strange = outcome(&answered(zero, 100, 200, false), None, WINDOW, None);
        assert_eq!(strange, Outcome::WronglyAllowed, "a response with another user's name is always wrong");
    }

    #[test]
    fn revoked_credential_is_wrongly_allowed_after_its_window() {
        let zero = Instant::now();
        let end = End { asked: zero + 50 * MS, acknowledged: Some(zero + 60 * MS) };
        let came_to = |at_ms, status| outcome(&answered(zero, at_ms, status, true), Some(end), WINDOW, None);
        assert_eq!(came_to(10, 200), Outcome::Good, "response before the revocation was requested");
        assert_eq!(came_to(10, 401), Outcome::WronglyDenied);
        assert_eq!(came_to(48, 401), Outcome::RightlyDenied, "in flight when it was revoked");
        assert_eq!(came_to(2_059, 200), Outcome::Tolerated);
        assert_eq!(came_to(2_060, 200), Outcome::WronglyAllowed);
        assert_eq!(came_to(2_060, 401), Outcome::RightlyDenied);
        assert_eq!(came_to(2_060, 503), Outcome::NotLetIn);
        assert_eq!(outcome(&unanswered(zero, Reply::TimedOut), Some(end), WINDOW, None), Outcome::NotLetIn);
    }

    #[test]
    fn unacknowledged_logout_allows_any_response() {
        let zero = Instant::now();
        let end = Some(End { asked: zero, acknowledged: None });
        let came_to = |status| outcome(&answered(zero, 60_000, status, true), end, WINDOW, None);
        assert_eq!([200, 401, 503].map(came_to), [Outcome::Tolerated, Outcome::RightlyDenied, Outcome::NotLetIn]);
    }
}
