//! Classifies a request: a pure function of the response, of the state of its credential, and of the fault.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use contract::StoreKind;
use driver::{ProbedRequest, Reply};
use engine::plan::Plan;
use engine::record::{OutageFault, OutageRound, Outcome, Validity};

use super::credential_ledger::{CredentialLedger, Revocation};
use super::testbed::{KILLED_NODE, SchemeNodes};

/// A request that was sent this much later than planned belongs to another interval.
const MAX_LATENESS: Duration = Duration::from_millis(50);
/// The limit for the share of late requests among those with a response.
const LATE_SHARE: f64 = 0.05;

/// The timeline of a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct FaultTimeline {
    pub(super) fault: OutageFault,
    /// The start of the planned requests.
    pub(super) start: Instant,
    pub(super) began: Instant,
    pub(super) repaired: Instant,
    pub(super) interval_s: f64,
}

/// The state of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CredentialState {
    Valid,
    /// Its revocation was requested; it may be accepted or not.
    Revoking,
    Revoked,
}

/// Returns the round of a scheme.
pub(super) fn classify(
    timeline: &FaultTimeline,
    repetition: u32,
    started_at: &str,
    nodes: &SchemeNodes,
    ledger: &CredentialLedger,
    plan: &Plan,
    probed: &[ProbedRequest],
) -> OutageRound {
    let intervals = (plan.duration_s / timeline.interval_s).ceil() as usize;
    let mut outcomes: BTreeMap<Outcome, Vec<u32>> = BTreeMap::new();
    for each in probed {
        let offset_s = (each.intended - timeline.start).as_secs_f64();
        let interval = ((offset_s / timeline.interval_s) as usize).min(intervals.saturating_sub(1));
        let state_lost_at = timeline.state_lost_at(nodes.scheme.store(), each.node);
        let outcome = outcome(each, ledger.revocation_of(each.node, each.credential), ledger.window, state_lost_at);
        outcomes.entry(outcome).or_insert_with(|| vec![0; intervals])[interval] += 1;
    }
    let mut round = OutageRound {
        scheme: nodes.scheme.id().to_owned(),
        fault: timeline.fault,
        repetition,
        started_at: started_at.to_owned(),
        fault_s: (timeline.began - timeline.start).as_secs_f64(),
        healed_s: (timeline.repaired - timeline.start).as_secs_f64(),
        planned: probed.len() as u64,
        outcomes,
        logouts_asked: ledger.requested_during,
        logouts_acknowledged: ledger.acknowledged_during,
        validity: Validity::default(),
    };
    round.validity = Validity::from_reasons(reasons(&round, timeline, probed));
    round
}

impl FaultTimeline {
    /// Returns when valid credentials may become unknown because state was lost.
    fn state_lost_at(&self, store: StoreKind, node: usize) -> Option<Instant> {
        let gone = match self.fault {
            OutageFault::StoreKilled => store.is_external(),
            OutageFault::NodeKilled => store == StoreKind::Memory && node == KILLED_NODE,
            _ => false,
        };
        gone.then_some(self.repaired)
    }
}

fn outcome(
    probed: &ProbedRequest,
    revocation: Option<Revocation>,
    window: Duration,
    state_lost_at: Option<Instant>,
) -> Outcome {
    let (sent, done, status, has_user) = match probed.reply {
        Reply::Unsent => return Outcome::Unsent,
        Reply::Completed { status, has_expected_user, sent, done } => (sent, done, Some(status), has_expected_user),
        Reply::TimedOut | Reply::Disconnected => (probed.intended, probed.intended, None, true),
    };
    let credential_state = credential_state(revocation, window, sent, done);
    match (credential_state, status) {
        (_, Some(200)) if !has_user => Outcome::WronglyAllowed,
        (CredentialState::Valid, Some(200)) => Outcome::Good,
        (CredentialState::Valid, Some(401)) if state_lost_at.is_some_and(|from| done >= from) => Outcome::Lost,
        (CredentialState::Valid, Some(401 | 403)) => Outcome::WronglyDenied,
        (CredentialState::Valid, Some(503)) => Outcome::Unavailable,
        (CredentialState::Valid, Some(_)) => Outcome::OtherStatus,
        (CredentialState::Valid, None) if probed.reply == Reply::TimedOut => Outcome::TimedOut,
        (CredentialState::Valid, None) => Outcome::Disconnected,
        (CredentialState::Revoking, Some(200)) => Outcome::Tolerated,
        (CredentialState::Revoked, Some(200)) => Outcome::WronglyAllowed,
        (CredentialState::Revoking | CredentialState::Revoked, Some(401 | 403)) => Outcome::RightlyDenied,
        (CredentialState::Revoking | CredentialState::Revoked, _) => Outcome::NotLetIn,
    }
}

/// Returns the state of a credential for a request: revoked if it was sent after the window, valid if the response came
/// before the revocation was requested.
fn credential_state(revocation: Option<Revocation>, window: Duration, sent: Instant, done: Instant) -> CredentialState {
    match revocation {
        None => CredentialState::Valid,
        Some(revocation) if done < revocation.requested_at => CredentialState::Valid,
        Some(Revocation { acknowledged_at: Some(acknowledged_at), .. }) if sent >= acknowledged_at + window => {
            CredentialState::Revoked
        }
        Some(_) => CredentialState::Revoking,
    }
}

