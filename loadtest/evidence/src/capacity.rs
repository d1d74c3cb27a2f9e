//! The capacity of a scheme, and the parts that were saturated at it.

use std::fmt;

use engine::record::{Record, Round};

use crate::group::Group;
use crate::level::Leveled;
use crate::statistics::{CONFIDENCE, Estimate, median};

pub use engine::validity::SATURATED_CPU_SHARE;

/// A part of the setup that uses CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The server.
    Server,
    /// The store.
    Store,
    /// The generator.
    Generator,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Store => "store",
            Self::Generator => "generator",
        })
    }
}

/// The highest rate that the closed loop reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// Requests per second: the median of the rounds.
    pub rps: Estimate,
    /// CPUs in use by part: the median of the rounds. Empty if usage is unknown.
    pub busy: Vec<(Part, f64)>,
    /// The parts whose CPUs were saturated. Empty if there were none, or if usage is unknown.
    pub saturated: Vec<Part>,
    /// Whether a saturated part shares its CPUs with another part: more CPUs would then help.
    pub shared: bool,
}

impl Capacity {
    pub(crate) fn of<R: Leveled>(record: &Record, group: &Group<'_, R>) -> Option<Self> {
        let rates: Vec<f64> = group.valid().map(|round| round.achieved_rps).collect();
        let rps = median(&rates, CONFIDENCE)?;
        let busy = busy(group);
        let loads: Vec<(Part, Saturation)> =
            busy.iter().map(|(part, _)| (*part, Saturation::of(record, *part, &busy))).collect();
        let saturated: Vec<&(Part, Saturation)> =
            loads.iter().filter(|(_, load)| load.share >= SATURATED_CPU_SHARE).collect();
        let shared = saturated.iter().any(|(_, load)| load.shared);
        Some(Self { rps, saturated: saturated.into_iter().map(|(part, _)| *part).collect(), shared, busy })
    }

    /// Returns whether the generator was saturated and the server alone was not.
    ///
    /// The scheme could then sustain more than was measured.
    #[must_use]
    pub fn is_lower_bound(&self) -> bool {
        self.saturated.contains(&Part::Generator) && (self.shared || !self.saturated.contains(&Part::Server))
    }
}

/// How saturated the CPUs of a part were.
struct Saturation {
    share: f64,
    shared: bool,
}

impl Saturation {
    fn of(record: &Record, part: Part, busy: &[(Part, f64)]) -> Self {
        let own_cpus = cpus(record, part);
        let shares_cpus = |other: &&(Part, f64)| cpus(record, other.0).iter().any(|cpu| own_cpus.contains(cpu));
        let neighbours: Vec<&(Part, f64)> = busy.iter().filter(shares_cpus).collect();
        let mut all: Vec<u32> = neighbours.iter().flat_map(|(other, _)| cpus(record, *other)).collect();
        all.sort_unstable();
        all.dedup();
        let used: f64 = neighbours.iter().map(|(_, cores)| cores).sum();
        let alone = busy.iter().find(|(other, _)| *other == part).map_or(0.0, |(_, cores)| *cores);
        // Redis runs commands on one thread, however many CPUs it may use.
        let single_thread_share = if part == Part::Store { alone } else { 0.0 };
        let shared_share = used / all.len().max(1) as f64;
        Self {
            share: shared_share.max(single_thread_share),
            shared: neighbours.len() > 1 && single_thread_share < SATURATED_CPU_SHARE,
        }
    }
}

/// Returns the CPUs that a part may use: all of the host if nothing was pinned.
fn cpus(record: &Record, part: Part) -> Vec<u32> {
    let placed = match part {
        Part::Server => &record.placement.server_cpus,
        Part::Store => &record.placement.store_cpus,
        Part::Generator => &record.placement.generator_cpus,
    };
    if placed.is_empty() { (0..record.host.cpus).collect() } else { placed.clone() }
}

fn busy<R: Leveled>(group: &Group<'_, R>) -> Vec<(Part, f64)> {
    [Part::Server, Part::Store, Part::Generator]
        .into_iter()
        .filter_map(|part| {
            let cores: Vec<f64> = group.valid().filter_map(|round| busy_cores(round, part)).collect();
            median(&cores, CONFIDENCE).map(|cores| (part, cores.value))
        })
        .collect()
}

fn busy_cores(round: &Round, part: Part) -> Option<f64> {
    let usage = round.usage.as_ref()?;
    let spent_ns = match part {
        Part::Server => usage.server_cpu_ns,
        Part::Store => usage.store_cpu_ns?,
        Part::Generator => usage.generator_cpu_ns,
    };
    let window_ns = (round.window.end_s - round.window.start_s) * 1e9;
    (window_ns > 0.0).then(|| spent_ns as f64 / window_ns)
}
