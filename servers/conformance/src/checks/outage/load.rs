//! An outage during requests over several connections.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::sleep;
use std::time::Duration;

use contract::{StoreDown, route};

use super::{Outage, OutageKind, await_ready, ensure_in_time, ensure_recovery, revoked_credential};
use crate::check_context::{CheckContext, STALL};
use crate::check_error::{CheckResult, ensure, fail, not_applicable, reason};
use crate::wire::{Base, Request, Response};

/// Number of concurrent connections.
const CONNECTIONS: usize = 6;
/// The pause between two requests of a connection: the subject is the outage, not the server's speed.
const PAUSE: Duration = Duration::from_millis(8);
/// Duration of the load before the outage, at its start, during it, and after it.
const SPAN: Duration = Duration::from_millis(300);
/// Minimum duration of the outage: longer than the store timeout of any server.
const AWAY: Duration = Duration::from_millis(1500);

/// The phase of the outage. A request is judged by one phase only if it began and ended in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Before,
    Begins,
    Away,
    Ends,
    After,
    Over,
}

struct Stage(AtomicU8);

impl Stage {
    const ALL: [Phase; 6] = [Phase::Before, Phase::Begins, Phase::Away, Phase::Ends, Phase::After, Phase::Over];

    fn phase(&self) -> Phase {
        Self::ALL[usize::from(self.0.load(Ordering::SeqCst))]
    }

    fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::SeqCst);
    }
}

/// The kind of a credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CredentialKind {
    /// A valid credential.
    Valid,
    /// A revoked or unknown credential.
    Invalid,
}

/// Starts an outage for the servers, or for the last of them, during load, and ends it.
pub(super) fn during(context: &CheckContext<'_>, kind: OutageKind) -> CheckResult {
    context.store_control()?;
    let policy = CheckContext::require(context.facts.store_down())?;
    if policy == StoreDown::NotNeeded {
        return not_applicable(reason::STORE_WITHIN);
    }
    let node = context.subject.nodes.last().unwrap_or(context.first_node());
    let revoked = revoked_credential(context)?;
    let valid = (0..CONNECTIONS).map(|_| Ok(context.login()?.credential)).collect::<CheckResult<Vec<_>>>()?;
    let stage = Stage(AtomicU8::new(0));
    let client =
        |valid: &str| Client { context, node, policy, kind, stage: &stage }.send_requests(valid, revoked.as_deref());
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = valid.iter().map(|valid| scope.spawn(|| client(valid))).collect();
        let stages = run_stages(context, kind, &stage);
        stage.enter(Phase::Over);
        let sent = clients.into_iter().map(|client| client.join().expect("a client does not panic"));
        let sent = sent.collect::<CheckResult<Vec<u32>>>();
        stages.and(sent)
    });
    let recovery = ensure_recovery(context);
    let responses = sent?;
    recovery?;
    ensure(responses.iter().all(|responses| *responses > 0), || {
        "a connection got no response during the outage".to_owned()
    })
}

/// Runs one phase after the other.
fn run_stages(context: &CheckContext<'_>, kind: OutageKind, stage: &Stage) -> CheckResult {
    sleep(SPAN);
    stage.enter(Phase::Begins);
    let outage = Outage::start(context, kind)?;
    sleep(SPAN);
    stage.enter(Phase::Away);
    sleep(AWAY);
    stage.enter(Phase::Ends);
    drop(outage);
    await_ready(context)?;
    stage.enter(Phase::After);
    sleep(SPAN);
    Ok(())
}

struct Client<'c> {
    context: &'c CheckContext<'c>,
    node: &'c Base,
    policy: StoreDown,
    kind: OutageKind,
    stage: &'c Stage,
}

impl Client<'_> {
    /// Sends requests until the end; returns the number of responses during the outage.
    fn send_requests(&self, valid: &str, revoked: Option<&str>) -> CheckResult<u32> {
        let unknown: String = valid.chars().rev().collect();
        let invalid =
            revoked.into_iter().chain([unknown.as_str()]).map(|credential| (CredentialKind::Invalid, credential));
        let all: Vec<_> = std::iter::once((CredentialKind::Valid, valid)).chain(invalid).collect();
        let mut connection = self.context.connection(self.node);
        let mut responses = 0;
        for (kind, credential) in all.iter().cycle() {
            let began = self.stage.phase();
            if began == Phase::Over {
                break;
            }
            let me = self.context.with(Request::get(route::ME), credential);
            let response = self.context.send_over(&mut connection, &me)?;
            let ended = self.stage.phase();
            self.check_response(*kind, &response, began, ended)?;
            responses += u32::from(began == Phase::Away);
            sleep(PAUSE);
        }
        Ok(responses)
    }

    fn check_response(&self, kind: CredentialKind, response: &Response, began: Phase, ended: Phase) -> CheckResult {
        ensure_in_time(response, route::ME)?;
        let status = response.status;
        match kind {
            CredentialKind::Invalid => ensure(matches!(status, 401 | 503), || {
                format!("a revoked or unknown credential gets {status} instead of 401 or 503")
            })?,
            CredentialKind::Valid => {
                let allowed = [self.allowed(began), self.allowed(ended)].concat();
                let (policy, took) = (self.policy, response.took);
                // A server that needs no store to accept has no reason to wait.
                let stalled = status == 503 && took >= STALL && policy != StoreDown::VerifyOnly;
                ensure(stalled || allowed.contains(&status), || {
                    format!(
                        "a valid credential gets {status} after {took:?} ({began:?}, {ended:?}) instead of one of \
                         {allowed:?}: {policy}"
                    )
                })?;
            }
        }
        match self.context.set_credentials(response).next() {
            Some(cookie) => fail(format!("{status} with Set-Cookie: {cookie}")),
            None => Ok(()),
        }
    }

    /// Returns the statuses allowed for a valid credential in this phase.
    fn allowed(&self, phase: Phase) -> &'static [u16] {
        let emptied = self.kind == OutageKind::Dead;
        match (phase, self.policy) {
            (_, StoreDown::VerifyOnly) | (Phase::Before, _) => &[200],
            (Phase::Away, StoreDown::FailClosed) => &[503],
            // A store that crashed may come back empty.
            (Phase::Ends, _) if emptied => &[200, 401, 503],
            (Phase::After | Phase::Over, _) if emptied => &[200, 401],
            (Phase::After | Phase::Over, _) => &[200],
            (Phase::Begins | Phase::Away | Phase::Ends, _) => &[200, 503],
        }
    }
}
