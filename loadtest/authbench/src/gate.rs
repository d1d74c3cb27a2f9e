//! `authbench gate`: fails if a new version of the servers does more work per request than the old one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use contract::{Carrier, Scheme};
use engine::record::{CountersExperiment, GateExperiment, GatedVersion, Host, Placement, Record, Side};
use evidence::{Evidence, Verdict};
use experiments::gate::Programs;
use experiments::{Balancer, Journal, RunConfig, RunContext};
use lab::cpu_quota::CpuQuotas;
use lab::scratch::Scratch;

use crate::exit::{ExitResult, Failure};
use crate::finish::finish_run;
use crate::gate_version::{self, Source, Version};
use crate::progress::StderrProgress;
use crate::{cleanup, cli, folder, provenance};

/// One scheme of each kind: the control, a session in the server, one in a store, a token, and both.
const SCHEMES: [&str; 5] = ["anonymous", "session-memory", "session-redis", "jwt-hs256", "hybrid"];

pub(crate) fn run(args: &cli::Gate, stop: &Arc<AtomicBool>) -> ExitResult {
    let mut progress = StderrProgress::new();
    let _janitor = cleanup::clean_up(&mut progress);
    let default = || Scheme::all().filter(|scheme| SCHEMES.contains(&scheme.id())).collect();
    let schemes = args.schemes.clone().map_or_else(default, |schemes| schemes.0);
    let base = gate_version::resolve(Some(&args.base), &schemes, stop)?;
    let head = gate_version::resolve(args.head.as_deref(), &schemes, stop)?;
    let versions = [(Side::Base, &base), (Side::Head, &head)];
    let host = lab::host::host();
    check_comparable(&versions, &host)?;
    let folder = folder::create(args.out.as_deref(), "gate")?;
    let placement =
        Placement { method: "none: counts do not depend on the processors".to_owned(), ..Placement::default() };
    let record = provenance::record("gate", &folder, None, args.seed, (host, placement.clone()));
    let mut journal = Journal::begin(folder, record)?;
    let measured = measure(&versions, &schemes, args.seed, placement, stop, (&mut journal, &mut progress));
    finish_run(measured, &mut journal)?;
    conclude(&journal)
}

fn measure(
    versions: &[(Side, &Version)],
    schemes: &[Scheme],
    seed: u64,
    placement: Placement,
    stop: &Arc<AtomicBool>,
    (journal, progress): (&mut Journal, &mut StderrProgress),
) -> anyhow::Result<()> {
    let mut programs = Vec::new();
    for &(side, version) in versions {
        let counters = match &version.source {
            Source::Programs(folder) => {
                programs.push(Programs { side, folder: folder.path.clone() });
                CountersExperiment::default()
            }
            Source::Run(run) => {
                run.record.schemes.iter().for_each(|descriptor| journal.describe(descriptor.clone()));
                only(&run.counters, schemes)
            }
        };
        let gated = GatedVersion { name: version.name.clone(), commit: version.commit.clone(), counters };
        journal.measured(|gate: &mut GateExperiment| *gate.version_mut(side) = gated)?;
    }
    if programs.is_empty() {
        return Ok(());
    }
    let config = RunConfig {
        schemes: schemes.to_vec(),
        carrier: Carrier::default(),
        stores: BTreeMap::new(),
        placement,
        balancer: Balancer::default(),
        cpu_quotas: CpuQuotas::detect,
        seed,
        stop: stop.clone(),
        scratch: Scratch::new()?,
    };
    let mut context = RunContext { config: &config, journal, progress };
    Ok(experiments::gate::run(&mut context, &programs, schemes)?)
}

/// The counts of these schemes.
fn only(counters: &CountersExperiment, schemes: &[Scheme]) -> CountersExperiment {
    let wanted = |id: &str| schemes.iter().any(|scheme| scheme.id() == id);
    CountersExperiment {
        segments: counters.segments.iter().filter(|each| wanted(&each.scheme)).cloned().collect(),
        heaps: counters.heaps.iter().filter(|each| wanted(&each.scheme)).cloned().collect(),
    }
}

/// Rejects runs on different hosts: on another processor, or under another valgrind, the same program does other work.
fn check_comparable(versions: &[(Side, &Version)], here: &Host) -> ExitResult {
    let valgrind = |record: &Record| record.software.get("valgrind").cloned();
    let mut hosts: Vec<(String, &str, Option<String>)> = Vec::new();
    if versions.iter().any(|(_, version)| matches!(version.source, Source::Programs(_))) {
        hosts.push(("this host".to_owned(), &here.cpu_model, lab::host::valgrind_version()));
    }
    for (_, version) in versions {
        if let Source::Run(run) = &version.source {
            hosts.push((version.name.clone(), &run.record.host.cpu_model, valgrind(&run.record)));
        }
    }
    let Some(((first, first_cpu, first_valgrind), others)) = hosts.split_first() else { return Ok(()) };
    for (name, cpu, valgrind) in others {
        let mut differences = Vec::new();
        if cpu != first_cpu {
            differences.push(format!("processors ({first}: {first_cpu}; {name}: {cpu})"));
        }
        if let (Some(one), Some(other)) = (first_valgrind, valgrind)
            && one != other
        {
            differences.push(format!("versions of valgrind ({first}: {one}; {name}: {other})"));
        }
        if !differences.is_empty() {
            return Err(Failure::NotComparable(format!(
                "the hosts cannot be compared, they have different {}; give a revision or a folder of binaries instead of \
                 a run",
                differences.join(" and ")
            )));
        }
    }
    Ok(())
}

/// Returns the result as an exit code. The record and the reports are complete by then.
fn conclude(journal: &Journal) -> ExitResult {
    let evidence = Evidence::of(journal.record())?;
    let verdict = evidence.gate.map_or(Verdict::Invalid, |gate| gate.verdict);
    match verdict {
        Verdict::Pass => Ok(()),
        Verdict::Fail => Err(Failure::Threshold("the head does more work per request than the base".to_owned())),
        Verdict::Inconclusive => Err(Failure::Inconclusive(
            "the gate is inconclusive: a counter scatters more than the rise that it is to find; repeat the run with \
             less load on this machine"
                .to_owned(),
        )),
        Verdict::Invalid => Err(Failure::Invalid(
            "the gate is invalid: not all of it could be measured; see the caveats of the report".to_owned(),
        )),
    }
}
