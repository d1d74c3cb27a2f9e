//! The gate: verdicts of versions whose difference is known.

use engine::record::{CountedSegment, GateExperiment, Omission, Record, Status};
use evidence::{GateMetric, GateRow, GateTable, RisenComponent, Verdict};
use proptest::prelude::*;
use synthetic::check::{assert_near, count_warnings, invalidate, of};
use synthetic::gate::{SLOWER, gate, record};

/// Requests of each segment.
const REQUESTS: u64 = 200;

fn table(gate: &GateExperiment) -> GateTable {
    GateTable::of(&record(gate.clone()), gate)
}

/// Both versions the same.
fn equal() -> GateExperiment {
    let gate = gate();
    GateExperiment { head: gate.base.clone(), ..gate }
}

/// Returns the row of this metric, after this change of every segment of the slower scheme in the head.
fn changed(metric: GateMetric, change: impl Fn(&mut CountedSegment)) -> GateRow {
    let mut gate = equal();
    gate.head.counters.segments.iter_mut().filter(|each| each.scheme == SLOWER).for_each(change);
    let row = |row: &GateRow| row.scheme == SLOWER && row.metric == metric;
    table(&gate).rows.into_iter().find(row).unwrap()
}

#[test]
fn more_work_in_the_head_fails_with_its_size() {
    let found = table(&gate());
    assert_eq!(found.verdict, Verdict::Fail);
    let failed: Vec<_> = found.with(Verdict::Fail).map(|row| (row.scheme.as_str(), row.metric)).collect();
    assert_eq!(failed, [(SLOWER, GateMetric::Instructions), (SLOWER, GateMetric::StoreCommands)]);
    let rises: Vec<f64> = found.with(Verdict::Fail).filter_map(GateRow::relative_change).collect();
    assert_near(rises[0], 2_000.0 / 39_000.0, 1e-9);
    assert_near(rises[1], 1.0, 1e-9);
    let risen: Vec<_> = found.with(Verdict::Fail).flat_map(|row| &row.risen).collect();
    assert_eq!(risen, [&RisenComponent { name: "redis".to_owned(), rise: 1_900.0 }], "a small part is not named");
}

#[test]
fn less_work_in_the_head_passes() {
    let gate = gate();
    let improved = GateExperiment { base: gate.head, head: gate.base };
    assert_eq!(table(&improved).verdict, Verdict::Pass);
}

#[test]
fn rise_of_one_per_cent_is_the_limit() {
    let verdict = |per_mille: u64| {
        changed(GateMetric::Instructions, |each| each.instructions += 39_000 * REQUESTS * per_mille / 1_000).verdict
    };
    assert_eq!((verdict(9), verdict(11)), (Verdict::Pass, Verdict::Fail));
}

#[test]
fn deviations_widen_the_limit_until_they_hide_too_much() {
    // The median of the head is 1.5 % higher, and its segments are apart by this.
    let apart_by = |per_mille: u64| {
        changed(GateMetric::Instructions, |each| {
            each.instructions = 39_000 * REQUESTS / 1_000 * (1_015 - per_mille + per_mille * u64::from(each.segment));
        })
    };
    assert_eq!(apart_by(1).verdict, Verdict::Fail);
    assert_eq!(apart_by(4).verdict, Verdict::Pass);
    // Of the base: three times 0.1 %.
    assert_near(apart_by(4).allowed.unwrap() / 39_000.0, 0.015, 1e-9);
    assert_eq!(apart_by(16).verdict, Verdict::Inconclusive);
}

#[test]
fn single_segment_out_of_line_changes_nothing() {
    let mut gate = equal();
    gate.head.counters.segments[2].system_calls *= 3;
    gate.head.counters.segments[4].instructions *= 2;
    assert_eq!(table(&gate).verdict, Verdict::Pass);
}

#[test]
fn crates_are_named_only_if_both_versions_have_symbols() {
    let mut gate = gate();
    gate.base.counters.segments.iter_mut().for_each(|each| each.components.clear());
    assert!(table(&gate).rows.iter().all(|row| row.risen.is_empty()));
}

#[test]
fn two_events_in_a_segment_are_chance_and_three_are_not() {
    let from_none = |events: u64| {
        let mut gate = equal();
        for counters in [&mut gate.base.counters, &mut gate.head.counters] {
            counters.segments.iter_mut().for_each(|each| each.store_commands = Some(0));
        }
        gate.head.counters.segments.iter_mut().for_each(|each| each.store_commands = Some(events));
        table(&gate).verdict
    };
    assert_eq!((from_none(0), from_none(2), from_none(3)), (Verdict::Pass, Verdict::Pass, Verdict::Fail));
}

#[test]
fn missing_counts_are_invalid_and_named() {
    let mut gate = equal();
    gate.head.counters.heaps.iter_mut().for_each(|heap| invalidate(&mut heap.validity));
    let found = table(&gate);
    assert_eq!(found.verdict, Verdict::Invalid);
    assert!(found.with(Verdict::Invalid).all(|row| row.metric == GateMetric::AllocatedBytes && row.allowed.is_none()));
    gate.head.counters.segments.clear();
    assert_eq!(table(&gate).verdict, Verdict::Invalid, "no scheme is in both versions");
    let mut gate = equal();
    gate.head.counters.segments.iter_mut().for_each(|each| each.requests = 0);
    assert_eq!(table(&gate).verdict, Verdict::Invalid, "nothing was counted");
    let mut gate = equal();
    gate.base.counters.segments.retain(|each| each.scheme != SLOWER);
    assert_eq!(table(&gate).verdict, Verdict::Invalid, "a scheme is in one version only");
    assert_eq!(count_warnings(&of(&record(gate)), &[SLOWER, "the base has no counts of it"]), 1);
}

#[test]
fn part_of_a_run_does_not_pass() {
    let verdict = |change: fn(&mut Record), gate: &GateExperiment| {
        let mut record = record(gate.clone());
        change(&mut record);
        GateTable::of(&record, gate).verdict
    };
    let omit = |record: &mut Record| {
        record.omitted.push(Omission { what: "hybrid".to_owned(), reason: "no store".to_owned() });
    };
    let interrupt = |record: &mut Record| record.run.status = Status::Incomplete { reason: "running".to_owned() };
    assert_eq!(verdict(|_| (), &equal()), Verdict::Pass);
    for change in [omit, interrupt] {
        assert_eq!(verdict(change, &equal()), Verdict::Invalid);
        assert_eq!(verdict(change, &gate()), Verdict::Fail);
    }
}

proptest! {
    /// Whatever the processes of two equal versions count, the order of them does not make a difference.
    #[test]
    fn equal_versions_never_fail(counts in prop::collection::vec(1_000_u64..100_000, 6)) {
        let mut gate = equal();
        for counters in [&mut gate.base.counters, &mut gate.head.counters] {
            for (segment, count) in counters.segments.iter_mut().filter(|each| each.scheme == SLOWER).zip(&counts) {
                (segment.instructions, segment.allocations) = (count * REQUESTS, count / 100 * REQUESTS);
            }
        }
        gate.head.counters.segments.reverse();
        prop_assert_ne!(table(&gate).verdict, Verdict::Fail);
    }
}
