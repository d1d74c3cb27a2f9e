//! Experiments on the size of credentials: `memory`, `population`, `wire`.

use contract::Carrier;
use engine::record::{Fill, FillState, MemoryExperiment, MemoryPoint, PopulationExperiment, RoundAt, WireExperiment};

use crate::testbed::{SCHEMES, measure, measure_all, measure_with, only, smallest_parameters};

#[test]
fn memory_growth_appears_only_in_schemes_with_a_store() {
    let record = measure(MemoryExperiment::EXPERIMENT);
    let memory = only::<MemoryExperiment>(&record);
    assert_eq!(memory.points.len(), 4 * SCHEMES.len());
    for scheme in SCHEMES {
        let points: Vec<_> = memory.points.iter().filter(|point| point.scheme == scheme).collect();
        let store: Vec<u64> = points.iter().filter_map(|point| point.store_used_bytes).collect();
        if scheme == "session-redis" {
            let growth = store.last().unwrap() - store[0];
            assert!(growth > 700 * 100, "700 sessions more take at least 100 bytes each: {store:?}");
        } else {
            assert!(store.is_empty());
        }
        assert!(points.iter().all(|point| point.server_pss_bytes > 1_000_000));
    }
}

#[test]
fn population_fills_a_server_measures_it_and_empties_its_store() {
    let record = measure_all(PopulationExperiment::EXPERIMENT, &[&SCHEMES[..], &["jwt-eddsa"]].concat());
    let population = only::<PopulationExperiment>(&record);
    let omitted: Vec<&str> = record.omitted.iter().map(|omission| omission.what.as_str()).collect();
    assert_eq!(omitted, ["population of jwt-eddsa"], "jwt-hs256 keeps the same");
    for scheme in SCHEMES {
        let memory = |state: FillState| -> Vec<&MemoryPoint> {
            let of_scheme = |fill: &&Fill| fill.state == state && fill.memory.scheme == scheme;
            population.fills.iter().filter(of_scheme).map(|fill| &fill.memory).collect()
        };
        let sizes = |state: FillState| memory(state).iter().map(|point| point.population).collect::<Vec<_>>();
        let (with_store, revocable) = (scheme == "session-redis", scheme == "session-redis");
        assert_eq!(sizes(FillState::Live), [0, 100, 1_000, 20_000, 40_000], "{scheme}");
        assert_eq!(sizes(FillState::Revoked), if revocable { vec![100, 2_000] } else { vec![] }, "{scheme}");
        assert_eq!(sizes(FillState::Freed), if with_store { vec![40_000] } else { vec![] }, "{scheme}");
        let used =
            |state: FillState| memory(state).iter().filter_map(|point| point.store_used_bytes).collect::<Vec<_>>();
        if with_store {
            let (live, revoked, freed) = (used(FillState::Live), used(FillState::Revoked), used(FillState::Freed));
            assert!(live[4] - live[0] > 40_000 * 200, "one key a credential: {live:?}");
            assert!(revoked[1].abs_diff(revoked[0]) < 1_900 * 50, "a session that was ended is gone: {revoked:?}");
            assert!(freed[0] - live[0] < (live[4] - live[0]) / 4, "before {}, after {}", live[0], freed[0]);
        }
        // Each size is measured in alternation with the smallest.
        let rounds = population.rounds.iter().filter(|each| each.round.scheme == scheme);
        let mut levels: Vec<(u64, bool)> =
            rounds.map(|each| (each.at.live, each.round.load.equal_rate_rps().is_some())).collect();
        levels.sort_unstable();
        let both_loads = |live| [(live, false), (live, true)];
        let mut expected = [both_loads(100), both_loads(100), both_loads(20_000), both_loads(40_000)].concat();
        expected.sort_unstable();
        assert_eq!(levels, expected, "{scheme}");
    }
    for RoundAt { round, .. } in &population.rounds {
        assert_eq!(round.counts.failed(), 0, "every credential that is used is live: {:?}", round.counts);
    }
}

#[test]
fn fill_that_takes_too_long_is_omitted_and_recorded() {
    let mut parameters = smallest_parameters();
    parameters.population.fill_s = 1e-3;
    let record = measure_with(PopulationExperiment::EXPERIMENT, &SCHEMES, &parameters);
    let omitted: Vec<&str> = record.omitted.iter().map(|omission| omission.what.as_str()).collect();
    assert_eq!(omitted.len(), SCHEMES.len(), "{omitted:?}");
    assert!(omitted.contains(&"session-redis with 40000 live credentials"), "{omitted:?}");
    assert!(record.omitted[0].reason.contains("this profile allows"), "{}", record.omitted[0].reason);
}

#[test]
fn wire_bytes_grow_with_roles() {
    let record = measure(WireExperiment::EXPERIMENT);
    let wire = only::<WireExperiment>(&record);
    let bytes = |scheme: &str, roles| {
        let bearer = |point: &&engine::record::WirePoint| {
            point.scheme == scheme && point.roles == roles && point.carrier == Carrier::Bearer
        };
        wire.points.iter().find(bearer).unwrap().request_header_bytes
    };
    assert!(bytes("session-redis", 0) > bytes("anonymous", 0) + 43, "an id of 256 bits in base64");
    assert_eq!(bytes("session-redis", 0), bytes("session-redis", 10), "an id is as long for any number of roles");
    assert!(bytes("jwt-hs256", 10) > bytes("jwt-hs256", 0) + 100, "a token carries the roles");
}
