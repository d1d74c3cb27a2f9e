//! The doctor: what this machine can and cannot measure, why, and what to do about it.
//!
//! Every finding comes from a test: the doctor starts stores as `compare` starts them, looks for programs where
//! `compare` looks, sets CPU quotas, sleeps, and loads the control. All tests together take some seconds; every process
//! that was started is stopped again.

mod finding;
mod generator;
mod machine;
mod outlook;
mod permissions;
mod programs;
mod timing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use contract::{Carrier, Scheme, StoreKind};
use engine::record::Host;
use lab::observe::{DEFAULT_PERIOD, Observer, Role, busy_share};
use lab::placement::{allowed, cores, settle};
use lab::scratch::Scratch;
use lab::slice::{Allowance, Slices};

pub use finding::{Finding, Judgement, State};
pub use outlook::{Outlook, Reach};

use crate::Progress;
use crate::balancer::Balancer;
use crate::run_context::{ExperimentError, RunConfig};
use crate::visit::workers;
use generator::Generator;

/// The machine under examination.
struct Patient<'a> {
    host: Host,
    /// The logical processors that share each physical core.
    cores: Vec<Vec<u32>>,
    allowance: Allowance,
    config: &'a RunConfig,
    generator: Generator<'a>,
    observer: Option<Observer>,
    began: Instant,
}

/// How long the load of other programs is observed.
const LISTENING: Duration = Duration::from_millis(600);

type Probe = fn(&mut Patient<'_>) -> Judgement;

/// The probes in their order: first what is installed, then the behaviour under load. The stores have stopped by then,
/// and the steal time covers all probes.
const PROBES: [(&str, Probe); 20] = [
    ("processors", |patient| machine::processors(&patient.cores, patient.allowance.processors)),
    ("memory", |patient| machine::memory(patient.host.memory_bytes, machine::available_bytes(&patient.allowance))),
    ("virtual-machine", |patient| machine::virtual_machine(patient.host.virtualized)),
    ("clock-source", |patient| machine::clock(patient.host.clock_source.as_deref(), lab::timer::reading_ns())),
    ("frequency-governor", |patient| machine::governor(patient.host.cpu_governor.as_deref(), patient.host.virtualized)),
    ("other-load", |_| machine::other_load(busy_share(LISTENING))),
    ("pinning", |patient| permissions::pinning(&patient.config.placement, patient.host.cpus)),
    ("priority", |_| permissions::priority(lab::timer::class())),
    ("slices", |_| permissions::slices(Slices::here())),
    ("redis", |patient| programs::store(patient.config, StoreKind::Redis)),
    ("redis-cluster", |patient| programs::store(patient.config, StoreKind::RedisCluster)),
    ("postgres", |patient| programs::store(patient.config, StoreKind::Postgres)),
    ("haproxy", |_| programs::haproxy(lab::host::haproxy_version())),
    ("server-binaries", |_| programs::server_binaries(lab::server::locate)),
    ("timer", |patient| timing::timer(&timing::sleeps(workers(&patient.config.placement).dedicated_cpus))),
    ("delay-proxy", |patient| timing::delay_proxy(timing::trials(&patient.config.placement.store_cpus))),
    ("saturator", |patient| patient.generator.saturator()),
    ("generator-ceiling", |patient| patient.generator.ceiling()),
    ("lag", |patient| patient.generator.lag()),
    ("steal", steal),
];

/// Examines this machine. The calling thread stays pinned to the generator's processors. Setting `stop` ends the
/// examination early, as an error.
pub fn examine(stop: &Arc<AtomicBool>, progress: &mut dyn Progress) -> Result<Vec<Finding>, ExperimentError> {
    // First, because a pinned thread sees only its own processors.
    let (host, cores) = (lab::host::host(), cores(&allowed()));
    let config = config(stop)?;
    let observer = Observer::start(&[(Role::Generator, std::process::id())], DEFAULT_PERIOD)?;
    let mut patient = Patient {
        host,
        cores,
        allowance: Allowance::here(),
        config: &config,
        generator: Generator::new(&config),
        observer: Some(observer),
        began: Instant::now(),
    };
    progress.begin("doctor", PROBES.len() as u64);
    let mut findings = Vec::new();
    for (name, probe) in PROBES {
        progress.step(name);
        findings.push(Finding { name, judgement: probe(&mut patient) });
        // An interrupted probe has no result.
        config.check_can_continue()?;
    }
    progress.end();
    Ok(findings)
}

/// Returns a run context with the control alone, placed as `compare` places it.
fn config(stop: &Arc<AtomicBool>) -> Result<RunConfig, ExperimentError> {
    Ok(RunConfig {
        schemes: vec![Scheme::CONTROL],
        carrier: Carrier::Bearer,
        stores: BTreeMap::new(),
        // The method says why pinning failed, if it did.
        placement: settle().0,
        balancer: Balancer::default(),
        slices: Slices::here,
        seed: 1,
        stop: stop.clone(),
        scratch: Scratch::new()?,
    })
}

/// Judges the steal time during all probes before.
fn steal(patient: &mut Patient<'_>) -> Judgement {
    let (began, now) = (patient.began, Instant::now());
    let observation = patient.observer.take().map(Observer::finish);
    machine::steal(observation.and_then(|observation| observation.steal(began, now)))
}
