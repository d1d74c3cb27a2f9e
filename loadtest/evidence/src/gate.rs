//! The gate: whether the head does more work than the base.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use engine::median::median;
use engine::record::{CountersExperiment, GateExperiment, Record, Side, Status};

use crate::counters::{Count, CountersRow, CountersTable, per_request};
use crate::{Analyse, EvidenceError, Topic, Warning};

/// A count may rise by this share of the base.
pub const COUNTER_MARGIN: f64 = 0.01;
/// A count may rise by this many median absolute deviations, those of both versions together: in a normal distribution, two
/// standard deviations.
const DEVIATIONS: f64 = 3.0;
/// A count whose deviations hide a rise of this share is not judged.
pub const LARGEST_HIDDEN_RISE: f64 = 0.05;
/// Events, such as system calls, by which a segment may differ from the next for reasons of its own: a timer, a ping.
const CHANCE_EVENTS: f64 = 2.0;
/// A component with less than this share of the largest rise is not named.
const SMALL_PART: f64 = 0.2;
/// A crate of every server.
const OWN_CRATE: &str = "chassis";
/// The component whose instructions are no part of the metric.
const ALLOCATOR: &str = "allocator";

/// The result of a gate.
#[derive(Clone, Debug)]
pub struct GateTable {
    /// The name of the base.
    pub base: String,
    /// The name of the head.
    pub head: String,
    /// One row per scheme and metric.
    pub rows: Vec<GateRow>,
    /// Whether every scheme was counted in both versions, to the end.
    pub is_complete: bool,
    /// The result of the whole gate: that of the worst row, and invalid at best if the gate is incomplete.
    pub verdict: Verdict,
}

/// One metric of one scheme in both versions.
#[derive(Clone, Debug)]
pub struct GateRow {
    /// The scheme's id.
    pub scheme: String,
    /// What was counted.
    pub metric: GateMetric,
    /// Per request of the base; none if there is no valid count.
    pub base: Option<Count>,
    /// Per request of the head; none if there is no valid count.
    pub head: Option<Count>,
    /// How far the head may be above the base, per request; none if a count is missing.
    pub allowed: Option<f64>,
    /// The result of this row.
    pub verdict: Verdict,
    /// Of instructions: the components in which they rose, the one with the largest rise first; those with a small part
    /// in it are left out.
    pub risen: Vec<RisenComponent>,
}

/// A crate or a library that does more in the head.
#[derive(Clone, Debug, PartialEq)]
pub struct RisenComponent {
    /// Its name.
    pub name: String,
    /// Instructions per request that it has more.
    pub rise: f64,
}

impl GateRow {
    /// The change from base to head, per request.
    #[must_use]
    pub fn change(&self) -> Option<f64> {
        Some(self.head?.value - self.base?.value)
    }

    /// The same, as a share of the base; none if the base is zero.
    #[must_use]
    pub fn relative_change(&self) -> Option<f64> {
        let base = self.base?.value;
        (base > 0.0).then_some(self.change()? / base)
    }
}

/// A result, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The head does no more than the base, within the margin.
    Pass,
    /// The measurement is too imprecise to tell.
    Inconclusive,
    /// Something that must be measured was not.
    Invalid,
    /// The head does more than the base.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Invalid => "INVALID",
            Self::Fail => "FAIL",
        })
    }
}

/// What is counted per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateMetric {
    /// Instructions of the server in user space, without those of the allocator.
    Instructions,
    /// Allocations and reallocations.
    Allocations,
    /// Bytes allocated.
    AllocatedBytes,
    /// System calls.
    SystemCalls,
    /// Commands of the store.
    StoreCommands,
    /// Bytes of a request.
    RequestBytes,
    /// Bytes of its response.
    ResponseBytes,
}

impl GateMetric {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 7] = [
        Self::Instructions,
        Self::Allocations,
        Self::AllocatedBytes,
        Self::SystemCalls,
        Self::StoreCommands,
        Self::RequestBytes,
        Self::ResponseBytes,
    ];

    fn of(self, row: &CountersRow) -> Option<Count> {
        match self {
            Self::Instructions => Some(row.instructions),
            Self::Allocations => Some(row.allocations),
            Self::AllocatedBytes => row.allocated_bytes,
            Self::SystemCalls => Some(row.system_calls),
            Self::StoreCommands => row.store_commands,
            Self::RequestBytes => Some(row.request_bytes),
            Self::ResponseBytes => Some(row.response_bytes),
        }
    }

    /// Returns whether a single one more or less per segment may be chance.
    const fn counts_events(self) -> bool {
        matches!(self, Self::Allocations | Self::SystemCalls | Self::StoreCommands)
    }
}

impl fmt::Display for GateMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::AllocatedBytes => "allocated bytes",
            Self::SystemCalls => "system calls",
            Self::StoreCommands => "store commands",
            Self::RequestBytes => "request bytes",
            Self::ResponseBytes => "response bytes",
        })
    }
}

impl Analyse for GateExperiment {
    type Table = GateTable;

    fn analyse(&self, record: &Record) -> Result<Option<GateTable>, EvidenceError> {
        Ok(Some(GateTable::of(record, self)))
    }

