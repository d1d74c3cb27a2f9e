//! `authbench gate`: fails if a new version of the servers does more work per request than the old one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use contract::{Carrier, Scheme};
use engine::record::{CountersExperiment, GateExperiment, GatedVersion, Host, Placement, Record, Side, Status};
use evidence::{Evidence, Verdict};
use experiments::gate::Programs;
use experiments::{Balancer, Journal, RunConfig, RunContext};
use lab::cpu_quota::CpuQuotas;
use lab::scratch::Scratch;

use crate::exit::{ExitResult, Failure};
use crate::finish::finish_run;
use crate::gate_version::{self, Found, Ready, Version};
use crate::progress::StderrProgress;
use crate::{cleanup, cli, folder, github_job, provenance};

/// One scheme of each kind: the control, a session in the server, one in a store, a token, and both.
const SCHEMES: [&str; 5] = ["anonymous", "session-memory", "session-redis", "jwt-hs256", "hybrid"];

/// What the name of a run's folder ends with.
const RUN: &str = "gate";

pub(crate) fn run(args: &cli::Gate, stop: &Arc<AtomicBool>) -> ExitResult {
    let mut progress = StderrProgress::new();
    let _janitor = cleanup::clean_up(&mut progress);
    let versions = [gate_version::find(Some(&args.base))?, gate_version::find(args.head.as_deref())?];
    let schemes = args.schemes.clone().map_or_else(|| default_schemes(&versions), |schemes| schemes.0);
    versions.iter().try_for_each(|version| version.check_has(&schemes))?;
    if let [Some(base), Some(head)] = versions.each_ref().map(Version::unbuilt_commit)
        && base == head
    {
        return Err(Failure::Usage(format!("base and head are the same commit, {base}; there is nothing to compare")));
    }
    if versions.iter().any(|version| version.run().is_none()) && lab::host::valgrind_version().is_none() {
        return Err(anyhow!(experiments::gate::NO_VALGRIND).into());
    }
    let host = lab::host::host();
    check_comparable(&versions, &host)?;
    folder::check(args.out.as_deref(), RUN)?;
    let [base, head] = versions;
    let versions = [(Side::Base, base.build(&schemes, stop)?), (Side::Head, head.build(&schemes, stop)?)];
    let folder = folder::create(args.out.as_deref(), RUN)?;
    let placement =
        Placement { method: "none: counts do not depend on the processors".to_owned(), ..Placement::default() };
    let record = provenance::record("gate", &folder, None, args.seed, (host, placement.clone()));
    let mut journal = Journal::begin(folder, record)?;
    let measured = measure(&versions, &schemes, args.seed, placement, stop, (&mut journal, &mut progress));
    let finished = finish_run(measured, &mut journal);
    github_job::summarize(&journal);
    finished?;
    conclude(&journal)
}

fn measure(
    versions: &[(Side, Version<Ready>)],
    schemes: &[Scheme],
    seed: u64,
    placement: Placement,
    stop: &Arc<AtomicBool>,
    (journal, progress): (&mut Journal, &mut StderrProgress),
) -> anyhow::Result<()> {
    let mut programs = Vec::new();
    for (side, version) in versions {
        let counters = match &version.source {
            Ready::Programs(folder) => {
                programs.push(Programs { side: *side, folder: folder.path.clone() });
                CountersExperiment::default()
            }
            Ready::Run(run) => {
                let wanted = |id: &str| schemes.iter().any(|scheme| scheme.id() == id);
                let described = run.record.schemes.iter().filter(|described| wanted(&described.scheme));
                described.for_each(|described| journal.describe(described.clone()));
                for scheme in schemes.iter().filter(|scheme| !run.has_counted(**scheme)) {
                    journal.omit(scheme.id(), &format!("{} has no counts of it", version.name))?;
                }
                if let Status::Incomplete { reason } = &run.record.run.status {
                    journal.omit(&version.name, &format!("this run is incomplete ({reason})"))?;
                }
                only(&run.counters, schemes)
            }
        };
        let gated = GatedVersion { name: version.name.clone(), commit: version.commit.clone(), counters };
        journal.measured(|gate: &mut GateExperiment| *gate.version_mut(*side) = gated)?;
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

/// The schemes of the runs, if a version is one.
fn default_schemes(versions: &[Version<Found>]) -> Vec<Scheme> {
    let segments = versions.iter().filter_map(Version::run).flat_map(|run| &run.counters.segments);
    let counted: Vec<&str> = segments.map(|each| each.scheme.as_str()).collect();
    let ids = if counted.is_empty() { &SCHEMES[..] } else { &counted };
    Scheme::all().filter(|scheme| ids.contains(&scheme.id())).collect()
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
fn check_comparable(versions: &[Version<Found>], here: &Host) -> ExitResult {
    let valgrind = |record: &Record| record.software.get("valgrind").cloned();
    let mut hosts: Vec<(String, &str, Option<String>)> = Vec::new();
    if versions.iter().any(|version| version.run().is_none()) {
        hosts.push(("this host".to_owned(), &here.cpu_model, lab::host::valgrind_version()));
    }
    for version in versions {
        if let Some(run) = version.run() {
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
            "the gate is inconclusive: a counter varies too much to show the rise that it is to find; repeat the run with \
             less load on this machine"
                .to_owned(),
        )),
        Verdict::Invalid => Err(Failure::Invalid(
            "the gate is invalid: not all of it could be measured; see the caveats of the report".to_owned(),
        )),
    }
}
