//! The gate: does a new version of the servers do more work than the old one?
//!
//! Varies: the version of the servers. Holds: the scheme, its store, the requests, the moment. Both versions of a scheme are
//! counted at the same time, next to each other: counts do not depend on the load of the machine, and a change of its
//! software meets both.
//!
//! Counts what the experiment `counters` counts, with the same limitations.

use std::ops::Range;
use std::path::PathBuf;
use std::thread;

use contract::{Scheme, SchemeDescriptor};
use engine::record::{CountedHeap, CountedSegment, GateExperiment, Side};
use evidence::{GateTable, Verdict};
use lab::child::Bounds;

use crate::counters::{Amount, Subject};
use crate::experiment_store::ExperimentStore;
use crate::run_context::{ExperimentError, RunContext};

/// Why nothing can be counted.
pub use crate::counters::NO_VALGRIND;

/// Processes of each version and scheme; as many again if they do not pass.
const PROCESSES: u32 = 2;
/// How much a process counts.
const AMOUNT: Amount = Amount { segments: 3, population: 50 };

/// A version of the servers whose work is to be counted.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Which one.
    pub side: Side,
    /// The folder of the servers' binaries.
    pub folder: PathBuf,
}

/// Counts the work of these schemes in these versions, and counts what did not pass once more, in further processes.
pub fn run(context: &mut RunContext<'_>, versions: &[Programs], schemes: &[Scheme]) -> Result<(), ExperimentError> {
    count(context, versions, schemes, 0..PROCESSES)?;
    let record = context.journal.record();
    let table = record.data().map(|gate| GateTable::of(record, gate));
    let rows = table.iter().flat_map(|table| &table.rows);
    let suspect: Vec<&str> = rows.filter(|row| row.verdict != Verdict::Pass).map(|row| row.scheme.as_str()).collect();
    let again: Vec<Scheme> = schemes.iter().copied().filter(|scheme| suspect.contains(&scheme.id())).collect();
    if again.is_empty() { Ok(()) } else { count(context, versions, &again, PROCESSES..2 * PROCESSES) }
}

/// Counts these schemes in processes with these numbers, one of each version at a time.
///
/// The allocated bytes are counted in the first process of each, which takes as long as counting the rest.
fn count(
    context: &mut RunContext<'_>,
    versions: &[Programs],
    schemes: &[Scheme],
    processes: Range<u32>,
) -> Result<(), ExperimentError> {
    let valgrind = lab::host::valgrind_version().ok_or(ExperimentError::Missing(NO_VALGRIND))?;
    context.journal.software("valgrind", &valgrind);
    context.progress.begin("counters", schemes.len() as u64);
    for &scheme in schemes {
        context.step(scheme.id())?;
        let subjects: Result<Vec<_>, _> = versions.iter().map(|version| subject(context, scheme, version)).collect();
        let subjects = match subjects {
            Err(ExperimentError::Store(error)) if error.is_missing() => {
                context.progress.note(&format!("LEFT OUT: {scheme}. {error}"));
                context.journal.omit(scheme.id(), &error.to_string())?;
                continue;
            }
            other => other?,
        };
        for process in processes.clone() {
            let counted = count_side_by_side(&subjects, process, process == processes.start)?;
            for (version, Counted { descriptor, segments, heap }) in versions.iter().zip(counted) {
                context.journal.describe(descriptor);
                context.journal.measured(|gate: &mut GateExperiment| {
                    let counters = &mut gate.version_mut(version.side).counters;
                    counters.segments.extend(segments);
                    counters.heaps.extend(heap);
                })?;
            }
        }
    }
    context.journal.flush()?;
    context.progress.end();
    Ok(())
}

fn subject<'a>(context: &RunContext<'a>, scheme: Scheme, version: &Programs) -> Result<Subject<'a>, ExperimentError> {
    let name = version.side.to_string();
    let store = ExperimentStore::start_private(context, scheme.store(), &name, &Bounds::default())?;
    Subject::new(context, scheme, version.folder.join(scheme.binary()), &name, store)
}

/// What was counted in one process, and in two for the heap.
struct Counted {
    descriptor: SchemeDescriptor,
    segments: Vec<CountedSegment>,
    heap: Option<CountedHeap>,
}

fn count_side_by_side(
    subjects: &[Subject<'_>],
    process: u32,
    counts_heap: bool,
) -> Result<Vec<Counted>, ExperimentError> {
    let count = |subject: &Subject<'_>| {
        let (descriptor, segments) = subject.count(process, AMOUNT)?;
        let heap = counts_heap.then(|| subject.count_heap(AMOUNT.population)).transpose()?;
        Ok(Counted { descriptor, segments, heap })
    };
    thread::scope(|scope| {
        let running: Vec<_> = subjects.iter().map(|subject| scope.spawn(move || count(subject))).collect();
        running.into_iter().map(|thread| thread.join().expect("a count does not panic")).collect()
    })
}
