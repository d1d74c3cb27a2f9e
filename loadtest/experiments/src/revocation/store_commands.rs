//! The store commands of an event: counted on one node, one event at a time, without polling.

use std::collections::BTreeMap;

use contract::Scheme;
use driver::RevocationPoller;
use engine::record::{EventKind, RevocationCost, RevocationExperiment};
use lab::store::Store;

use super::trial::{PreparedTrial, TrialFactory};
use crate::run_context::{ExperimentError, RunContext};

/// Events of each kind. Periodic health checks of a server fall into some of them, so the least count is used.
const REPEATS: u32 = 5;

/// Starts one server with its default lifetimes, records its description, and counts commands if the store supports it.
pub(super) fn measure(context: &mut RunContext<'_>, scheme: Scheme) -> Result<(), ExperimentError> {
    let store = context.config.store(scheme);
    let server = context.start(&context.spec(scheme, store)?)?;
    let Some(store) = store.filter(|_| scheme.revocation_class().is_some()) else { return Ok(()) };
    let failed = |source| ExperimentError::Probe { scheme, source };
    let mut poller = RevocationPoller::connect(&[server.address().to_string()], 1).map_err(failed)?;
    let clients = [server.client()];
    let mut next_user = 1;
    for kind in EventKind::ALL {
        context.check_can_continue()?;
        let mut factory = TrialFactory {
            scheme,
            carrier: context.config.carrier,
            poller: &mut poller,
            clients: &clients,
            next_user: &mut next_user,
        };
        let prepared = factory.make(&[(kind, 0); REPEATS as usize])?;
        if let Some(commands) = commands(&mut poller, store, &prepared, scheme)? {
            let price = RevocationCost { scheme: scheme.id().to_owned(), event: kind, commands, events: REPEATS };
            context.journal.measured(|revocation: &mut RevocationExperiment| revocation.prices.push(price))?;
        }
    }
    Ok(())
}

/// Returns the least count of each command; none if the store does not count commands.
fn commands(
    poller: &mut RevocationPoller,
    store: &Store,
    prepared: &[PreparedTrial],
    scheme: Scheme,
) -> Result<Option<BTreeMap<String, u64>>, ExperimentError> {
    let mut least: Option<BTreeMap<String, u64>> = None;
    for PreparedTrial { trial, .. } in prepared {
        // The credential is used once before, as in production, so that caches contain it.
        let failed = |source| ExperimentError::Probe { scheme, source };
        poller.send(0, &trial.probe).map_err(failed)?;
        let Some(before) = store.command_counts()? else { return Ok(None) };
        let status = poller.send(0, &trial.event).map_err(failed)?;
        if status != 204 {
            return Err(ExperimentError::Prepared { scheme, what: "an event that is counted", status });
        }
        let Some(after) = store.command_counts()? else { return Ok(None) };
        let increase = difference(&before, &after);
        least = Some(least.map_or(increase.clone(), |least| minimum(&least, &increase)));
    }
    Ok(least)
}

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = |(name, count): (&String, &u64)| {
        let more = count - before.get(name).copied().unwrap_or(0).min(*count);
        (more > 0).then(|| (name.clone(), more))
    };
    after.iter().filter_map(more).collect()
}

fn minimum(one: &BTreeMap<String, u64>, other: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let both = |(name, count): (&String, &u64)| Some((name.clone(), *other.get(name)?.min(count)));
    one.iter().filter_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn commands_of_other_clients_are_not_counted() {
        let increase = difference(&counts(&[("get", 5), ("ping", 7)]), &counts(&[("get", 6), ("ping", 9), ("del", 1)]));
        assert_eq!(increase, counts(&[("get", 1), ("ping", 2), ("del", 1)]));
        assert_eq!(minimum(&increase, &counts(&[("get", 1), ("del", 1)])), counts(&[("get", 1), ("del", 1)]));
    }
}
