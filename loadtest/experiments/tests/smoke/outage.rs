//! `outage`.

use engine::record::{OutageExperiment, OutageFault, Outcome};

use crate::testbed::{SCHEMES, measure, only};

#[test]
fn outage_injects_every_fault_and_classifies_every_request() {
    let record = measure(OutageExperiment::EXPERIMENT);
    let outage = only::<OutageExperiment>(&record);
    let of = |scheme: &str, fault: OutageFault| {
        let mut rounds = outage.rounds.iter().filter(|round| round.scheme == scheme && round.fault == fault);
        let round = rounds.next();
        assert!(rounds.next().is_none(), "once: {scheme}, {fault}");
        round
    };
    for fault in OutageFault::ALL {
        for scheme in SCHEMES {
            let stored = scheme == "session-redis";
            let Some(round) = of(scheme, fault) else {
                assert!(fault.is_of_store() && !stored, "{scheme}, {fault}");
                continue;
            };
            assert!(stored || !fault.is_of_store(), "who has no store does not suffer with it: {scheme}, {fault}");
            assert_eq!(round.accounted(), round.planned, "{round:?}");
            assert!(round.planned > 100 && round.count(Outcome::Good) > 0, "{round:?}");
            for never in [Outcome::WronglyAllowed, Outcome::WronglyDenied, Outcome::Unsent, Outcome::OtherStatus] {
                assert_eq!(round.count(never), 0, "{never:?}: {round:?}");
            }
            assert_eq!(round.count(Outcome::RightlyDenied) > 0, stored, "a token alone cannot be ended: {round:?}");
            assert!(round.healed_s - round.fault_s > 0.5, "{round:?}");
        }
    }
    let redis = |fault| of("session-redis", fault).unwrap();
    for fault in
        [OutageFault::StoreKilled, OutageFault::StorePaused, OutageFault::StoreCut, OutageFault::StoreRestarted]
    {
        assert!(redis(fault).count(Outcome::Unavailable) > 0, "it cannot query its store and reports that: {fault}");
        assert_eq!(redis(fault).count(Outcome::Lost) > 0, fault == OutageFault::StoreKilled, "{fault}");
    }
    assert!(redis(OutageFault::StoreSlow).logouts_acknowledged > 0, "slow is not broken");
    for scheme in SCHEMES {
        let killed = of(scheme, OutageFault::NodeKilled).unwrap();
        assert!(killed.count(Outcome::Disconnected) > 0, "{killed:?}");
        assert_eq!(killed.count(Outcome::Unavailable) + killed.count(Outcome::Lost), 0, "{killed:?}");
    }
}
