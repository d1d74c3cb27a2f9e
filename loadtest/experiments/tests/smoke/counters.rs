//! Counted work of real servers under valgrind.

use engine::record::{CountedSegment, CountersExperiment};
use evidence::{Evidence, MAX_SCATTER};

use crate::testbed::{measure_all, only};

/// Counts are no times: that they repeat is what they are for.
#[test]
fn counters_repeat_between_segments_and_processes() {
    let schemes = ["anonymous", "session-redis"];
    let record = measure_all(CountersExperiment::EXPERIMENT, &schemes);
    let counters = only::<CountersExperiment>(&record);
    assert!(record.software.contains_key("valgrind"), "{:?}", record.software);
    assert_eq!((counters.segments.len(), counters.heaps.len()), (schemes.len() * 2 * 2, schemes.len()));
    let evidence = Evidence::of(&record).unwrap();
    for row in &evidence.counters.as_ref().unwrap().rows {
        // Alone the scatter is far below MAX_SCATTER. Next to other tests some answers of the store are there before the
        // server waits for them, and more timers of the server expire in a segment.
        assert!(row.instructions.scatter <= 4.0 * MAX_SCATTER, "{row:#?}");
        assert!(row.instructions.value > 1_000.0 && row.system_calls.value >= 2.0, "{row:#?}");
        // A reallocation is an allocation for callgrind, but no new block for DHAT.
        let heap = counters.heaps.iter().find(|heap| heap.scheme == row.scheme).unwrap();
        let blocks = heap.blocks as f64 / heap.requests as f64;
        assert!(blocks > 1.0 && blocks < row.allocations.value + 0.5, "{blocks} {row:#?}");
        assert!(row.allocated_bytes.unwrap().value > 500.0, "{row:#?}");
        let commands = row.store_commands.map(|commands| commands.value);
        assert_eq!(commands, (row.scheme == "session-redis").then_some(1.0));
    }
    let bytes = |scheme: &str| {
        let of_scheme = |each: &&CountedSegment| each.scheme == scheme;
        let segment = counters.segments.iter().find(of_scheme).unwrap();
        segment.request_bytes / segment.requests
    };
    assert!(bytes("session-redis") > bytes("anonymous"));
}
