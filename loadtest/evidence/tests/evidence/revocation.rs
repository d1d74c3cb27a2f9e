//! When revoked credentials are rejected, and which servers violate their class.

use contract::RevocationClass;
use engine::record::{Acceptances, Data as _, EventKind, Record, RevocationExperiment, RevocationSeries, Validity};
use evidence::{Evidence, GuaranteeViolation, RevocationRow, RevocationTable, revocation_bound_us};

fn table(series: Vec<RevocationSeries>) -> RevocationTable {
    let experiment = RevocationExperiment { series, prices: Vec::new() };
    of(&Record { experiments: vec![experiment.wrap()], ..synthetic::compare() })
}

fn of(record: &Record) -> RevocationTable {
    Evidence::of(record).unwrap().revocation.unwrap()
}

fn row<'a>(table: &'a RevocationTable, scheme: &str) -> &'a RevocationRow {
    table.rows.iter().find(|row| row.scheme == scheme && row.event == EventKind::Logout).unwrap()
}

#[track_caller]
fn assert_near(found: f64, truth: f64) {
    assert!((found - truth).abs() < 1e-6, "{found} is not {truth}");
}

#[test]
fn slowest_node_determines_the_time() {
    let table = of(&synthetic::compare());
    let row = row(&table, "session-redis");
    let denied = row.denied.unwrap();
    // Block b holds 501 + b, 511 + b, ... 591 + b: its median is 546 + b.
    assert_near(denied.p50_us.value, 550.5);
    let interval = denied.p50_us.interval.unwrap();
    assert!(interval.low >= 546.0 && interval.high <= 555.0, "{interval:?}");
    assert_near(denied.p99_us, 599.0);
    assert_near(denied.max_us, 600.0);
    assert_eq!((denied.slowest_node, denied.never, denied.p99_supported), (2, 0, false));
    assert_eq!((row.events, row.excluded, row.accepted.events), (100, 0, 0));
    assert_eq!((row.slowest_us.len(), row.slowest_us[0], row.slowest_us[99]), (100, 501, 600));
    assert!(row.slowest_us.is_sorted());
    assert_eq!(row.commands.as_ref().unwrap().values().sum::<u64>(), 3);
    assert_eq!(table.violations, []);
}

#[test]
fn token_may_be_accepted_until_it_expires_and_no_longer() {
    let mut record = synthetic::compare();
    let table = of(&record);
    let row = row(&table, "jwt-hs256");
    assert_eq!((row.window_s, row.default_window_s), (4, Some(900)), "what was tried, and what servers do by default");
    assert_eq!((row.accepted.events, row.accepted.requests, row.accepted.last_us), (100, 70_000, 2_999_000));
    assert_eq!(table.violations, []);

    let series = record
        .data_mut::<RevocationExperiment>()
        .unwrap()
        .series
        .iter_mut()
        .find(|series| series.scheme == "jwt-hs256")
        .unwrap();
    series.events[8].accepted[0].last_us = 3_000_001;
    let violations = of(&record).violations;
    let [one] = &violations[..] else { panic!("{violations:?}") };
    assert_eq!((one.scheme.as_str(), one.event, one.node), ("jwt-hs256", EventKind::Logout, 2));
    assert_eq!((one.events, one.of, one.after_us, one.bound_us), (1, 100, 3_000_001, 3_000_000));
}

#[test]
fn cached_acceptance_violates_the_immediate_class_only() {
    let kept = table(vec![synthetic::revocation::cached(RevocationClass::Propagation)]);
    assert_eq!(kept.violations, []);
    assert_eq!(row(&kept, "session-redis-cached").accepted.events, 100);

    let violations = table(vec![synthetic::revocation::cached(RevocationClass::Immediate)]).violations;
    let kinds: Vec<EventKind> = violations.iter().map(|one| one.event).collect();
    assert_eq!(kinds, [EventKind::Logout, EventKind::LogoutAll], "each kind and node once");
    let text = violations[0].to_string();
    for part in
        ["session-redis-cached", "immediate", "100 of 100", "logout, pushes lost", "node 4", "1500.0 ms", "0.0 ms"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn immediate_class_allows_no_acceptance_after_the_acknowledgement() {
    let mut series = synthetic::revocation::cached(RevocationClass::Immediate);
    series.events.truncate(1);
    series.events[0].accepted = vec![Acceptances { node: 1, count: 1, last_us: 0 }];
    let violations = table(vec![series]).violations;
    assert!(
        matches!(&violations[..], [GuaranteeViolation { node: 1, after_us: 0, bound_us: 0, .. }]),
        "{violations:?}"
    );
}

#[test]
fn bound_is_that_of_the_class_and_not_the_servers_description() {
    assert_eq!(revocation_bound_us(RevocationClass::Immediate, 5, Some(1)), 0);
    assert_eq!(revocation_bound_us(RevocationClass::Propagation, 2, Some(1)), 2_000_000);
    assert_eq!(revocation_bound_us(RevocationClass::Ttl, 2, Some(3_000_000)), 2_000_000);
    assert_eq!(revocation_bound_us(RevocationClass::Expiry, 4, Some(3_000_000)), 3_000_000);
}

#[test]
fn faulty_events_are_excluded_but_their_acceptances_are_violations() {
    let mut series = synthetic::revocation::cached(RevocationClass::Propagation);
    for event in &mut series.events[..20] {
        event.faults.push("polling node 1 failed (connection lost)".to_owned());
        event.denied_us[0] = None;
        event.accepted[0].last_us = 2_000_001;
    }
    let found = table(vec![series.clone()]);
    let row = row(&found, "session-redis-cached");
    assert_eq!((row.events, row.excluded, row.denied.unwrap().never), (90, 10, 0));
    assert_eq!(found.violations.iter().map(|one| one.events).sum::<usize>(), 20);

    series.validity = Validity::from_reasons(vec!["too many events say nothing".to_owned()]);
    let record = Record {
        experiments: vec![RevocationExperiment { series: vec![series], prices: Vec::new() }.wrap()],
        ..synthetic::compare()
    };
    let evidence = Evidence::of(&record).unwrap();
    assert!(evidence.revocation.unwrap().rows.iter().all(|row| row.denied.is_none() && row.events == 0));
    let reported: Vec<&str> = evidence
        .warnings
        .iter()
        .map(|warning| warning.text.as_str())
        .filter(|text| text.starts_with("revocation: "))
        .collect();
    assert_eq!(reported.len(), 3, "the series, and each kind with a violation: {reported:?}");
}

#[test]
fn event_that_a_node_never_rejected_is_counted() {
    let mut series = synthetic::revocation::cached(RevocationClass::Propagation);
    series.events[0].denied_us[3] = None;
    assert_eq!(row(&table(vec![series]), "session-redis-cached").denied.unwrap().never, 1);
}
