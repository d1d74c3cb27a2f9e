//! Growing number of live credentials: estimates match the known truth, and excluded data have no
//! effect.

use engine::record::{Fill, FillState, PopulationExperiment, Validity};
use evidence::{Evidence, PopulationRow};
use synthetic::check::{assert_near, count_warnings};
use synthetic::population::{FEWEST, MOST, REVOKED_BYTES, SUSTAINED_SHARE};

/// The synthetic fill after a change.
fn after(change: impl FnOnce(&mut PopulationExperiment)) -> Evidence {
    let mut record = synthetic::compare();
    change(record.data_mut().unwrap());
    Evidence::of(&record).unwrap()
}

fn row<'a>(evidence: &'a Evidence, scheme: &str) -> &'a PopulationRow {
    evidence.population.as_ref().unwrap().rows.iter().find(|row| row.scheme == scheme).unwrap()
}

#[test]
fn bytes_ratios_and_predictions_match_the_truth() {
    let evidence = after(|_| {});
    let session = row(&evidence, "session-redis");
    let store = |memory: &evidence::MemoryRow| memory.slope.as_ref().unwrap().store.unwrap().value;
    assert_near(store(&session.live), 310.0, 1.0);
    assert_near(store(&session.revoked), REVOKED_BYTES, 1.0);
    let predicted = session.predicted.unwrap();
    assert_eq!((predicted.population, predicted.fitted), (MOST, (15_625, 62_500)), "a tenth of the largest at most");
    assert!(predicted.grows && predicted.error().abs() < 0.01, "{predicted:?}");
    assert!(!row(&evidence, "jwt-hs256").predicted.unwrap().grows, "nothing is stored per token");
    let freed = session.freed.as_ref().unwrap();
    assert!(freed.full.store_used_bytes > freed.freed.store_used_bytes.map(|bytes| bytes * 100));
    assert_near(session.created_per_s.unwrap(), 1e6 / (1_459_125.0 / 400_000.0), 1.0);

    let [few, many] = &session.sizes[..] else { panic!("two sizes were timed") };
    assert_eq!((few.live, many.live), (FEWEST, MOST));
    assert!(few.capacity_ratio.is_none() && few.p99_ratio.is_none(), "the fewest have no reference");
    let ratio = many.capacity_ratio.unwrap();
    assert_near(ratio.value, SUSTAINED_SHARE, 0.02);
    assert!(ratio.interval.unwrap().high < 1.0, "{ratio:?}");
    assert!(row(&evidence, "jwt-hs256").sizes[1].capacity_ratio.unwrap().interval.unwrap().contains(1.0));
    assert!(row(&evidence, "jwt-hs256").freed.is_none());
}

#[test]
fn hash_table_doubling_does_not_bias_the_prediction() {
    let evidence = after(|population| {
        let session = |fill: &&mut Fill| fill.state == FillState::Live && fill.memory.scheme == "session-redis";
        for fill in population.fills.iter_mut().filter(session) {
            let buckets = fill.memory.population.next_power_of_two();
            fill.memory.store_used_bytes = fill.memory.store_used_bytes.map(|bytes| bytes + 64 * buckets);
        }
    });
    let predicted = row(&evidence, "session-redis").predicted.unwrap();
    assert!(predicted.error().abs() < 0.01, "{predicted:?}");
}

#[test]
fn wrong_prediction_reports_its_error() {
    let evidence = after(|population| {
        let largest = |fill: &&mut Fill| {
            fill.state == FillState::Live && fill.memory.population == MOST && fill.memory.scheme == "session-redis"
        };
        let memory = &mut population.fills.iter_mut().find(largest).unwrap().memory;
        memory.store_used_bytes = Some(memory.store_used_bytes.unwrap() * 2);
    });
    let error = row(&evidence, "session-redis").predicted.unwrap().error();
    assert!((-0.51..-0.45).contains(&error), "the largest is not part of the fit: {error}");
}

#[test]
fn invalid_measurements_are_excluded_and_reported() {
    let invalidated = || Validity::from_reasons(vec!["invalid on purpose".to_owned()]);
    let evidence = after(|population| {
        for fill in population.fills.iter_mut().filter(|fill| [62_500, 80_000].contains(&fill.memory.population)) {
            fill.memory.store_used_bytes = Some(1);
            fill.memory.validity = invalidated();
        }
        for each in &mut population.rounds {
            if each.at.live == MOST && each.round.load.is_saturated() {
                each.round.validity = invalidated();
            }
        }
    });
    let session = row(&evidence, "session-redis");
    assert_near(session.live.slope.as_ref().unwrap().store.unwrap().value, 310.0, 1.0);
    assert!(session.predicted.is_none(), "one size is left below a tenth of the largest");
    assert!(session.sizes[1].capacity_ratio.is_none() && session.sizes[1].p99_ratio.is_some());
    assert_eq!(count_warnings(&evidence, &["population: invalid results for"]), 1);
}
