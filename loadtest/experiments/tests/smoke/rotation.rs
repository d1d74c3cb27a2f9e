//! `rotation`.

use std::collections::BTreeSet;

use engine::record::{KeyDistribution, RotationExperiment};

use crate::testbed::{measure_all, only};

#[test]
fn rotation_replaces_keys_under_load_and_counts_rejections() {
    let schemes = ["anonymous", "session-redis", "jwt-hs256", "jwt-eddsa", "cookie-sealed", "hybrid"];
    let record = measure_all(RotationExperiment::EXPERIMENT, &schemes);
    let rotation = only::<RotationExperiment>(&record);
    let rotated: BTreeSet<_> = rotation.rolls.iter().map(|one| (one.scheme.as_str(), one.learning)).collect();
    let (never, published) = (KeyDistribution::Never, KeyDistribution::Published);
    let expected = [
        ("jwt-hs256", never),
        ("jwt-eddsa", never),
        ("jwt-eddsa", published),
        ("cookie-sealed", never),
        ("hybrid", published),
    ];
    assert_eq!((rotated, rotation.rolls.len()), (BTreeSet::from(expected), 5));
    for key_rotation in &rotation.rolls {
        for kind in &key_rotation.presented {
            let unknown_key = kind.other_node && kind.new_key && key_rotation.learning == never;
            assert_eq!(kind.failed, 0, "{} {kind:?}", key_rotation.scheme);
            assert_eq!(kind.refused, if unknown_key { kind.sent } else { 0 }, "{} {kind:?}", key_rotation.scheme);
        }
        let new =
            key_rotation.presented.iter().find(|kind| kind.other_node && kind.new_key && kind.after_roll).unwrap();
        assert!(new.sent > 0 && key_rotation.validity.valid, "{key_rotation:?}");
    }
}

#[test]
fn refresh_races_revoke_families_without_grace_and_bursts_recur() {
    let record = measure_all(RotationExperiment::EXPERIMENT, &["anonymous", "jwt-hs256"]);
    let rotation = only::<RotationExperiment>(&record);
    assert!(record.schemes.iter().all(|known| known.scheme != "jwt-hs256-refresh"), "the substitute is not compared");
    for race in &rotation.races {
        assert_eq!((race.scheme.as_str(), race.families), ("jwt-hs256-refresh", 20));
        let expected = if race.grace_s == 0 { (20, 20) } else { (20 * u64::from(race.clients), 0) };
        assert_eq!((race.granted, race.killed), expected, "{race:?}");
        assert_eq!(race.granted + race.refused, 20 * u64::from(race.clients));
    }
    let replays: Vec<_> =
        rotation.replays.iter().map(|replay| (replay.grace_s, replay.age_s, replay.passed, replay.killed)).collect();
    assert_eq!(replays, [(0, 0, 0, 5), (0, 2, 0, 5), (60, 0, 5, 0), (60, 48, 5, 0), (60, 62, 0, 5)]);
    for burst in &rotation.storms {
        assert_eq!((burst.failed, burst.arrivals.len()), (0, 32), "{burst:?}");
        let counted: u64 = burst.arrivals.iter().sum();
        assert!(
            burst.sent > 50 && counted > 50 && counted <= burst.sent,
            "every client came back, and again: {burst:?}"
        );
        let busiest = burst.arrivals.iter().max().unwrap();
        assert!(busiest * 32 > counted, "it is no even stream: {burst:?}");
    }
    assert_eq!(rotation.storms.len(), 2);
}