    fn warnings(&self, record: &Record, _: Option<&GateTable>) -> Vec<Warning> {
        let missing = |(there, here): (Side, Side)| {
            let others = self.schemes(there).into_iter().filter(move |each| !self.schemes(here).contains(each));
            others.map(move |scheme| {
                Topic::Comparison.warning(format!("{scheme}: the {here} has no counts of it, so it is not judged."))
            })
        };
        let of_counters =
            [&self.base, &self.head].into_iter().flat_map(|version| version.counters.warnings(record, None));
        of_counters.chain([(Side::Base, Side::Head), (Side::Head, Side::Base)].into_iter().flat_map(missing)).collect()
    }
}

impl GateTable {
    /// Judges both versions, for the schemes that were counted in both.
    #[must_use]
    pub fn of(record: &Record, gate: &GateExperiment) -> Self {
        let table = |side: Side| CountersTable::of(record, &gate.version(side).counters);
        let (base, head) = (table(Side::Base), table(Side::Head));
        let find = |table: &CountersTable, scheme: &str| table.rows.iter().find(|row| row.scheme == scheme).cloned();
        let both = base.rows.iter().filter(|row| gate.schemes(Side::Head).contains(&row.scheme.as_str()));
        let rows: Vec<GateRow> = both
            .flat_map(|row| {
                let head = find(&head, &row.scheme);
                let resolution = resolution(&[&gate.base.counters, &gate.head.counters], &row.scheme);
                GateMetric::ALL.into_iter().filter_map(move |metric| {
                    let resolution = if metric.counts_events() { resolution } else { 0.0 };
                    let judged = GateRow::of(row, head.as_ref(), metric, resolution)?;
                    let risen = if metric == GateMetric::Instructions { risen(gate, &row.scheme) } else { Vec::new() };
                    Some(GateRow { risen, ..judged })
                })
            })
            .collect();
        let is_complete = record.run.status == Status::Complete
            && record.omitted.is_empty()
            && base.rows.iter().map(|row| &row.scheme).eq(head.rows.iter().map(|row| &row.scheme))
            && !rows.is_empty();
        let at_best = if is_complete { Verdict::Pass } else { Verdict::Invalid };
        let verdict = rows.iter().map(|row| row.verdict).fold(at_best, Verdict::max);
        Self { base: gate.base.name.clone(), head: gate.head.name.clone(), rows, is_complete, verdict }
    }

    /// Returns the rows with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &GateRow> {
        self.rows.iter().filter(move |row| row.verdict == verdict)
    }
}

impl GateRow {
    /// None if neither version counts this metric, such as commands without a store.
    fn of(base: &CountersRow, head: Option<&CountersRow>, metric: GateMetric, resolution: f64) -> Option<Self> {
        let scheme = base.scheme.clone();
        let (base, head) = (metric.of(base), head.and_then(|head| metric.of(head)));
        let (allowed, verdict) = match (base, head) {
            (None, None) => return None,
            (Some(base), Some(head)) => {
                let (allowed, verdict) = judge(base, head, resolution);
                (Some(allowed), verdict)
            }
            _ => (None, Verdict::Invalid),
        };
        Some(Self { scheme, metric, base, head, allowed, verdict, risen: Vec::new() })
    }
}

/// Returns how far the head may be above the base, and whether it is.
fn judge(base: Count, head: Count, resolution: f64) -> (f64, Verdict) {
    let noise = DEVIATIONS * (base.deviation + head.deviation);
    let allowed = (COUNTER_MARGIN * base.value).max(noise).max(resolution);
    let verdict = if head.value - base.value > allowed {
        Verdict::Fail
    } else if noise > (LARGEST_HIDDEN_RISE * base.value).max(resolution) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    (allowed, verdict)
}

/// Returns the components of a scheme that do more in the head.
fn risen(gate: &GateExperiment, scheme: &str) -> Vec<RisenComponent> {
    let (base, head) = (components(&gate.base.counters, scheme), components(&gate.head.counters, scheme));
    // Without symbols, all crates of the other version would seem to have risen.
    if !base.contains_key(OWN_CRATE) || !head.contains_key(OWN_CRATE) {
        return Vec::new();
    }
    let rise = |(name, count): (&String, &f64)| (name.clone(), count - base.get(name).copied().unwrap_or(0.0));
    let counted = head.iter().filter(|(name, _)| *name != ALLOCATOR);
    let mut risen: Vec<RisenComponent> = counted.map(rise).map(|(name, rise)| RisenComponent { name, rise }).collect();
    risen.sort_by(|one, other| other.rise.total_cmp(&one.rise));
    let largest = risen.first().map_or(0.0, |first| first.rise);
    risen.retain(|each| each.rise > 0.0 && each.rise >= SMALL_PART * largest);
    risen
}

/// Returns the instructions per request of each component.
fn components(counters: &CountersExperiment, scheme: &str) -> BTreeMap<String, f64> {
    let segments =
        || counters.segments.iter().filter(|each| each.scheme == scheme && each.validity.valid && each.requests > 0);
    let names: BTreeSet<&String> = segments().flat_map(|each| each.components.keys()).collect();
    let typical = |name: &String| {
        let counts = segments().map(|each| per_request(each.components.get(name).copied().unwrap_or(0), each.requests));
        median(counts).unwrap_or(0.0)
    };
    names.into_iter().map(|name| (name.clone(), typical(name))).collect()
}

/// Returns what a few events more in a segment make per request.
fn resolution(counters: &[&CountersExperiment], scheme: &str) -> f64 {
    let segments = counters.iter().flat_map(|counters| &counters.segments);
    let requests = segments.filter(|each| each.scheme == scheme && each.requests > 0).map(|each| each.requests).min();
    requests.map_or(0.0, |requests| CHANCE_EVENTS / requests as f64)
}
