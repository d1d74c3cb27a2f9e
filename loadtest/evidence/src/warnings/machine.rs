//! Caveats about the machine and the placement of the processes.

use engine::record::{Measurement, Record, Round, Usage};

use crate::cost::{has_store, is_control};
use crate::{Topic, Warning};

pub(super) fn all(record: &Record) -> Vec<Warning> {
    let found = [
        carriers(record),
        local_stores(record),
        (record.placement.method == "none").then(|| {
            Topic::Setup.warning(
                "Server, store and generator were not pinned to CPUs: the kernel moved them between CPUs, and they \
                 disturbed each other.",
            )
        }),
        not_realtime(record),
        record.host.virtualized.then(|| {
            Topic::Setup.warning(
                "This is a virtual machine: absolute times depend on the load of its host. Compare only within this \
                 run.",
            )
        }),
        steal_unobservable(record)
            .then(|| Topic::Setup.warning("CPU time that a hypervisor takes away (steal) cannot be observed here.")),
        unless_equal(record.host.cpu_governor.as_deref(), "performance").map(|name| {
            Topic::Setup.warning(format!(
                "The CPU frequency governor is {name}, not performance: the clock frequency follows the load and \
                 changes CPU times."
            ))
        }),
        unless_equal(record.host.clock_source.as_deref(), "tsc").map(|name| {
            Topic::Setup.warning(format!(
                "The kernel's clock source is {name}, not tsc: reading the clock is slow here and adds to every \
                 measured time."
            ))
        }),
        uncommitted(record),
    ];
    found.into_iter().flatten().collect()
}

fn unless_equal<'name>(name: Option<&'name str>, good: &str) -> Option<&'name str> {
    name.filter(|name| *name != good)
}

fn uncommitted(record: &Record) -> Option<Warning> {
    match &record.run.revision {
        Some(revision) if revision.ends_with("-dirty") => Some(Topic::Setup.warning(format!(
            "authbench was built from {revision} with uncommitted changes: the build cannot be reproduced."
        ))),
        Some(_) => None,
        None => Some(Topic::Setup.warning("authbench was built outside a Git checkout: its revision is unknown.")),
    }
}

fn carriers(record: &Record) -> Option<Warning> {
    let described: Vec<_> = record.schemes.iter().filter(|described| !is_control(&described.scheme)).collect();
    let differ = described.iter().any(|each| each.carrier != described[0].carrier);
    let items: Vec<String> = described.iter().map(|each| format!("{} by {}", each.scheme, each.carrier)).collect();
    differ.then(|| {
        Topic::Comparison.warning(format!(
            "The schemes use different carriers ({}): part of the difference comes from the carrier.",
            items.join(", ")
        ))
    })
}

/// Returns the caveat about schemes whose store ran on this machine.
fn local_stores(record: &Record) -> Option<Warning> {
    let is_observed = |scheme: &str| {
        let of_scheme = rounds(record).filter(|round| round.scheme == scheme);
        of_scheme.filter_map(|round| round.usage.as_ref()).any(|usage| usage.store_cpu_ns.is_some())
    };
    let schemes = record.schemes.iter().map(|described| described.scheme.as_str());
    let schemes: Vec<&str> = schemes.filter(|scheme| has_store(record, scheme) && is_observed(scheme)).collect();
    (!schemes.is_empty()).then(|| {
        Topic::Comparison.warning(format!(
            "The store of {} ran on this machine, so its round-trip time is close to zero. A network between server \
             and store adds its round-trip time to each look-up: draw no conclusions about latency from this run alone.",
            schemes.join(", ")
        ))
    })
}

fn not_realtime(record: &Record) -> Option<Warning> {
    let class = &record.placement.generator_class;
    let placed = !record.placement.generator_cpus.is_empty();
    let paced = rounds(record).any(|round| round.planned_rps.is_some());
    (placed && paced && class != "SCHED_FIFO").then(|| {
        Topic::Setup.warning(format!(
            "The generator ran in scheduling class {class}, not SCHED_FIFO: where other programs use its CPUs, it \
             wakes up late, which shows as lag. Grant CAP_SYS_NICE to avoid this."
        ))
    })
}

fn steal_unobservable(record: &Record) -> bool {
    let usages: Vec<&Usage> = rounds(record).filter_map(|round| round.usage.as_ref()).collect();
    !usages.is_empty() && usages.iter().all(|usage| usage.steal.is_none())
}

fn rounds(record: &Record) -> impl Iterator<Item = &Round> {
    record.experiments.iter().flat_map(Measurement::rounds)
}
