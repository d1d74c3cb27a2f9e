//! Copies of a refresh token: sent at once by its owner's clients, and later by another client.

use std::sync::Barrier;
use std::time::Instant;

use engine::median::median;
use engine::record::{Race, Replay, RotationExperiment, Validity};
use lab::http::{Client, HttpError};
use lab::server::Server;

use super::RaceParameters;
use super::clients::{Refreshed, families, refresh, us_between};
use super::refreshing::Refreshing;
use crate::run_context::{ExperimentError, RunContext};

/// Families that race between two checks for an interruption.
const BATCH: u32 = 100;
/// How much later than the grace period a copy is sent that has to be rejected: the grace period counts whole seconds.
const PAST_S: u64 = 2;

pub(super) fn steps(parameters: &RaceParameters) -> u64 {
    let replays: usize = parameters.graces_s.iter().map(|&grace_s| ages_s(grace_s).len()).sum();
    (parameters.graces_s.len() * parameters.clients.len() + replays) as u64
}

pub(super) fn run(
    context: &mut RunContext<'_>,
    parameters: &RaceParameters,
    refreshing: &Refreshing<'_>,
) -> Result<(), ExperimentError> {
    let scheme = refreshing.scheme.id();
    for &grace_s in &parameters.graces_s {
        let server = refreshing.start(context, vec![("--refresh-grace-s", grace_s.to_string())])?;
        for &clients in &parameters.clients {
            context.step(&format!("{clients} clients refresh at once, grace period {grace_s} s"))?;
            let outcomes = race(context, &server, clients, parameters.families)?;
            let race = outcomes.into_race(scheme, grace_s, clients);
            context.journal.measured(|rotation: &mut RotationExperiment| rotation.races.push(race))?;
        }
        for age_s in ages_s(grace_s) {
            context.step(&format!("copies are sent {age_s} s later, grace period {grace_s} s"))?;
            let replay = replay(context, &server, scheme, (grace_s, age_s), parameters.replays)?;
            context.journal.measured(|rotation: &mut RotationExperiment| rotation.replays.push(replay))?;
        }
        refreshing.check(&server)?;
    }
    Ok(())
}

/// Returns the ages of copies when they are sent: at once, before the end of the grace period, and after it. A fifth of the
/// period is left for the sending itself.
fn ages_s(grace_s: u64) -> Vec<u64> {
    let mut ages_s = vec![0, grace_s.saturating_sub((grace_s / 5).max(1)), grace_s + PAST_S];
    ages_s.dedup();
    ages_s
}

/// The outcome of families.
#[derive(Default)]
struct Outcomes {
    families: u64,
    granted: u64,
    rejected: u64,
    failed: u64,
    revoked: u64,
    spreads_us: Vec<u64>,
}

impl Outcomes {
    fn into_race(self, scheme: &str, grace_s: u64, clients: u32) -> Race {
        Race {
            scheme: scheme.to_owned(),
            grace_s,
            clients,
            families: self.families,
            granted: self.granted,
            refused: self.rejected,
            killed: self.revoked,
            spread_us: median(self.spreads_us.into_iter().map(|us| us as f64)).unwrap_or(0.0),
            validity: no_failures(self.failed),
        }
    }
}

/// Invalidates the result if a refresh was neither granted nor rejected.
fn no_failures(failed: u64) -> Validity {
    let some = (failed > 0).then(|| format!("{failed} refreshes got neither a token nor 401"));
    Validity::from_reasons(some.into_iter().collect())
}

fn race(context: &RunContext<'_>, server: &Server, clients: u32, count: u32) -> Result<Outcomes, ExperimentError> {
    let clients_racing: Vec<Client> = (0..clients).map(|_| server.client()).collect();
    let owner = server.client();
    let mut outcomes = Outcomes::default();
    for first in (0..count).step_by(BATCH as usize) {
        let tokens = families(context, server, BATCH.min(count - first))?;
        for sent in send_all(&clients_racing, &tokens)? {
            count_outcomes(&owner, &sent, &mut outcomes)?;
        }
    }
    Ok(outcomes)
}

