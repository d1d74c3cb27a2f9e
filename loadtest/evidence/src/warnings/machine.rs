//! Caveats of the machine and of what stood on it.

use engine::record::{Measurement, Record, Round, Usage};

use crate::cost::{has_store, is_control};
use crate::{Topic, Warning};

pub(super) fn all(record: &Record) -> Vec<Warning> {
    let found = [
        carriers(record),
        local_stores(record),
        (record.placement.method == "none").then(|| {
            Topic::Bench.warning(
                "Nothing was pinned to processors: the kernel moved server, store and generator as it liked, and they disturbed one another.",
            )
        }),
        not_realtime(record),
        record.host.virtualized.then(|| {
            Topic::Bench.warning(
                "This is a virtual machine: absolute times depend on what else its host does. Compare only within this run.",
            )
        }),
        steal_unseen(record)
            .then(|| Topic::Bench.warning("Whether a hypervisor gave CPU time to others cannot be seen here.")),
        other_than(record.host.cpu_governor.as_deref(), "performance").map(|name| {
            Topic::Bench.warning(format!(
                "The processors' frequency governor is {name}, not performance: the clock follows the load, and CPU times with it."
            ))
        }),
        other_than(record.host.clock_source.as_deref(), "tsc").map(|name| {
            Topic::Bench.warning(format!(
                "The kernel's clock source is {name}, not tsc: reading the clock is slow here and adds to every time."
            ))
        }),
        uncommitted(record),
    ];
    found.into_iter().flatten().collect()
}

fn other_than<'name>(name: Option<&'name str>, good: &str) -> Option<&'name str> {
    name.filter(|name| *name != good)
}

fn uncommitted(record: &Record) -> Option<Warning> {
    match &record.run.revision {
        Some(revision) if revision.ends_with("-dirty") => Some(Topic::Bench.warning(format!(
            "authbench was built from {revision}, with changes that no commit has: nobody else can build it."
        ))),
        Some(_) => None,
        None => Some(Topic::Bench.warning("authbench was built outside a checkout: its revision is unknown.")),
    }
}

fn carriers(record: &Record) -> Option<Warning> {
    let described: Vec<_> = record.schemes.iter().filter(|described| !is_control(&described.scheme)).collect();
    let differ = described.iter().any(|each| each.carrier != described[0].carrier);
    let told: Vec<String> = described.iter().map(|each| format!("{} by {}", each.scheme, each.carrier)).collect();
    differ.then(|| {
        Topic::Comparison.warning(format!(
            "The schemes travel by different carriers ({}): a part of the difference is the carrier's.",
            told.join(", ")
        ))
    })
}

/// Schemes whose store could be watched: it runs on this machine.
fn local_stores(record: &Record) -> Option<Warning> {
    let watched = |scheme: &str| {
        let own = rounds(record).filter(|round| round.scheme == scheme);
        own.filter_map(|round| round.usage.as_ref()).any(|usage| usage.store_cpu_ns.is_some())
    };
    let schemes = record.schemes.iter().map(|described| described.scheme.as_str());
    let schemes: Vec<&str> = schemes.filter(|scheme| has_store(record, scheme) && watched(scheme)).collect();
    (!schemes.is_empty()).then(|| {
        Topic::Comparison.warning(format!(
            "The store of {} ran on this machine, so its round-trip time is next to nothing. Every network between server and store adds its own to each look-up: this run alone decides nothing about latency.",
            schemes.join(", ")
        ))
    })
}

fn not_realtime(record: &Record) -> Option<Warning> {
    let class = &record.placement.generator_class;
    let placed = !record.placement.generator_cpus.is_empty();
    let paced = rounds(record).any(|round| round.planned_rps.is_some());
    (placed && paced && class != "SCHED_FIFO").then(|| {
        Topic::Bench.warning(format!(
            "The generator ran under {class}, not SCHED_FIFO: where others use its processors it wakes late, which shows as lag. Allow CAP_SYS_NICE to mend it."
        ))
    })
}

fn steal_unseen(record: &Record) -> bool {
    let usages: Vec<&Usage> = rounds(record).filter_map(|round| round.usage.as_ref()).collect();
    !usages.is_empty() && usages.iter().all(|usage| usage.steal.is_none())
}

fn rounds(record: &Record) -> impl Iterator<Item = &Round> {
    record.experiments.iter().flat_map(Measurement::rounds)
}
