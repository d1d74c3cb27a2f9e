//! An outage during requests over several connections.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use contract::{StoreDown, route};

use super::{MAX_RESPONSE_TIME, Outage, OutageKind, await_ready, ensure_in_time, ensure_recovery, revoked_credential};
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
/// Maximum duration of the outage if a connection gets too few responses in it.
const MAX_AWAY: Duration = MAX_RESPONSE_TIME.saturating_mul(3);

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

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Before => "before the outage",
            Self::Begins => "as the outage began",
            Self::Away => "during the outage",
            Self::Ends => "as the outage ended",
            Self::After | Self::Over => "after the outage",
        }
    }
}

struct Stage {
    phase: AtomicU8,
    /// Number of connections that have sent a valid and an invalid credential during the outage, or have failed.
    examined: AtomicUsize,
}

impl Stage {
    const ALL: [Phase; 6] = [Phase::Before, Phase::Begins, Phase::Away, Phase::Ends, Phase::After, Phase::Over];

    const fn new() -> Self {
        Self { phase: AtomicU8::new(Phase::Before as u8), examined: AtomicUsize::new(0) }
    }

    fn phase(&self) -> Phase {
        Self::ALL[usize::from(self.phase.load(Ordering::SeqCst))]
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    fn connection_examined(&self) {
        self.examined.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets the outage last until every connection has been examined in it, however slow the responses are.
    fn await_examination(&self) {
        let started = Instant::now();
        sleep(AWAY);
        while self.examined.load(Ordering::SeqCst) < CONNECTIONS && started.elapsed() < MAX_AWAY {
            sleep(PAUSE);
        }
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
    let stage = Stage::new();
    let client = Client { context, node, policy, kind, stage: &stage };
    let send = |valid: &str| client.send_requests(valid, revoked.as_deref());
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = valid.iter().map(|valid| scope.spawn(|| send(valid))).collect();
        let stages = run_stages(context, kind, &stage);
        stage.enter(Phase::Over);
        let sent = clients.into_iter().map(|client| client.join().expect("a client does not panic"));
        let sent = sent.collect::<CheckResult<Vec<()>>>();
        stages.and(sent)
    });
    let recovery = ensure_recovery(context);
    sent?;
    recovery
}

/// Runs one phase after the other.
fn run_stages(context: &CheckContext<'_>, kind: OutageKind, stage: &Stage) -> CheckResult {
    sleep(SPAN);
    stage.enter(Phase::Begins);
    let outage = Outage::start(context, kind)?;
    sleep(SPAN);
    stage.enter(Phase::Away);
    stage.await_examination();
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
    /// Sends requests until the end, alternately with a valid and an invalid credential.
    fn send_requests(&self, valid: &str, revoked: Option<&str>) -> CheckResult {
        let sent = self.send_until_over(valid, revoked);
        if sent.is_err() {
            self.stage.connection_examined();
        }
        sent
    }

    fn send_until_over(&self, valid: &str, revoked: Option<&str>) -> CheckResult {
        let unknown: String = valid.chars().rev().collect();
        let requests = revoked
            .into_iter()
            .chain([unknown.as_str()])
            .flat_map(|invalid| [(CredentialKind::Valid, valid), (CredentialKind::Invalid, invalid)]);
        let mut connection = self.context.connection(self.node);
        let mut sent_during_outage = vec![];
        for (kind, credential) in requests.cycle() {
            let began = self.stage.phase();
            if began == Phase::Over {
                break;
            }
            let me = self.context.with(Request::get(route::ME), credential);
            let response = self.context.send_over(&mut connection, &me)?;
            let ended = self.stage.phase();
            self.check_response(kind, &response, began, ended)?;
            if began == Phase::Away && !sent_during_outage.contains(&kind) {
                sent_during_outage.push(kind);
                if sent_during_outage.len() == 2 {
                    self.stage.connection_examined();
                }
            }
            sleep(PAUSE);
        }
        ensure(sent_during_outage.len() == 2, || {
            "during the outage, a connection got no response to a valid or to an invalid credential".to_owned()
        })
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
                        "a valid credential gets {status} after {took:?} (sent {}, completed {}) instead of one of \
                         {allowed:?}: {policy}",
                        began.name(),
                        ended.name()
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
