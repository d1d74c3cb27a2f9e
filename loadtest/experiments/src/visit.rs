//! A visit: one round of load on one server, watched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use driver::{Drive, Target, Workers};
use engine::clock::SchedulingClass;
use engine::plan::Plan;
use engine::record::{Level, Placement, Round, Usage, Validity};
use engine::round::Place;
use lab::observe::{DEFAULT_PERIOD, Observation, Observer, Role};
use lab::store::Store;

use crate::bench::{Bench, ExperimentError};
use crate::fleet::ServerUnderTest;
use crate::journal::Rounds;

/// Above this share of a processor delay proxies, which are threads among others there, decide how fast it goes.
const PROXY_SHARE: f64 = 0.60;

/// The processes that are watched while a round lasts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched<'a> {
    /// The servers' process ids, if they are on this machine.
    pub servers: &'a [u32],
    /// The store.
    pub store: Option<&'a Store>,
    /// The process id of what spreads the load over the servers.
    pub balancer: Option<u32>,
}

/// Where a visit stands in its experiment.
pub(crate) struct Visit {
    pub(crate) experiment: Rounds,
    pub(crate) block: u32,
    pub(crate) position: usize,
    pub(crate) level: Level,
}

impl Visit {
    /// Loads the station with credentials that outlast it, and notes the round.
    pub(crate) fn make(
        self,
        bench: &mut Bench<'_>,
        station: &mut ServerUnderTest<'_>,
        plan: &Plan,
    ) -> Result<(), ExperimentError> {
        bench.go_on()?;
        station.renew(bench, plan)?;
        self.load(bench, station, &station.target, plan)
    }

    /// Loads the station with these credentials, as they are, and notes the round.
    pub(crate) fn load(
        self,
        bench: &mut Bench<'_>,
        station: &ServerUnderTest<'_>,
        target: &Target,
        plan: &Plan,
    ) -> Result<(), ExperimentError> {
        bench.go_on()?;
        let place = Place {
            scheme: station.scheme.id().to_owned(),
            block: self.block,
            position: self.position as u32,
            level: self.level,
            started_at: crate::now(),
        };
        let links = station.links(&place.level);
        let links_cpu_ns = links.cpu_ns();
        let pids: Vec<u32> = station.servers().map(|server| server.process().pid()).collect();
        let watched = Watched { servers: &pids, store: station.store, balancer: None };
        let workers = workers(&bench.setting.placement);
        let (mut round, class) = drive_round(plan, target, place, watched, workers, &bench.setting.stop)?;
        let share = (links.cpu_ns() - links_cpu_ns) as f64 / 1e9 / round.plan.duration_s;
        if share > PROXY_SHARE {
            let full =
                format!("delay proxies used {:.0} % of a processor: they, and no server, were full", share * 100.0);
            round.validity = Validity::from_reasons(round.validity.reasons.into_iter().chain([full]).collect());
        }
        (round.store_rtt_us, round.hop_rtt_us) = (links.store_rtt_us(), links.hop_rtt_us());
        bench.go_on()?;
        station.servers().try_for_each(|server| server.process().check())?;
        station.store.map_or(Ok(()), Store::check)?;
        bench.journal.round(self.experiment, round, class)?;
        Ok(())
    }
}

/// One for each of the generator's processors.
pub(crate) fn workers(placement: &Placement) -> Workers {
    let shared = |cpu: &u32| placement.server_cpus.contains(cpu) || placement.store_cpus.contains(cpu);
    let cpus = &placement.generator_cpus;
    Workers { count: cpus.len().max(1), own_processors: !cpus.is_empty() && !cpus.iter().any(shared) }
}

/// The place of a round that stands by itself and belongs to no block.
#[must_use]
pub fn alone(scheme: &str, level: Level) -> Place {
    Place { scheme: scheme.to_owned(), block: 0, position: 0, level, started_at: crate::now() }
}

/// Drives one round and watches the processes meanwhile. The class is the one that the workers got.
pub fn drive_round(
    plan: &Plan,
    target: &Target,
    place: Place,
    watched: Watched<'_>,
    workers: Workers,
    stop: &Arc<AtomicBool>,
) -> Result<(Round, SchedulingClass), ExperimentError> {
    let commands_before = command_counts(watched)?;
    let mut processes = vec![(Role::Generator, std::process::id())];
    processes.extend(watched.servers.iter().map(|&pid| (Role::Server, pid)));
    processes.extend(watched.store.map(Store::pids).unwrap_or_default().into_iter().map(|pid| (Role::Store, pid)));
    processes.extend(watched.balancer.map(|pid| (Role::Balancer, pid)));
    let observer = Observer::start(&processes, DEFAULT_PERIOD)?;
    let drive = if place.level.is_saturated() {
        driver::saturate(plan, target, workers, stop)?
    } else {
        driver::drive(plan, target, workers, stop)?
    };
    let done = Instant::now();
    let observation = observer.finish();
    let commands_after = command_counts(watched)?;
    let store_commands = commands_after.zip(commands_before).map(|(after, before)| difference(&after, &before));
    let usage = usage(&drive, (&observation, done), store_commands);
    Ok((drive.driven.into_round(place, usage, workers.count as u32), drive.class))
}

type CommandCounts = BTreeMap<String, u64>;

fn command_counts(watched: Watched<'_>) -> Result<Option<CommandCounts>, ExperimentError> {
    Ok(watched.store.map(Store::command_counts).transpose()?.flatten())
}

fn difference(after: &CommandCounts, before: &CommandCounts) -> CommandCounts {
    let count = |(name, &count): (&String, &u64)| (name.clone(), count - before.get(name).copied().unwrap_or(0));
    after.iter().map(count).filter(|(_, count)| *count > 0).collect()
}

/// What the processes used inside the round's window; none without a server to watch. The last answer may come before the
/// window is over, and nobody was watched after it: what was left of the window was idle.
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
        generator_cpu_ns: observation.cpu_ns(Role::Generator, from, to)?.saturating_sub(drive.looked.as_nanos() as u64),
        store_commands,
        steal: observation.steal(from, to),
    })
}