fn reasons(round: &OutageRound, timeline: &FaultTimeline, probed: &[ProbedRequest]) -> Vec<String> {
    let unsent = round.count(Outcome::Unsent);
    // Requests planned shortly before the fault may have been sent, or in flight, when it began.
    let before = ((round.fault_s - MAX_LATENESS.as_secs_f64()) / timeline.interval_s) as usize;
    let fine = [Outcome::Good, Outcome::RightlyDenied, Outcome::Tolerated];
    let wrong = round.outcomes.iter().filter(|(outcome, _)| !fine.contains(outcome));
    let wrong: u32 = wrong.flat_map(|(_, counts)| counts.iter().take(before)).sum();
    let sent = probed.iter().filter_map(|each| match each.reply {
        Reply::Completed { sent, .. } => Some(sent.saturating_duration_since(each.intended)),
        _ => None,
    });
    let lags: Vec<Duration> = sent.collect();
    let late = lags.iter().filter(|lag| **lag > MAX_LATENESS).count() as f64 / lags.len().max(1) as f64;
    let found = [
        (unsent > 0).then(|| format!("{unsent} of {} requests were not sent", round.planned)),
        (wrong > 0).then(|| format!("{wrong} requests got a wrong response before the fault")),
        (late > LATE_SHARE).then(|| {
            format!("{:.0} % of the requests were sent more than {} ms late", late * 100.0, MAX_LATENESS.as_millis())
        }),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const WINDOW: Duration = Duration::from_secs(2);

    /// Returns a request sent this many milliseconds after the zero, with a response 5 ms later.
    fn responded(zero: Instant, at_ms: u32, status: u16, has_expected_user: bool) -> ProbedRequest {
        let sent = zero + at_ms * MS;
        let reply = Reply::Completed { status, has_expected_user, sent, done: sent + 5 * MS };
        ProbedRequest { intended: sent, node: 0, credential: 0, reply }
    }

    fn without_response(zero: Instant, reply: Reply) -> ProbedRequest {
        ProbedRequest { intended: zero + 3_000 * MS, node: 0, credential: 0, reply }
    }

    #[test]
    fn good_credential_counts_as_lost_only_after_state_loss() {
        let zero = Instant::now();
        let outcome_of =
            |status, state_lost_at| outcome(&responded(zero, 100, status, true), None, WINDOW, state_lost_at);
        assert_eq!(outcome_of(200, None), Outcome::Good);
        assert_eq!(outcome_of(401, None), Outcome::WronglyDenied);
        assert_eq!(outcome_of(401, Some(zero + 200 * MS)), Outcome::WronglyDenied, "the loss is not visible yet");
        assert_eq!(outcome_of(401, Some(zero + 50 * MS)), Outcome::Lost);
        assert_eq!(outcome_of(403, Some(zero)), Outcome::WronglyDenied, "403 shows that the credential is known");
        assert_eq!(outcome_of(503, Some(zero)), Outcome::Unavailable);
        assert_eq!(outcome_of(500, None), Outcome::OtherStatus);
        let outcome_without_response = |reply| outcome(&without_response(zero, reply), None, WINDOW, None);
        assert_eq!(
            [Reply::TimedOut, Reply::Disconnected, Reply::Unsent].map(outcome_without_response),
            [Outcome::TimedOut, Outcome::Disconnected, Outcome::Unsent]
        );
        let of_other_user = outcome(&responded(zero, 100, 200, false), None, WINDOW, None);
        assert_eq!(of_other_user, Outcome::WronglyAllowed, "a response with another user's name is always wrong");
    }

    #[test]
    fn revoked_credential_is_wrongly_allowed_after_its_window() {
        let zero = Instant::now();
        let revocation = Revocation { requested_at: zero + 50 * MS, acknowledged_at: Some(zero + 60 * MS) };
        let outcome_of = |at_ms, status| outcome(&responded(zero, at_ms, status, true), Some(revocation), WINDOW, None);
        assert_eq!(outcome_of(10, 200), Outcome::Good, "response before the revocation was requested");
        assert_eq!(outcome_of(10, 401), Outcome::WronglyDenied);
        assert_eq!(outcome_of(48, 401), Outcome::RightlyDenied, "in flight when it was revoked");
        assert_eq!(outcome_of(2_059, 200), Outcome::Tolerated);
        assert_eq!(outcome_of(2_060, 200), Outcome::WronglyAllowed);
        assert_eq!(outcome_of(2_060, 401), Outcome::RightlyDenied);
        assert_eq!(outcome_of(2_060, 503), Outcome::NotLetIn);
        assert_eq!(
            outcome(&without_response(zero, Reply::TimedOut), Some(revocation), WINDOW, None),
            Outcome::NotLetIn
        );
    }

    #[test]
    fn unacknowledged_logout_allows_any_response() {
        let zero = Instant::now();
        let revocation = Some(Revocation { requested_at: zero, acknowledged_at: None });
        let outcome_of = |status| outcome(&responded(zero, 60_000, status, true), revocation, WINDOW, None);
        assert_eq!([200, 401, 503].map(outcome_of), [Outcome::Tolerated, Outcome::RightlyDenied, Outcome::NotLetIn]);
    }
}
