//! `revocation`.

use std::collections::BTreeSet;

use engine::record::{EventKind, PushLink, Record, RevocationExperiment};
use evidence::Evidence;

use crate::testbed::{measure_schemes, only};

fn revocation_of(record: &Record) -> &RevocationExperiment {
    let found = only::<RevocationExperiment>(record);
    for series in &found.series {
        assert!(series.validity.valid, "{:?}", series.validity);
        for event in &series.events {
            assert_eq!(event.faults, Vec::<String>::new(), "{} {:?}", series.scheme, event.kind);
            assert_eq!(event.denied_us.len(), series.nodes as usize);
            assert!(event.denied_us.iter().all(Option::is_some), "{} {event:?}", series.scheme);
        }
    }
    found
}

fn violations(record: &Record) -> Vec<String> {
    let table = Evidence::of(record).unwrap().revocation.unwrap();
    table.violations.iter().map(ToString::to_string).collect()
}

#[test]
fn immediate_revocation_reaches_every_node_and_its_cost_is_measured() {
    let record = measure_schemes(RevocationExperiment::EXPERIMENT, &["anonymous", "session-memory", "session-redis"]);
    let found = revocation_of(&record);
    let of: Vec<(&str, u32, usize)> =
        found.series.iter().map(|series| (series.scheme.as_str(), series.nodes, series.events.len())).collect();
    assert_eq!(of, [("session-memory", 1, 14), ("session-redis", 3, 14)], "the control issues no credential to revoke");
    for event in found.series.iter().flat_map(|series| &series.events) {
        assert_eq!(event.accepted, [], "{event:?}");
    }
    let event_nodes: BTreeSet<u32> = found.series[1].events.iter().map(|event| event.told).collect();
    assert_eq!(event_nodes, BTreeSet::from([0, 1, 2]), "every node receives some events");
    assert_eq!(violations(&record), Vec::<String>::new());

    let cost_of = |event| found.prices.iter().find(|cost| cost.event == event).unwrap();
    assert_eq!(found.prices.len(), 5, "a session in the server's memory queries no store");
    let logout: Vec<(&str, u64)> =
        cost_of(EventKind::Logout).commands.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(logout, [("del", 1), ("get", 1), ("zrem", 1)], "no transaction, which a full Redis refuses");
    assert!(cost_of(EventKind::PasswordChange).commands.contains_key("hset"), "the directory is updated");
}

#[test]
fn ttl_revocation_ends_within_the_remaining_lifetime() {
    let record = measure_schemes(RevocationExperiment::EXPERIMENT, &["anonymous", "jwt-hs256", "jwt-hs256-epoch"]);
    let found = revocation_of(&record);
    assert_eq!(found.prices.len(), 5, "of the one that has a store");
    for series in &found.series {
        assert_eq!(series.events.len(), 10, "two waves of five");
        let epoch = series.scheme == "jwt-hs256-epoch";
        assert_eq!(series.window_s, if epoch { 4 } else { 5 });
        for event in &series.events {
            let accepting: Vec<u32> = event.accepted.iter().map(|accepted| accepted.node).collect();
            let others: Vec<u32> = (0..3).filter(|node| !epoch || *node != event.told).collect();
            assert_eq!(accepting, others, "{} {event:?}: all but the node that received the event", series.scheme);
        }
    }
    assert_eq!(record.schemes[1].revocation_window_s, Some(900), "the scheme is described with its own life");
    assert_eq!(violations(&record), Vec::<String>::new());
}

#[test]
fn push_revocation_is_delayed_with_its_push_and_bounded() {
    let mut record = measure_schemes(RevocationExperiment::EXPERIMENT, &["anonymous", "session-redis-cached"]);
    let found = revocation_of(&record);
    let [near, delayed, lost] = &found.series[..] else { panic!("three links") };
    assert_eq!((near.link, lost.link), (PushLink::Near, PushLink::Lost));
    assert_eq!(delayed.link, PushLink::Delayed { delay_ms: 100 });
    assert_eq!((near.events.len(), delayed.events.len(), lost.events.len()), (14, 10, 10));
    for event in delayed.events.iter().chain(&lost.events) {
        assert!(event.told < 2, "a node that cannot propagate events receives none: {event:?}");
        let last = event.accepted.iter().find(|accepted| accepted.node == 2);
        assert!(last.is_some(), "the last node receives the push late: {event:?}");
    }
    assert!(delayed.events.iter().all(|event| event.denied_us[2] >= Some(100_000)), "a push is never early");
    assert!(lost.events.iter().all(|event| event.unavailable > 0), "a node without pushes stops accepting");
    assert_eq!(violations(&record), Vec::<String>::new());

    // The same servers would violate the guarantee of another class.
    let found: &mut RevocationExperiment = record.data_mut().unwrap();
    found.series.iter_mut().for_each(|series| series.class = contract::RevocationClass::Immediate);
    let violations = violations(&record);
    assert!(
        violations.len() >= 10 && violations.iter().any(|one| one.contains("node 3")),
        "each kind over each bad link: {violations:?}"
    );
}
