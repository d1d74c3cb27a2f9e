//! Caveats of the machine and of what stood on it.

use engine::record::{Experiment, Record, Round, Usage};

use super::if_any;
use crate::Warning;
use crate::cost::{has_store, is_control};

pub(super) fn all(record: &Record) -> Vec<Warning> {
    let other_than = |name: &Option<String>, good: &str| name.clone().filter(|name| name != good);
    let revision = &record.run.revision;
    let found = [
        carriers(record),
        if_any(local_stores(record), |schemes| Warning::LocalStore { schemes }),
        (record.placement.method == "none").then_some(Warning::NotPinned),
        record.host.virtualized.then_some(Warning::Virtualized),
        steal_unseen(record).then_some(Warning::StealUnseen),
        other_than(&record.host.cpu_governor, "performance").map(|name| Warning::Governor { name }),
        other_than(&record.host.clock_source, "tsc").map(|name| Warning::ClockSource { name }),
        revision
            .as_ref()
            .is_none_or(|revision| revision.ends_with("-dirty"))
            .then(|| Warning::UncommittedCode { revision: revision.clone() }),
    ];
    found.into_iter().flatten().collect()
}

fn carriers(record: &Record) -> Option<Warning> {
    let described = record.schemes.iter().filter(|described| !is_control(&described.scheme));
    let schemes: Vec<(String, String)> =
        described.map(|described| (described.scheme.clone(), described.carrier.to_string())).collect();
    let differ = schemes.iter().any(|(_, carrier)| *carrier != schemes[0].1);
    differ.then_some(Warning::DifferentCarriers { schemes })
}

/// Schemes whose store could be watched: it runs on this machine.
fn local_stores(record: &Record) -> Vec<String> {
    let watched = |scheme: &str| {
        let own = rounds(record).filter(|round| round.scheme == scheme);
        own.filter_map(|round| round.usage.as_ref()).any(|usage| usage.store_cpu_ns.is_some())
    };
    let schemes = record.schemes.iter().map(|described| &described.scheme);
    schemes.filter(|scheme| has_store(record, scheme) && watched(scheme)).cloned().collect()
}

fn steal_unseen(record: &Record) -> bool {
    let usages: Vec<&Usage> = rounds(record).filter_map(|round| round.usage.as_ref()).collect();
    !usages.is_empty() && usages.iter().all(|usage| usage.steal.is_none())
}

fn rounds(record: &Record) -> impl Iterator<Item = &Round> {
    record.experiments.iter().flat_map(Experiment::rounds)
}
