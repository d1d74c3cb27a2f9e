//! Evidence of outages with a known truth.

use engine::record::{OutageExperiment, OutageFault, Outcome, Record};
use evidence::{Evidence, OutageRow};

use synthetic::outage::REPETITIONS;

fn with(change: impl FnOnce(&mut OutageExperiment)) -> Evidence {
    let mut record: Record = synthetic::compare();
    change(record.data_mut().unwrap());
    Evidence::of(&record).unwrap()
}

fn row<'a>(evidence: &'a Evidence, scheme: &str, fault: OutageFault) -> &'a OutageRow {
    evidence.outage.as_ref().unwrap().of_fault(fault).find(|row| row.scheme == scheme).unwrap()
}

#[test]
fn shares_cover_the_fault_and_recovery_starts_at_the_repair() {
    let evidence = with(|_| ());
    let paused = row(&evidence, "session-redis", OutageFault::StorePaused);
    assert_eq!((paused.during.requests, paused.during.unavailable), (6 * 60, 6 * 60));
    assert!(paused.good_share.unwrap().value.abs() < 1e-9);
    let recovery = paused.recovery.unwrap();
    assert!((recovery.p50_s.unwrap().value - 0.3).abs() < 1e-9, "{recovery:?}");
    assert_eq!((recovery.recovered, recovery.of), (6, 6));
    assert!(recovery.p50_s.unwrap().interval.is_some(), "six rounds give an interval");

    let killed = row(&evidence, "jwt-hs256", OutageFault::NodeKilled);
    assert!((killed.good_share.unwrap().value - 0.5).abs() < 1e-9);
    assert!(killed.recovery.unwrap().p50_s.unwrap().value.abs() < 1e-9, "recovered immediately");
    assert_eq!(row(&evidence, "session-redis", OutageFault::StoreKilled).whole.lost, 6 * 12 * 6);
    assert_eq!(evidence.outage.as_ref().unwrap().storeless, ["anonymous", "jwt-hs256", "jwt-eddsa"]);
}

#[test]
fn round_with_missing_outcomes_is_excluded_and_reported() {
    let evidence = with(|outage| outage.rounds[0].outcomes.get_mut(&Outcome::Good).unwrap()[20] -= 1);
    let damaged = row(&evidence, "session-redis", OutageFault::StorePaused);
    assert_eq!((damaged.rounds.used, damaged.rounds.excluded), (REPETITIONS as usize - 1, 1));
    assert_eq!(damaged.during.requests, 5 * 60);
    let reported: Vec<String> = evidence.warnings.iter().map(ToString::to_string).collect();
    assert!(
        reported.iter().any(|text| text.contains("270 requests were planned, and the outcomes of 269")),
        "{reported:#?}"
    );
}

#[test]
fn scheme_that_does_not_recover_has_no_median() {
    let evidence = with(|outage| {
        let round = &mut outage.rounds[0];
        let good = round.outcomes.get_mut(&Outcome::Good).unwrap();
        let late = std::mem::take(&mut good[29]);
        round.outcomes.get_mut(&Outcome::Unavailable).unwrap()[29] = late;
        for interval in 18..29 {
            round.outcomes.get_mut(&Outcome::Good).unwrap()[interval] -= 1;
            round.outcomes.get_mut(&Outcome::Unavailable).unwrap()[interval] += 1;
        }
    });
    let recovery = row(&evidence, "session-redis", OutageFault::StorePaused).recovery.unwrap();
    assert_eq!((recovery.p50_s, recovery.recovered, recovery.of), (None, 5, 6));
}

#[test]
fn accepted_revoked_credential_is_a_violation_even_in_an_invalid_round() {
    assert!(with(|_| ()).violations.is_empty());
    let evidence = with(|outage| {
        let round = &mut outage.rounds[1];
        let mut wrong = vec![0; 30];
        wrong[7] = 2;
        // Two more than planned: the round is invalid, but the requests were accepted.
        round.outcomes.insert(Outcome::WronglyAllowed, wrong);
    });
    let reported: Vec<String> = evidence.violations.iter().map(ToString::to_string).collect();
    assert_eq!(reported, ["outage: session-redis-pool wrongly accepted 2 requests (store paused)"]);
}
