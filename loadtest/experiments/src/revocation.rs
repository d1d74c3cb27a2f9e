//! `revocation`: for how long is a credential still accepted after it was ended?
//!
//! Varies: the scheme; what ends the credential (a logout, a logout of all, a change of password, a user locked out, the
//! role `admin` taken away); and for schemes that are told by a push, the link between the last node and its store: near,
//! slow, or silently broken. Holds: the nodes, which share keys and a store, the carrier, the request (`GET /me`; `GET
//! /admin` for the role).
//!
//! Every node has accepted the credential just before, so that what remembers it remembers it. The event goes to one
//! node, drawn by the seed; from the moment at which its acknowledgement is in, all nodes are asked at once over kept-alive
//! connections, until each has denied three times. What is accepted counts only if it was sent after that moment.
//!
//! Where a denial comes with the event or its push, there is one event at a time and nothing waits between the questions.
//! Where it has to be waited for, events are made in waves; tokens and epochs then live for seconds instead of minutes, and
//! what is seen is held against what was left of them. What an event costs the store is counted apart, on one node and
//! in quiet.
//!
//! Weak: nodes and store share a machine and its clock, so pushes travel for no time at all, and no clock is wrong. What is measured
//! is never shorter than an answer. Schemes are visited one after another: their times are not compared statistically. A
//! session in a server's own memory is known to that server alone, so it is asked alone. `hybrid` is asked at the edge; what
//! a token that was handed inside is good for there, its server states and nobody measures.

mod group;
mod parameters;
mod price;
mod series;
mod trial;

use contract::{RevocationClass, Scheme};
use engine::record::{PushLink, RevocationExperiment};
use lab::store::Store;

use crate::Run;
use crate::bench::{Bench, ExperimentError};
use crate::profile::Profile;
use series::SeriesPlan;

pub use parameters::{EventCounts, RevocationParameters};

/// Blocks of events that are made one at a time: enough for the interval of a median.
const BLOCKS: u32 = 10;

impl Run for RevocationExperiment {
    type Parameters = RevocationParameters;

    fn parameters(profile: Profile) -> RevocationParameters {
        RevocationParameters::of(profile)
    }

    fn run(bench: &mut Bench<'_>, parameters: &RevocationParameters) -> Result<(), ExperimentError> {
        let schemes = &bench.setting.schemes;
        let plans: Vec<(Scheme, Vec<SeriesPlan>)> =
            schemes.iter().map(|&scheme| (scheme, plans(bench, parameters, scheme))).collect();
        let rounds = plans.iter().flat_map(|(_, plans)| plans).map(|plan| u64::from(plan.rounds)).sum::<u64>();
        bench.progress.begin("revocation", rounds);
        for (scheme, plans) in plans {
            clear(bench, scheme)?;
            price::take(bench, scheme)?;
            for plan in plans {
                clear(bench, scheme)?;
                let series = series::measure(bench, parameters, scheme, &plan)?;
                bench.journal.measured(|found: &mut RevocationExperiment| found.series.push(series))?;
            }
            leave_out(bench, scheme)?;
        }
        Ok(())
    }
}

fn clear(bench: &Bench<'_>, scheme: Scheme) -> Result<(), ExperimentError> {
    bench.go_on()?;
    Ok(bench.setting.store(scheme).map_or(Ok(()), Store::clear)?)
}

/// What is measured of a scheme; nothing of the control, which hands out nothing that could be ended.
fn plans(bench: &Bench<'_>, parameters: &RevocationParameters, scheme: Scheme) -> Vec<SeriesPlan> {
    let waited = |link| SeriesPlan { link, rounds: parameters.waves, counts: parameters.waited, one_by_one: false };
    let prompt = SeriesPlan { link: PushLink::Near, rounds: BLOCKS, counts: parameters.prompt, one_by_one: true };
    match scheme.revocation_class() {
        None => Vec::new(),
        Some(RevocationClass::Propagation) if may_have_proxy(bench, scheme) => {
            vec![prompt, waited(PushLink::Delayed { delay_ms: parameters.delay_ms }), waited(PushLink::Lost)]
        }
        Some(RevocationClass::Immediate | RevocationClass::Propagation) => vec![prompt],
        Some(RevocationClass::Ttl | RevocationClass::Expiry) => vec![waited(PushLink::Near)],
    }
}

/// Whether a delay proxy can lie between a node and this scheme's store.
fn may_have_proxy(bench: &Bench<'_>, scheme: Scheme) -> bool {
    bench.setting.store(scheme).and_then(Store::address).is_some()
}

fn leave_out(bench: &mut Bench<'_>, scheme: Scheme) -> Result<(), ExperimentError> {
    if scheme.revocation_class() == Some(RevocationClass::Propagation) && !may_have_proxy(bench, scheme) {
        let reason = "its store is external and may redirect its clients to other addresses; omit --redis-url";
        bench.journal.omit(&format!("revocation with {scheme} over a slow and an interrupted link"), reason)?;
    }
    Ok(())
}

/// The part of a whole that belongs to one of so many rounds.
const fn share(whole: u32, round: u32, rounds: u32) -> u32 {
    (whole * (round + 1)) / rounds - (whole * round) / rounds
}

impl EventCounts {
    /// What of them belongs to a round.
    const fn in_round(self, round: u32, rounds: u32) -> Self {
        Self { plain: share(self.plain, round, rounds), hashed: share(self.hashed, round, rounds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_share_the_total() {
        for whole in [0, 3, 10, 19, 320, 3200] {
            let shares: Vec<u32> = (0..BLOCKS).map(|round| share(whole, round, BLOCKS)).collect();
            assert_eq!(shares.iter().sum::<u32>(), whole, "{shares:?}");
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
        }
    }
}
