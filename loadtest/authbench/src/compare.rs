//! `authbench compare`: compares schemes on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use contract::{Scheme, StoreKind};
use engine::Experiment;
use engine::record::{Placement, ScalingExperiment};
use experiments::{Balancer, Journal, Progress as _, RunConfig, RunContext};
use lab::child::Bounds;
use lab::cpu_quota::CpuQuotas;
use lab::haproxy::HaproxyError;
use lab::redis::Redis;
use lab::scratch::Scratch;
use lab::store::{Store, UnusableStore};

use crate::conformance_gate;
use crate::exit::{ExitResult, Failure};
use crate::finish::finish_run;
use crate::janitor::Janitor;
use crate::progress::StderrProgress;
use crate::{cleanup, cli, folder, message, provenance};

pub(crate) fn run(args: &cli::Compare, stop: &Arc<AtomicBool>) -> ExitResult {
    let experiments = args.experiments.clone().map_or_else(|| args.profile.experiments(), |selected| selected.0);
    if args.balancer != Balancer::default() && !experiments.contains(&ScalingExperiment::EXPERIMENT) {
        let message = format!(
            "--balancer {} applies only to the experiment scaling, which is not selected; add it to --experiments",
            args.balancer
        );
        return Err(Failure::Usage(message));
    }
    let mut progress = StderrProgress::new();
    let mut janitor = cleanup::clean_up(&mut progress);
    let folder = folder::create(args.out.as_deref(), &args.profile.to_string())?;
    // First, because a pinned thread sees only its own processors.
    let host = lab::host::host();
    let placement = assign_cpus(&mut progress);
    let profile = Some(args.profile.to_string());
    let record = provenance::record("compare", &folder, profile, args.seed, (host, placement.clone()));
    let mut journal = Journal::begin(folder, record)?;
    let config = set_up(args, placement, stop, (&mut journal, &mut progress), janitor.as_mut())
        .or_else(|error| Err(start_error(&error, &mut journal)?))?;
    let measured = measure(args, experiments, &config, &mut journal, &mut progress);
    drop(config);
    // All processes have exited before the reports are written.
    finish_run(measured, &mut journal)
}

/// Creates the run configuration: starts or connects to the stores and selects the schemes.
fn set_up(
    args: &cli::Compare,
    placement: Placement,
    stop: &Arc<AtomicBool>,
    (journal, progress): (&mut Journal, &mut StderrProgress),
    mut janitor: Option<&mut Janitor>,
) -> anyhow::Result<RunConfig> {
    let scratch = Scratch::new()?;
    if args.balancer == Balancer::Haproxy {
        // An explicit option has no fallback.
        journal.software("haproxy", &lab::host::haproxy_version().ok_or(HaproxyError::Missing)?);
    }
    let mut schemes = args.schemes.clone().map_or_else(|| args.profile.schemes(), |schemes| schemes.0);
    let mut stores = BTreeMap::new();
    for kind in schemes.iter().map(|scheme| scheme.store()).filter(|kind| kind.is_external()).collect::<BTreeSet<_>>() {
        let external_url = args.redis_url.as_deref().filter(|_| kind == StoreKind::Redis);
        let store = match external_url {
            Some(url) => connect_redis(url, args.redis_in_use, progress, janitor.as_deref_mut()),
            None => start_private_store(kind, &scratch, journal, &placement),
        };
        match store {
            Ok(store) => {
                let (name, version) = store.software();
                journal.software(name, version);
                stores.insert(kind, store);
            }
            Err(error) if error.is_missing() => omit_schemes(kind, &error, &mut schemes, journal, progress)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(RunConfig {
        schemes,
        carrier: args.carrier,
        stores,
        placement,
        balancer: args.balancer,
        cpu_quotas: CpuQuotas::detect,
        seed: args.seed,
        stop: stop.clone(),
        scratch,
    })
}

fn measure(
    args: &cli::Compare,
    experiments: Vec<Experiment>,
    config: &RunConfig,
    journal: &mut Journal,
    progress: &mut StderrProgress,
) -> anyhow::Result<()> {
    let parameters = args.profile.parameters();
    let mut context = RunContext { config, journal, progress };
    if args.unsafe_skip_conformance {
        context.journal.omit("conformance", "--unsafe-skip-conformance: the conformance checks were not run")?;
    } else {
        conformance_gate::check(&mut context)?;
    }
    Ok(experiments.into_iter().try_for_each(|experiment| experiments::run(experiment, &mut context, &parameters))?)
}

/// Returns the error of a run that cannot start. Removes the run's folder unless it contains other files.
fn start_error(error: &anyhow::Error, journal: &mut Journal) -> Result<Failure, Failure> {
    let why = message::of(error);
    journal.end(Some(&why))?;
    let logs = if folder::remove_if_nothing_measured(journal) {
        String::new()
    } else {
        format!("; see {}", journal.logs().display())
    };
    Ok(anyhow!("{why}; nothing was measured{logs}").into())
}

/// Assigns processors to server, store and generator, and pins this process, the generator, to its own.
fn assign_cpus(progress: &mut StderrProgress) -> Placement {
    let (placement, error) = lab::placement::pin_generator();
    if let Some(error) = error {
        progress.note(&error.to_string());
    }
    placement
}

/// Connects to the Redis of --redis-url, removes keys that killed runs left, and registers it with the janitor.
fn connect_redis(
    url: &str,
    in_use: bool,
    progress: &mut StderrProgress,
    janitor: Option<&mut Janitor>,
) -> Result<Store, UnusableStore> {
    let removed = Redis::reclaim(url)?;
    if removed > 0 {
        progress.note(&format!("removed {removed} keys that killed runs left in the Redis of --redis-url"));
    }
    let redis = Redis::at(url, in_use)?;
    if let Some(janitor) = janitor {
        janitor.watch(&redis);
    }
    Ok(Store::Redis(redis))
}

/// Starts a private store of this kind.
fn start_private_store(
    kind: StoreKind,
    scratch: &Scratch,
    journal: &Journal,
    placement: &Placement,
) -> Result<Store, UnusableStore> {
    let log = journal.logs().join(format!("{kind}.log"));
    Store::start(kind, &scratch.path().join(kind.to_string()), &log, &Bounds::on(&placement.store_cpus))
}

/// Removes the schemes whose store is not installed, and prints and records that.
fn omit_schemes(
    kind: StoreKind,
    why: &UnusableStore,
    schemes: &mut Vec<Scheme>,
    journal: &mut Journal,
    progress: &mut StderrProgress,
) -> anyhow::Result<()> {
    let (omitted, kept): (Vec<Scheme>, Vec<Scheme>) = schemes.iter().partition(|scheme| scheme.store() == kind);
    for scheme in omitted {
        progress.note(&format!("LEFT OUT: {scheme}. {why}"));
        journal.omit(scheme.id(), &why.to_string())?;
    }
    if kept.iter().all(|scheme| scheme.is_control()) {
        return Err(anyhow!("no scheme is left to compare with the control: {why}"));
    }
    *schemes = kept;
    Ok(())
}
