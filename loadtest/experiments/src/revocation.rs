//! `revocation`: how long is a credential still accepted after its revocation?
//!
//! Varies: the scheme; the event that revokes the credential (a logout, a logout of all sessions, a change of password,
//! a user locked out, the role `admin` removed); and for schemes with a push, the link between the last node and its
//! store: near, slow, or silently interrupted. Holds: the nodes, which share keys and a store, the carrier, the request
//! (`GET /me`; `GET /admin` for the role).
//!
//! Every node has accepted the credential just before, so that caches contain it. The event goes to one node, drawn by
//! the seed; from the arrival of its acknowledgement on, all nodes are polled at once over keep-alive connections,
//! until each has denied three times. An acceptance counts only if its request was sent after that moment.
//!
//! If a denial comes with the event or its push, there is one event at a time and no pause between the requests. If it
//! has to be waited for, events are made in waves; tokens and epochs then live for seconds instead of minutes, and the
//! results are compared with their remaining lifetime. The store commands of an event are counted separately, on one
//! node and without polling.
//!
//! Limitations: nodes and store share a machine and its clock, so pushes have no network delay, and no clock is wrong.
//! Measured times are never shorter than a response. Schemes are visited one after another: their times are not
//! compared statistically. A session in a server's own memory is known to that server alone, so only that server is
//! polled. `hybrid` is polled at the edge; the lifetime of its downstream token is stated by the server and not
//! measured.

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

/// Returns the series of a scheme; none for the control, which issues no credential.
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

/// Returns whether a delay proxy is possible between a node and this scheme's store.
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

/// Returns the part of a total that belongs to one of several rounds.
const fn share(whole: u32, round: u32, rounds: u32) -> u32 {
    (whole * (round + 1)) / rounds - (whole * round) / rounds
}

impl EventCounts {
    /// Returns the part of these counts that belongs to a round.
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
