//! Rounds of load: `cost`, `latency`, `rtt`, `reject`.

use std::collections::BTreeMap;

use engine::record::{Experiment, Garbage, Level, Round};
use experiments::profile::Experiment as Name;

use crate::bed::{SCHEMES, every_scheme_at_every_level, measure};

#[test]
fn cost_visits_every_scheme_once_a_block_and_counts_the_stores_commands() {
    let record = measure(Name::Cost);
    let [Experiment::Cost(cost)] = &record.experiments[..] else { panic!("cost was asked for") };
    assert_eq!(cost.rounds.len(), 2 * SCHEMES.len());
    every_scheme_at_every_level(&cost.rounds, 1);
    for round in cost.rounds.iter().filter(|round| round.scheme == "session-redis") {
        let commands = round.usage.as_ref().unwrap().store_commands.as_ref().unwrap();
        assert_eq!(commands.get("get"), Some(&round.counts.ok), "one look-up a request: {commands:?}");
        assert_eq!(commands.len(), 1, "{commands:?}");
    }
}

#[test]
fn latency_visits_every_level_at_its_rate() {
    let record = measure(Name::Latency);
    let [Experiment::Latency(latency)] = &record.experiments[..] else { panic!("latency was asked for") };
    every_scheme_at_every_level(&latency.rounds, 3);
    for round in &latency.rounds {
        match round.level {
            Level::Saturated => assert_eq!(round.counts.planned, None),
            Level::EqualRate { rate_rps } => assert_eq!(round.planned_rps, Some(rate_rps)),
            Level::OfCapacity { .. } => assert!(round.planned_rps.unwrap() > 0.0),
            _ => panic!("no such level here"),
        }
    }
    let beyond: Vec<&str> = record.omitted.iter().map(|omission| omission.what.as_str()).collect();
    assert_eq!(beyond, SCHEMES.map(|scheme| format!("latency of {scheme} at 1000000 requests/s")));
}

#[test]
fn rtt_moves_the_store_away_and_only_those_who_ask_it_wait() {
    let record = measure(Name::Rtt);
    let [Experiment::Rtt(rtt)] = &record.experiments[..] else { panic!("rtt was asked for") };
    let of = |scheme: &str, distance_us: u32| -> Vec<&Round> {
        let here = |level: &Level| matches!(level, Level::FarStore { rtt_us, .. } if *rtt_us == distance_us);
        rtt.rounds.iter().filter(|round| round.scheme == scheme && here(&round.level)).collect()
    };
    for (scheme, distance_us, rounds) in
        [("session-redis", 0, 4), ("session-redis", 5_000, 4), ("jwt-hs256", 0, 4), ("jwt-hs256", 5_000, 0)]
    {
        assert_eq!(of(scheme, distance_us).len(), rounds, "{scheme} over {distance_us} us: two blocks, two loads");
    }
    assert!(of("session-redis", 0).iter().chain(&of("anonymous", 0)).all(|round| round.store_rtt_us.is_none()));
    for (distance_us, least_us) in [(5_000, 5_000.0), (20_000, 20_000.0)] {
        for round in of("session-redis", distance_us) {
            assert_eq!(round.counts.failed(), 0, "{:?}", round.counts);
            // A delay is never shorter than it was set to, however busy the machine.
            assert!(round.store_rtt_us.unwrap() >= least_us, "{:?}", round.store_rtt_us);
            assert!(round.service_us.p50.unwrap() as f64 >= least_us * 0.999, "every request waits for a round trip");
        }
    }
}

#[test]
fn reject_sends_what_has_to_be_refused_and_expects_the_contracts_status() {
    let record = measure(Name::Reject);
    let [Experiment::Reject(reject)] = &record.experiments[..] else { panic!("reject was asked for") };
    let mut seen: BTreeMap<(&str, Option<Garbage>), (u16, u64)> = BTreeMap::new();
    for round in &reject.rounds {
        assert_eq!(round.counts.failed(), 0, "{} at {:?}: {:?}", round.scheme, round.level, round.counts);
        let garbage = if let Level::Refused { garbage } = round.level { Some(garbage) } else { None };
        assert_eq!(garbage.is_none(), round.level == Level::Saturated);
        let of = seen.entry((round.scheme.as_str(), garbage)).or_insert((round.plan.expected_status, 0));
        of.1 += round.counts.ok;
    }
    let expected = |scheme: &'static str| {
        use Garbage::{Expired, Forged, LongHeader, Malformed, NoCredential, TooLongHeader};
        let refused: &[(Garbage, u16)] = if scheme == "anonymous" {
            &[(TooLongHeader, 431)]
        } else {
            &[(NoCredential, 401), (Malformed, 401), (Forged, 401), (Expired, 401), (LongHeader, 401)]
        };
        let refused = refused.iter().map(move |&(garbage, status)| ((scheme, Some(garbage)), status));
        [((scheme, None), 200)].into_iter().chain(refused)
    };
    let statuses: BTreeMap<_, u16> = seen.iter().map(|(place, (status, _))| (*place, *status)).collect();
    assert_eq!(statuses, SCHEMES.into_iter().flat_map(expected).collect());
    assert!(seen.values().all(|(_, answered)| *answered > 0), "{seen:?}");
    // Only what has the form of a session id is looked for.
    for (garbage, asks) in [(Garbage::Forged, true), (Garbage::Expired, true), (Garbage::Malformed, false)] {
        let own = |round: &&Round| round.scheme == "session-redis" && round.level == Level::Refused { garbage };
        for round in reject.rounds.iter().filter(own) {
            let commands = round.usage.as_ref().unwrap().store_commands.as_ref().unwrap();
            assert_eq!(
                commands.get("get").copied().unwrap_or(0),
                if asks { round.counts.ok } else { 0 },
                "{garbage:?}"
            );
        }
    }
}
