//! The `counters` experiment: work per request that is counted instead of timed.

use engine::median::median;
use engine::record::{CountedHeap, CountedSegment, CountersExperiment, Record};

use crate::cost::is_control;
use crate::group::schemes_in_order;
use crate::warning::{if_any, invalid_points, no_control};
use crate::{Analyse, EvidenceError, Topic, Warning};

/// Above this scatter a count does not show small differences.
pub const MAX_SCATTER: f64 = 0.005;

/// Counts per request, by scheme.
#[derive(Clone, Debug)]
pub struct CountersTable {
    /// One row per scheme.
    pub rows: Vec<CountersRow>,
}

/// Counts per request of one scheme.
#[derive(Clone, Debug)]
pub struct CountersRow {
    /// The scheme's id.
    pub scheme: String,
    /// Valid segments, of all processes.
    pub segments: usize,
    /// Processes that they are from.
    pub processes: usize,
    /// Instructions in user space without those of the allocator.
    pub instructions: Count,
    /// How many times those of the control; none without a valid control.
    pub instructions_over_control: Option<f64>,
    /// Instructions of the allocator.
    pub allocator_instructions: Count,
    /// Allocations and reallocations.
    pub allocations: Count,
    /// Bytes allocated, freed or not; none if they were not counted.
    pub allocated_bytes: Option<Count>,
    /// System calls.
    pub system_calls: Count,
    /// Commands of the store; none without a store that counts them.
    pub store_commands: Option<Count>,
    /// Bytes of a request.
    pub request_bytes: Count,
    /// Bytes of its response.
    pub response_bytes: Count,
}

/// A count per request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// The median of the segments.
    pub value: f64,
    /// The difference between the highest and the lowest segment, as a share of the median; 0 if the median is.
    pub scatter: f64,
    /// The median absolute deviation from the median: unlike the scatter, it does not grow with the number of segments.
    pub deviation: f64,
}

impl Count {
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let value = median(values.clone())?;
        let deviation = median(values.clone().map(|each| (each - value).abs()))?;
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let scatter = if value == 0.0 { 0.0 } else { (high - low) / value.abs() };
        Some(Self { value, scatter, deviation })
    }
}

impl Analyse for CountersExperiment {
    type Table = CountersTable;

    fn analyse(&self, record: &Record) -> Result<Option<CountersTable>, EvidenceError> {
        let table = CountersTable::of(record, self);
        Ok((!table.rows.is_empty()).then_some(table))
    }

    fn warnings(&self, _: &Record, table: Option<&CountersTable>) -> Vec<Warning> {
        let segments = self.segments.iter().map(|each| (each.scheme.clone(), &each.validity));
        let heaps = self.heaps.iter().map(|each| (each.scheme.clone(), &each.validity));
        let mut warnings = invalid_points(Self::EXPERIMENT, segments.chain(heaps));
        let Some(table) = table else { return warnings };
        let control_missing = !table.rows.iter().any(|row| is_control(&row.scheme));
        warnings.extend(control_missing.then(|| no_control(Self::EXPERIMENT)));
        let scattered = table.rows.iter().filter(|row| row.instructions.scatter > MAX_SCATTER);
        let scattered: Vec<String> =
            scattered.map(|row| format!("{} ({:.1} %)", row.scheme, row.instructions.scatter * 100.0)).collect();
        warnings.extend(if_any(&scattered, |schemes| {
            Topic::Statistics.warning(format!(
                "{}: the instructions of these schemes scatter by more than {:.1} %, so that small differences do not \
                 show: {}.",
                Self::EXPERIMENT,
                MAX_SCATTER * 100.0,
                schemes.join(", ")
            ))
        }));
        warnings
    }
}

impl CountersTable {
    pub(crate) fn of(record: &Record, counters: &CountersExperiment) -> Self {
        let valid: Vec<&CountedSegment> =
            counters.segments.iter().filter(|each| each.validity.valid && each.requests > 0).collect();
        let instructions = |scheme: &str| {
            let segments = valid.iter().filter(|each| each.scheme == scheme);
            median(segments.map(|each| per_request(each.instructions, each.requests)))
        };
        let control = valid.iter().find(|each| is_control(&each.scheme)).and_then(|each| instructions(&each.scheme));
        let heaps: Vec<&CountedHeap> =
            counters.heaps.iter().filter(|each| each.validity.valid && each.requests > 0).collect();
        let schemes = schemes_in_order(record, valid.iter().map(|each| &each.scheme));
        Self {
            rows: schemes.into_iter().filter_map(|scheme| CountersRow::of(scheme, &valid, &heaps, control)).collect(),
        }
    }
}

impl CountersRow {
    fn of(scheme: &str, segments: &[&CountedSegment], heaps: &[&CountedHeap], control: Option<f64>) -> Option<Self> {
        let segments: Vec<&CountedSegment> = segments.iter().copied().filter(|each| each.scheme == scheme).collect();
        let heaps = heaps.iter().filter(|each| each.scheme == scheme);
        let count = |of: fn(&CountedSegment) -> u64| {
            Count::of(segments.iter().map(|each| per_request(of(each), each.requests)))
        };
        let commands: Option<Vec<f64>> =
            segments.iter().map(|each| Some(per_request(each.store_commands?, each.requests))).collect();
        let instructions = count(|each| each.instructions)?;
        let mut processes: Vec<u32> = segments.iter().map(|each| each.process).collect();
        processes.sort_unstable();
        processes.dedup();
        Some(Self {
            scheme: scheme.to_owned(),
            segments: segments.len(),
            processes: processes.len(),
            instructions,
            instructions_over_control: control.map(|control| instructions.value / control),
            allocator_instructions: count(|each| each.allocator_instructions)?,
            allocations: count(|each| each.allocations)?,
            allocated_bytes: Count::of(heaps.map(|heap| heap.bytes as f64 / heap.requests as f64)),
            system_calls: count(|each| each.system_calls)?,
            store_commands: commands.and_then(|commands| Count::of(commands.into_iter())),
            request_bytes: count(|each| each.request_bytes)?,
            response_bytes: count(|each| each.response_bytes)?,
        })
    }
}

pub(crate) fn per_request(count: u64, requests: u64) -> f64 {
    count as f64 / requests as f64
}
