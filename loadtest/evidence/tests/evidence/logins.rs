//! Logins and invalid requests: estimates match the known truth, and excluded data have no effect.

use engine::record::{InvalidCredential, LoginExperiment, Record, RejectExperiment};
use evidence::{Evidence, LoginRow};
use synthetic::check::{count_warnings, invalidate, of};
use synthetic::logins;

/// The largest tolerated error.
#[track_caller]
fn assert_near(found: f64, truth: f64, share: f64) {
    assert!((found - truth).abs() <= truth.abs() * share, "{found} is not within {share} of {truth}");
}

fn login_row<'a>(evidence: &'a Evidence, scheme: &str) -> &'a LoginRow {
    evidence.login.as_ref().unwrap().rows.iter().find(|row| row.scheme == scheme).unwrap()
}

fn login_of(record: &mut Record) -> &mut LoginExperiment {
    record.data_mut().unwrap()
}

#[test]
fn login_and_issuing_costs_match_the_truth() {
    let evidence = of(&synthetic::compare());
    for scheme in ["anonymous", "session-redis", "session-redis-pool", "jwt-hs256", "jwt-eddsa"] {
        let row = login_row(&evidence, scheme);
        let (server_us, store_us) = logins::issuing_us(scheme);
        let cost = row.cost.unwrap();
        let truth_us = logins::HASHING_US + server_us + store_us;
        assert_near(cost.login_us.value, truth_us, 0.01);
        assert!(cost.login_us.interval.unwrap().contains(truth_us), "{scheme}: {cost:?}");
        let per_cpu_s = cost.per_cpu_s.interval.unwrap();
        assert!(per_cpu_s.low < per_cpu_s.high && per_cpu_s.contains(1e6 / truth_us), "{scheme}: {cost:?}");
        let issuance = row.issuance.unwrap();
        assert_near(issuance.server_us.value, server_us, 0.02);
        assert_near(issuance.total_us.unwrap().value, server_us + store_us, 0.02);
        assert_near(issuance.per_cpu_s.unwrap().value, 1e6 / (server_us + store_us), 0.02);
        assert_eq!(issuance.store_us.is_some(), store_us > 0.0, "{scheme}");
        assert!(row.p50_ratio.unwrap().interval.unwrap().low > 1.5, "a login burst delays reads: {:?}", row.p50_ratio);
        assert_eq!((row.idle.as_ref().unwrap().rounds.used, row.burst.as_ref().unwrap().rounds.used), (8, 8));
    }
}

#[test]
fn failed_bursts_and_unobserved_stores_are_excluded() {
    let mut record = synthetic::compare();
    let login = login_of(&mut record);
    for burst in login.storms.iter_mut().filter(|burst| burst.scheme == "jwt-hs256" && burst.block < 2) {
        burst.server_cpu_ns *= 5;
        invalidate(&mut burst.validity);
    }
    for burst in login.storms.iter_mut().filter(|burst| burst.scheme == "session-redis") {
        burst.store_cpu_ns = None;
    }
    login.issuances.iter_mut().filter(|each| each.scheme == "session-redis").for_each(|each| each.store_cpu_ns = None);
    for round in login.rounds.iter_mut().map(|each| &mut each.round).filter(|round| round.scheme == "jwt-eddsa") {
        invalidate(&mut round.validity);
    }
    let evidence = of(&record);
    let cost = login_row(&evidence, "jwt-hs256").cost.unwrap();
    assert_eq!((cost.bursts.used, cost.bursts.excluded), (6, 2));
    assert_near(cost.login_us.value, logins::HASHING_US, 0.02);
    let unobserved = login_row(&evidence, "session-redis");
    assert_eq!(
        (unobserved.cost, unobserved.issuance.unwrap().total_us),
        (None, None),
        "an unobserved store is not free"
    );
    assert_eq!(login_row(&evidence, "jwt-eddsa").cost, None, "the cost of reads without concurrent logins is unknown");
    let words = "login: invalid results for the logins of jwt-hs256 in block 0, the logins of jwt-hs256 in block 1: invalid on purpose.";
    assert_eq!(count_warnings(&evidence, &[words]), 1, "{:#?}", evidence.warnings);
}

#[test]
fn rejecting_is_compared_with_accepting_within_a_block() {
    let evidence = of(&synthetic::compare());
    let table = evidence.reject.as_ref().unwrap();
    for row in &table.rows {
        let accepting_us = row.accepting.as_ref().unwrap().total_us.unwrap().value;
        let expected: Vec<(InvalidCredential, f64)> = if row.scheme == "anonymous" {
            vec![(InvalidCredential::TooLongHeader, logins::TOO_LONG_US / accepting_us)]
        } else {
            logins::REJECTION_COST_SHARES.into()
        };
        assert_eq!(row.rejections.len(), expected.len(), "{}", row.scheme);
        for (invalid, share) in expected {
            let rejection = row.rejection(invalid).unwrap();
            let over = rejection.over_accepting.unwrap();
            assert_near(over.ratio.unwrap().value, share, 0.05);
            assert_near(accepting_us + over.total_us.unwrap().value, accepting_us * share, 0.05);
            assert_eq!(rejection.status, if invalid == InvalidCredential::TooLongHeader { 431 } else { 401 });
        }
    }
}

#[test]
fn round_with_accepted_invalid_requests_is_excluded_and_reported() {
    let mut record = synthetic::compare();
    let forged = Some(InvalidCredential::Forged);
    for each in &mut record.data_mut::<RejectExperiment>().unwrap().rounds {
        if each.round.scheme == "jwt-hs256" && each.at.invalid == forged {
            invalidate(&mut each.round.validity);
        }
    }
    let evidence = of(&record);
    let row = evidence.reject.as_ref().unwrap().rows.iter().find(|row| row.scheme == "jwt-hs256").unwrap();
    let rejection = row.rejection(InvalidCredential::Forged).unwrap();
    assert_eq!((rejection.rounds.used, rejection.rounds.excluded), (0, 8));
    assert_eq!((rejection.total_us, rejection.over_accepting), (None, None));
    let shown =
        evidence.invalid_rounds.iter().filter(|round| round.place.level.to_string().ends_with("a forged credential"));
    assert_eq!(shown.count(), 8);
}
