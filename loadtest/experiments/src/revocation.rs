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
mod series;
mod store_commands;
mod trial;

use contract::{RevocationClass, Scheme};
use engine::record::{PushLink, RevocationExperiment};
use lab::store::Store;

use crate::Run;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunContext};
use series::SeriesPlan;

pub use parameters::{EventCounts, RevocationParameters};

/// Blocks of events that are made one at a time: enough for the interval of a median.
const BLOCKS: u32 = 10;

impl Run for RevocationExperiment {
    type Parameters = RevocationParameters;

    fn parameters(profile: Profile) -> RevocationParameters {
        RevocationParameters::of(profile)
    }

    fn run(context: &mut RunContext<'_>, parameters: &RevocationParameters) -> Result<(), ExperimentError> {
        let schemes = &context.config.schemes;
        let plans: Vec<(Scheme, Vec<SeriesPlan>)> =
            schemes.iter().map(|&scheme| (scheme, plans(context, parameters, scheme))).collect();
        let rounds = plans.iter().flat_map(|(_, plans)| plans).map(|plan| u64::from(plan.rounds)).sum::<u64>();
        context.progress.begin("revocation", rounds);
        for (scheme, plans) in plans {
            clear(context, scheme)?;
            store_commands::measure(context, scheme)?;
            for plan in plans {
                clear(context, scheme)?;
                let series = series::measure(context, parameters, scheme, &plan)?;
                context.journal.measured(|revocation: &mut RevocationExperiment| revocation.series.push(series))?;
            }
            record_omissions(context, scheme)?;
        }
        Ok(())
    }
}

fn clear(context: &RunContext<'_>, scheme: Scheme) -> Result<(), ExperimentError> {
    context.check_can_continue()?;
    Ok(context.config.store(scheme).map_or(Ok(()), Store::clear)?)
}

/// Returns the series of a scheme; none for the control, which issues no credential.
fn plans(context: &RunContext<'_>, parameters: &RevocationParameters, scheme: Scheme) -> Vec<SeriesPlan> {
    let delayed = |link| SeriesPlan { link, rounds: parameters.waves, counts: parameters.waited, one_at_a_time: false };
    let prompt = SeriesPlan { link: PushLink::Near, rounds: BLOCKS, counts: parameters.prompt, one_at_a_time: true };
    match scheme.revocation_class() {
        None => Vec::new(),
        Some(RevocationClass::Propagation) if may_have_proxy(context, scheme) => {
            vec![prompt, delayed(PushLink::Delayed { delay_ms: parameters.delay_ms }), delayed(PushLink::Lost)]
        }
        Some(RevocationClass::Immediate | RevocationClass::Propagation) => vec![prompt],
        Some(RevocationClass::Ttl | RevocationClass::Expiry) => vec![delayed(PushLink::Near)],
    }
}

/// Returns whether a delay proxy is possible between a node and this scheme's store.
fn may_have_proxy(context: &RunContext<'_>, scheme: Scheme) -> bool {
    context.config.store(scheme).and_then(Store::address).is_some()
}

fn record_omissions(context: &mut RunContext<'_>, scheme: Scheme) -> Result<(), ExperimentError> {
    if scheme.revocation_class() == Some(RevocationClass::Propagation) && !may_have_proxy(context, scheme) {
        let reason = "its store is external and may redirect its clients to other addresses; omit --redis-url";
        context.journal.omit(&format!("revocation with {scheme} over a slow and an interrupted link"), reason)?;
    }
    Ok(())
}

/// Returns the part of a total that belongs to one of several rounds.
const fn share_of_round(whole: u32, round: u32, rounds: u32) -> u32 {
    (whole * (round + 1)) / rounds - (whole * round) / rounds
}

impl EventCounts {
    /// Returns the part of these counts that belongs to a round.
    const fn in_round(self, round: u32, rounds: u32) -> Self {
        Self { plain: share_of_round(self.plain, round, rounds), hashed: share_of_round(self.hashed, round, rounds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_share_the_total() {
        for whole in [0, 3, 10, 19, 320, 3200] {
            let shares: Vec<u32> = (0..BLOCKS).map(|round| share_of_round(whole, round, BLOCKS)).collect();
            assert_eq!(shares.iter().sum::<u32>(), whole, "{shares:?}");
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
        }
    }
}