/// The time at which a client sent, and the outcome.
type Sent = (Instant, Refreshed);

/// Makes every client send every token, all at the same instant. Returns by token the outcome of each client.
fn send_all(clients_racing: &[Client], tokens: &[String]) -> Result<Vec<Vec<Sent>>, HttpError> {
    let start = Barrier::new(clients_racing.len());
    let send = |client: &Client| -> Vec<Result<Sent, HttpError>> {
        let one = |token: &String| {
            start.wait();
            let sent = Instant::now();
            Ok((sent, refresh(client, token)?))
        };
        tokens.iter().map(one).collect()
    };
    let by_client = std::thread::scope(|scope| {
        let threads: Vec<_> = clients_racing.iter().map(|client| scope.spawn(|| send(client))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client does not panic")).collect::<Vec<_>>()
    });
    let mut by_token: Vec<Vec<Sent>> = tokens.iter().map(|_| Vec::new()).collect();
    for sent in by_client {
        for (outcomes_of_token, one) in by_token.iter_mut().zip(sent) {
            outcomes_of_token.push(one?);
        }
    }
    Ok(by_token)
}

/// Counts the outcomes of the clients, and checks whether one of them can still refresh: a client refreshes with its
/// latest token, and a rejected token revokes the rest of its family.
fn count_outcomes(owner: &Client, sent: &[Sent], outcomes: &mut Outcomes) -> Result<(), HttpError> {
    let mut latest = None;
    for (_, refreshed) in sent {
        match refreshed {
            Refreshed::Granted(token) => (latest, outcomes.granted) = (Some(token), outcomes.granted + 1),
            Refreshed::Rejected => outcomes.rejected += 1,
            Refreshed::Failed => outcomes.failed += 1,
        }
    }
    let is_alive = match latest {
        None => false,
        Some(token) => matches!(refresh(owner, token)?, Refreshed::Granted(_)),
    };
    outcomes.families += 1;
    outcomes.revoked += u64::from(!is_alive);
    let moments = || sent.iter().map(|(at, _)| *at);
    outcomes.spreads_us.extend(moments().min().zip(moments().max()).map(|(first, last)| us_between(first, last)));
    Ok(())
}

/// Measures families whose owner refreshes, and of whose old token another client sends a copy at this age.
fn replay(
    context: &RunContext<'_>,
    server: &Server,
    scheme: &str,
    (grace_s, age_s): (u64, u64),
    count: u32,
) -> Result<Replay, ExperimentError> {
    let client = server.client();
    let copies = families(context, server, count)?;
    let owners: Vec<Refreshed> = copies.iter().map(|copy| refresh(&client, copy)).collect::<Result<_, _>>()?;
    client.advance_clock(age_s)?;
    let (mut passed, mut revoked, mut failed) = (0, 0, 0);
    for (copy, owner) in copies.iter().zip(owners) {
        match refresh(&client, copy)? {
            Refreshed::Granted(_) => passed += 1,
            Refreshed::Rejected => {}
            Refreshed::Failed => failed += 1,
        }
        let Refreshed::Granted(token) = owner else {
            failed += 1;
            continue;
        };
        revoked += u64::from(!matches!(refresh(&client, &token)?, Refreshed::Granted(_)));
    }
    let families = copies.len() as u64;
    Ok(Replay {
        scheme: scheme.to_owned(),
        grace_s,
        age_s,
        families,
        passed,
        killed: revoked,
        validity: no_failures(failed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_sent_at_once_and_before_and_after_the_grace_period() {
        assert_eq!(ages_s(0), [0, 2]);
        assert_eq!(ages_s(5), [0, 4, 7]);
        assert_eq!(ages_s(60), [0, 48, 62]);
    }
}
