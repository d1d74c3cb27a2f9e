//! The doctor: what this machine can and cannot measure, why, and what to do about it.
//!
//! Every finding comes from a test: the doctor starts stores as `compare` starts them, looks for programs where
//! `compare` looks, sets CPU quotas, sleeps, and loads the control. All tests together take some seconds; every process
//! that was started is stopped again.

mod capabilities;
mod finding;
mod generator;
mod machine;
mod permissions;
mod programs;
mod timing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use contract::{Carrier, Scheme, StoreKind};
use engine::record::Host;
use lab::cpu_quota::{CgroupLimits, CpuQuotas};
use lab::observe::{DEFAULT_PERIOD, Observer, Role, busy_share};
use lab::placement::{allowed, cores, pin_generator};
use lab::scratch::Scratch;

pub use capabilities::{Capabilities, Measurability};
pub use finding::{Assessment, Finding, State};

use crate::Progress;
use crate::balancer::Balancer;
use crate::run_context::{ExperimentError, RunConfig};
use crate::visit::workers;
use generator::Generator;

/// The machine under examination.
struct Examination<'a> {
    host: Host,
    /// The logical processors that share each physical core.
    cores: Vec<Vec<u32>>,
    cgroup_limits: CgroupLimits,
    config: &'a RunConfig,
    generator: Generator<'a>,
    observer: Option<Observer>,
    began: Instant,
}

/// How long the load of other programs is observed.
const OBSERVATION_TIME: Duration = Duration::from_millis(600);

type Probe = fn(&mut Examination<'_>) -> Assessment;

/// The probes in their order: first what is installed, then the behaviour under load. The stores have stopped by then,
/// and the steal time covers all probes.
const PROBES: [(&str, Probe); 21] = [
    ("processors", |examination| machine::processors(&examination.cores, examination.cgroup_limits.processors)),
    ("memory", |examination| {
        machine::memory(examination.host.memory_bytes, machine::available_bytes(&examination.cgroup_limits))
    }),
    ("virtual-machine", |examination| machine::virtual_machine(examination.host.virtualized)),
    ("clock-source", |examination| {
        machine::clock(examination.host.clock_source.as_deref(), lab::timer::measure_reading_ns())
    }),
    ("frequency-governor", |examination| {
        machine::governor(examination.host.cpu_governor.as_deref(), examination.host.virtualized)
    }),
    ("other-load", |_| machine::other_load(busy_share(OBSERVATION_TIME))),
    ("pinning", |examination| permissions::pinning(&examination.config.placement, examination.host.cpus)),
    ("priority", |_| permissions::priority(lab::timer::request_fifo())),
    ("cpu-quotas", |_| permissions::cpu_quotas(CpuQuotas::detect())),
    ("redis", |examination| programs::store(examination.config, StoreKind::Redis)),
    ("redis-cluster", |examination| programs::store(examination.config, StoreKind::RedisCluster)),
    ("postgres", |examination| programs::store(examination.config, StoreKind::Postgres)),
    ("haproxy", |_| programs::haproxy(lab::host::haproxy_version())),
    ("valgrind", |_| programs::valgrind(lab::host::valgrind_version())),
    ("server-binaries", |_| programs::server_binaries(lab::server::locate)),
    ("timer", |examination| {
        timing::timer(&timing::measure_sleeps(workers(&examination.config.placement).dedicated_cpus))
    }),
    ("delay-proxy", |examination| timing::delay_proxy(timing::trials(&examination.config.placement.store_cpus))),
    ("saturator", |examination| examination.generator.saturator()),
    ("generator-ceiling", |examination| examination.generator.ceiling()),
    ("lag", |examination| examination.generator.lag()),
    ("steal", steal),
];

/// Examines this machine. The calling thread stays pinned to the generator's processors. Setting `stop` ends the
/// examination early, as an error.
pub fn examine(stop: &Arc<AtomicBool>, progress: &mut dyn Progress) -> Result<Vec<Finding>, ExperimentError> {
    // First, because a pinned thread sees only its own processors.
    let (host, cores) = (lab::host::host(), cores(&allowed()));
    let config = config(stop)?;
    let observer = Observer::start(&[(Role::Generator, std::process::id())], DEFAULT_PERIOD)?;
    let mut examination = Examination {
        host,
        cores,
        cgroup_limits: CgroupLimits::detect(),
        config: &config,
        generator: Generator::new(&config),
        observer: Some(observer),
        began: Instant::now(),
    };
    progress.begin("doctor", PROBES.len() as u64);
    let mut findings = Vec::new();
    for (name, probe) in PROBES {
        progress.step(name);
        findings.push(Finding { name, assessment: probe(&mut examination) });
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
        placement: pin_generator().0,
        balancer: Balancer::default(),
        cpu_quotas: CpuQuotas::detect,
        seed: 1,
        stop: stop.clone(),
        scratch: Scratch::new()?,
    })
}

/// Assesses the steal time during all probes before.
fn steal(examination: &mut Examination<'_>) -> Assessment {
    let (began, now) = (examination.began, Instant::now());
    let observation = examination.observer.take().map(Observer::finish);
    machine::steal(observation.and_then(|observation| observation.steal(began, now)))
}
