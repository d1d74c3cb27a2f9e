//! Counted work: figures per request, scatter, and what is left out.

use engine::record::CountersExperiment;
use evidence::{Count, CountersRow, Evidence};
use synthetic::check::{assert_near, count_warnings, invalidate, of};

fn row<'evidence>(evidence: &'evidence Evidence, scheme: &str) -> &'evidence CountersRow {
    evidence.counters.as_ref().unwrap().rows.iter().find(|row| row.scheme == scheme).unwrap()
}

#[test]
fn counts_per_request_match_the_truth() {
    let evidence = of(&synthetic::compare());
    let redis = row(&evidence, "session-redis");
    assert_eq!((redis.segments, redis.processes), (6, 2));
    assert_near(redis.instructions.value, 39_000.0, 0.0);
    assert_near(redis.instructions.scatter, 0.002, 1e-9);
    assert_near(redis.instructions_over_control.unwrap(), 2.6, 1e-9);
    let exactly = |value| Count { value, scatter: 0.0, deviation: 0.0 };
    assert_eq!((redis.allocations, redis.system_calls), (exactly(25.0), exactly(8.0)));
    assert_eq!((redis.allocated_bytes, redis.store_commands), (Some(exactly(12_180.0)), Some(exactly(1.0))));
    assert_eq!((redis.request_bytes, redis.response_bytes), (exactly(190.0), exactly(230.0)));
    assert_near(redis.allocator_instructions.scatter, 300.0 / 2_550.0, 1e-9);
    assert_eq!(row(&evidence, "jwt-hs256").store_commands, None);
}

#[test]
fn invalid_segments_and_heaps_feed_no_figure() {
    let mut record = synthetic::compare();
    let counters = record.data_mut::<CountersExperiment>().unwrap();
    for segment in counters.segments.iter_mut().filter(|each| each.scheme == "jwt-hs256" && each.process == 0) {
        segment.instructions *= 2;
        invalidate(&mut segment.validity);
    }
    counters.heaps.iter_mut().filter(|each| each.scheme == "jwt-hs256").for_each(|heap| invalidate(&mut heap.validity));
    let evidence = of(&record);
    let token = row(&evidence, "jwt-hs256");
    assert_eq!((token.instructions.value, token.processes, token.allocated_bytes), (54_000.0, 1, None));
    assert_eq!(count_warnings(&evidence, &["counters: invalid results for jwt-hs256"]), 1);
}

#[test]
fn scatter_above_the_limit_and_a_missing_control_are_caveats() {
    let mut record = synthetic::compare();
    let scattered = ["counters: the instructions of these schemes scatter by more than 0.5 %", "jwt-eddsa (0.9 %)."];
    assert_eq!(count_warnings(&of(&record), &scattered[..1]), 0);
    let counters = record.data_mut::<CountersExperiment>().unwrap();
    counters.segments.retain(|segment| segment.scheme != "anonymous");
    // The highest segment: 0.1 % above the median, and 0.7 % more.
    counters.segments.iter_mut().rfind(|each| each.scheme == "jwt-eddsa").unwrap().instructions += 200 * 2_884;
    let evidence = of(&record);
    assert_eq!(count_warnings(&evidence, &scattered), 1, "{:?}", evidence.warnings);
    assert_eq!(count_warnings(&evidence, &["counters: the control has no valid figures"]), 1);
    assert_eq!(row(&evidence, "jwt-eddsa").instructions_over_control, None);
}
