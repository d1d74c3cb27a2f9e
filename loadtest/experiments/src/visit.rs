//! A visit: one observed round of load on one server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use contract::Scheme;
use driver::{Drive, Target, Workers};
use engine::clock::SchedulingClass;
use engine::plan::Plan;
use engine::record::{Load, Placement, Round, Usage, Validity};
use engine::round::Place;
use lab::observe::{DEFAULT_PERIOD, Observation, Observer, Role};
use lab::store::Store;

use crate::run_context::{ExperimentError, RunContext};
use crate::servers::ServerUnderTest;

/// Above this share of a processor the delay proxies, which share it with other threads, limit the rate.
const PROXY_SHARE: f64 = 0.60;

/// The processes that are observed during a round.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObservedProcesses<'a> {
    /// The process ids of the servers, if they are on this machine.
    pub servers: &'a [u32],
    /// The store.
    pub store: Option<&'a Store>,
    /// The process id of the balancer.
    pub balancer: Option<u32>,
}

/// The position of a round in its experiment, and its load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    pub(crate) block: u32,
    pub(crate) position: u32,
    pub(crate) load: Load,
}

impl Visit {
    /// Loads the server with credentials that outlast the round, and returns the round.
    pub(crate) fn make(
        self,
        context: &mut RunContext<'_>,
        under_test: &mut ServerUnderTest<'_>,
        plan: &Plan,
    ) -> Result<Round, ExperimentError> {
        context.check_can_continue()?;
        under_test.renew(context, plan)?;
        self.load(context, under_test, &under_test.target, plan)
    }

    /// Loads the server with these credentials unchanged, and returns the round.
    pub(crate) fn load(
        self,
        context: &mut RunContext<'_>,
        under_test: &ServerUnderTest<'_>,
        target: &Target,
        plan: &Plan,
    ) -> Result<Round, ExperimentError> {
        context.check_can_continue()?;
        let links = under_test.links();
        let links_cpu_ns = links.cpu_ns();
        let pids: Vec<u32> = under_test.servers().map(|server| server.process().pid()).collect();
        let processes = ObservedProcesses { servers: &pids, store: under_test.store, balancer: None };
        let mut round = self.drive(context, under_test.scheme, target, processes, plan)?;
        let share = (links.cpu_ns() - links_cpu_ns) as f64 / 1e9 / round.plan.duration_s;
        if share > PROXY_SHARE {
            let full = format!(
                "delay proxies used {:.0} % of a processor: they were saturated, and not a server",
                share * 100.0
            );
            round.validity = Validity::from_reasons(round.validity.reasons.into_iter().chain([full]).collect());
        }
        (round.store_rtt_us, round.hop_rtt_us) = (links.store_rtt_us(), links.hop_rtt_us());
        under_test.servers().try_for_each(|server| server.process().check())?;
        under_test.store.map_or(Ok(()), Store::check)?;
        Ok(round)
    }

    /// Drives the round and observes these processes meanwhile.
    pub(crate) fn drive(
        self,
        context: &mut RunContext<'_>,
        scheme: Scheme,
        target: &Target,
        processes: ObservedProcesses<'_>,
        plan: &Plan,
    ) -> Result<Round, ExperimentError> {
        let place = Place {
            scheme: scheme.id().to_owned(),
            block: self.block,
            position: self.position,
            load: self.load,
            started_at: crate::now(),
        };
        let workers = workers(&context.config.placement);
        let (mut round, class) = drive_round(plan, target, place, processes, workers, &context.config.stop)?;
        round.merge_intervals();
        context.check_can_continue()?;
        context.journal.generator_class(&round, class);
        Ok(round)
    }
}

/// Returns one worker for each of the generator's processors.
pub(crate) fn workers(placement: &Placement) -> Workers {
    let shared = |cpu: &u32| placement.server_cpus.contains(cpu) || placement.store_cpus.contains(cpu);
    let cpus = &placement.generator_cpus;
    Workers { count: cpus.len().max(1), dedicated_cpus: !cpus.is_empty() && !cpus.iter().any(shared) }
}

/// Returns the place of a round outside any block.
#[must_use]
pub fn outside_blocks(scheme: &str, load: Load) -> Place {
    Place { scheme: scheme.to_owned(), block: 0, position: 0, load, started_at: crate::now() }
}

/// Drives one round and observes the processes meanwhile. Returns the round and the scheduling class of the workers.
pub fn drive_round(
    plan: &Plan,
    target: &Target,
    place: Place,
    processes: ObservedProcesses<'_>,
    workers: Workers,
    stop: &Arc<AtomicBool>,
) -> Result<(Round, SchedulingClass), ExperimentError> {
    let commands_before = command_counts(processes)?;
    let mut roles = vec![(Role::Generator, std::process::id())];
    roles.extend(processes.servers.iter().map(|&pid| (Role::Server, pid)));
    roles.extend(processes.store.map(Store::pids).unwrap_or_default().into_iter().map(|pid| (Role::Store, pid)));
    roles.extend(processes.balancer.map(|pid| (Role::Balancer, pid)));
    let observer = Observer::start(&roles, DEFAULT_PERIOD)?;
    let drive = if place.load.is_saturated() {
        driver::saturate(plan, target, workers, stop)?
    } else {
        driver::drive(plan, target, workers, stop)?
    };
    let done = Instant::now();
    let observation = observer.finish();
    let commands_after = command_counts(processes)?;
    let store_commands = commands_after.zip(commands_before).map(|(after, before)| difference(&after, &before));
    let usage = usage(&drive, (&observation, done), store_commands);
    Ok((drive.driven.into_round(place, usage, workers.count as u32), drive.class))
}

type CommandCounts = BTreeMap<String, u64>;

fn command_counts(processes: ObservedProcesses<'_>) -> Result<Option<CommandCounts>, ExperimentError> {
    Ok(processes.store.map(Store::command_counts).transpose()?.flatten())
}

fn difference(after: &CommandCounts, before: &CommandCounts) -> CommandCounts {
    let count = |(name, &count): (&String, &u64)| (name.clone(), count - before.get(name).copied().unwrap_or(0));
    after.iter().map(count).filter(|(_, count)| *count > 0).collect()
}

/// Returns the usage of the processes inside the round's window; none without an observed server. The last response may
/// come before the end of the window, when the observation ends: the rest of the window was idle.
fn usage(
    drive: &Drive,
    (observation, done): (&Observation, Instant),
    store_commands: Option<CommandCounts>,
) -> Option<Usage> {
    let window = drive.driven.window();
    let from = drive.started + Duration::from_secs_f64(window.start_s);
    let to = (drive.started + Duration::from_secs_f64(window.end_s)).min(done);
    Some(Usage {
        requests: drive.driven.requests(),
        server_cpu_ns: observation.cpu_ns(Role::Server, from, to)?,
        store_cpu_ns: observation.cpu_ns(Role::Store, from, to),
        balancer_cpu_ns: observation.cpu_ns(Role::Balancer, from, to),
        generator_cpu_ns: observation
            .cpu_ns(Role::Generator, from, to)?
            .saturating_sub(drive.idle_poll_time.as_nanos() as u64),
        store_commands,
        steal: observation.steal(from, to),
    })
}
