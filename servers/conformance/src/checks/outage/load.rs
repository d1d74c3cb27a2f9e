//! An outage during requests over several connections.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::sleep;
use std::time::Duration;

use contract::{StoreDown, route};

use super::{Down, Outage, await_ready, ended, in_time, settled};
use crate::case::{Case, STALL};
use crate::stop::{Step, ensure, fail, not_applicable, reason};
use crate::wire::{Answer, Base, Request};

/// Number of concurrent connections.
const CONNECTIONS: usize = 6;
/// The pause between two requests of a connection: the subject is the outage, not the server's speed.
const PAUSE: Duration = Duration::from_millis(2);
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
enum Who {
    /// A valid credential.
    Good,
    /// A revoked or unknown credential.
    Nobody,
}

/// Starts an outage for the servers, or for the last of them, during load, and ends it.
pub(super) fn during(case: &Case<'_>, down: Down) -> Step {
    case.store()?;
    let policy = Case::fact(case.facts.store_down())?;
    if policy == StoreDown::NotNeeded {
        return not_applicable(reason::STORE_WITHIN);
    }
    let node = case.subject.nodes.last().unwrap_or(case.first());
    let ended = ended(case)?;
    let good = (0..CONNECTIONS).map(|_| Ok(case.login()?.credential)).collect::<Step<Vec<_>>>()?;
    let stage = Stage(AtomicU8::new(0));
    let client = |good: &str| Client { case, node, policy, down, stage: &stage }.ask(good, ended.as_deref());
    let asked = std::thread::scope(|scope| {
        let clients: Vec<_> = good.iter().map(|good| scope.spawn(|| client(good))).collect();
        let played = play(case, down, &stage);
        stage.enter(Phase::Over);
        let asked = clients.into_iter().map(|client| client.join().expect("a client does not panic"));
        let asked = asked.collect::<Step<Vec<u32>>>();
        played.and(asked)
    });
    let settled = settled(case);
    let answers = asked?;
    settled?;
    ensure(answers.iter().all(|answers| *answers > 0), || "a connection got no response during the outage".to_owned())
}

/// Runs one phase after the other.
fn play(case: &Case<'_>, down: Down, stage: &Stage) -> Step {
    sleep(SPAN);
    stage.enter(Phase::Begins);
    let outage = Outage::begin(case, down)?;
    sleep(SPAN);
    stage.enter(Phase::Away);
    sleep(AWAY);
    stage.enter(Phase::Ends);
    drop(outage);
    await_ready(case)?;
    stage.enter(Phase::After);
    sleep(SPAN);
    Ok(())
}

struct Client<'c> {
    case: &'c Case<'c>,
    node: &'c Base,
    policy: StoreDown,
    down: Down,
    stage: &'c Stage,
}

impl Client<'_> {
    /// Sends requests until the end; returns the number of responses during the outage.
    fn ask(&self, good: &str, ended: Option<&str>) -> Step<u32> {
        let unknown: String = good.chars().rev().collect();
        let nobodies = ended.into_iter().chain([unknown.as_str()]).map(|credential| (Who::Nobody, credential));
        let all: Vec<_> = std::iter::once((Who::Good, good)).chain(nobodies).collect();
        let mut connection = self.case.connection(self.node);
        let mut answers = 0;
        for (who, credential) in all.iter().cycle() {
            let began = self.stage.phase();
            if began == Phase::Over {
                break;
            }
            let me = self.case.with(Request::get(route::ME), credential);
            let answer = self.case.send_over(&mut connection, &me)?;
            let ended = self.stage.phase();
            self.judge(*who, &answer, began, ended)?;
            answers += u32::from(began == Phase::Away);
            sleep(PAUSE);
        }
        Ok(answers)
    }

    fn judge(&self, who: Who, answer: &Answer, began: Phase, ended: Phase) -> Step {
        in_time(answer, route::ME)?;
        let status = answer.status;
        match who {
            Who::Nobody => ensure(matches!(status, 401 | 503), || {
                format!("a revoked or unknown credential gets {status} instead of 401 or 503")
            })?,
            Who::Good => {
                let allowed = [self.allowed(began), self.allowed(ended)].concat();
                let (policy, took) = (self.policy, answer.took);
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
        match self.case.set_credentials(answer).next() {
            Some(cookie) => fail(format!("{status} with Set-Cookie: {cookie}")),
            None => Ok(()),
        }
    }

    /// Returns the statuses allowed for a valid credential in this phase.
    fn allowed(&self, phase: Phase) -> &'static [u16] {
        let emptied = self.down == Down::Dead;
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
