//! Rounds of load: `cost`, `latency`, `rtt`, `reject`.

use std::collections::BTreeMap;

use engine::record::{
    CostExperiment, InvalidCredential, LatencyExperiment, Load, RejectExperiment, Round, RoundAt, RttExperiment,
};

use crate::testbed::{SCHEMES, every_scheme_at_every_level, measure, only};

#[test]
fn cost_visits_every_scheme_once_a_block_and_counts_the_stores_commands() {
    let record = measure(CostExperiment::EXPERIMENT);
    let cost = only::<CostExperiment>(&record);
    assert_eq!(cost.rounds.len(), 2 * SCHEMES.len());
    every_scheme_at_every_level(cost.rounds.iter().map(|round| (round, ())), 1);
    for round in cost.rounds.iter().filter(|round| round.scheme == "session-redis") {
        let commands = round.usage.as_ref().unwrap().store_commands.as_ref().unwrap();
        assert_eq!(commands.get("get"), Some(&round.counts.ok), "one look-up a request: {commands:?}");
        assert_eq!(commands.len(), 1, "{commands:?}");
    }
}

#[test]
fn latency_visits_every_level_at_its_rate() {
    let record = measure(LatencyExperiment::EXPERIMENT);
    let latency = only::<LatencyExperiment>(&record);
    every_scheme_at_every_level(latency.rounds.iter().map(|round| (round, ())), 3);
    for round in &latency.rounds {
        match round.load {
            Load::Saturated => assert_eq!(round.counts.planned, None),
            Load::EqualRate { rate_rps } => assert_eq!(round.planned_rps, Some(rate_rps)),
            Load::OfCapacity { .. } => assert!(round.planned_rps.unwrap() > 0.0),
            Load::AsPlanned => panic!("no such load here"),
        }
    }
    let beyond: Vec<&str> = record.omitted.iter().map(|omission| omission.what.as_str()).collect();
    assert_eq!(beyond, SCHEMES.map(|scheme| format!("latency of {scheme} at 1000000 requests/s")));
}

#[test]
fn rtt_delays_only_schemes_that_query_the_store() {
    let record = measure(RttExperiment::EXPERIMENT);
    let rtt = only::<RttExperiment>(&record);
    let of = |scheme: &str, rtt_us: u32| -> Vec<&Round> {
        let rounds = rtt.rounds.iter().filter(|each| each.at.rtt_us == rtt_us);
        rounds.map(|each| &each.round).filter(|round| round.scheme == scheme).collect()
    };
    for (scheme, rtt_us, rounds) in
        [("session-redis", 0, 4), ("session-redis", 5_000, 4), ("jwt-hs256", 0, 4), ("jwt-hs256", 5_000, 0)]
    {
        assert_eq!(of(scheme, rtt_us).len(), rounds, "{scheme} over {rtt_us} us: two blocks, two loads");
    }
    assert!(of("session-redis", 0).iter().chain(&of("anonymous", 0)).all(|round| round.store_rtt_us.is_none()));
    for (rtt_us, least_us) in [(5_000, 5_000.0), (20_000, 20_000.0)] {
        for round in of("session-redis", rtt_us) {
            assert_eq!(round.counts.failed(), 0, "{:?}", round.counts);
            // A delay is never shorter than its set value, however busy the machine is.
            assert!(round.store_rtt_us.unwrap() >= least_us, "{:?}", round.store_rtt_us);
            assert!(round.service_us.p50.unwrap() as f64 >= least_us * 0.999, "every request waits for a round trip");
        }
    }
}

#[test]
fn reject_sends_invalid_credentials_and_expects_their_status() {
    let record = measure(RejectExperiment::EXPERIMENT);
    let reject = only::<RejectExperiment>(&record);
    let mut results: BTreeMap<(&str, Option<InvalidCredential>), (u16, u64)> = BTreeMap::new();
    for RoundAt { at, round } in &reject.rounds {
        assert_eq!(round.counts.failed(), 0, "{} at {at:?}: {:?}", round.scheme, round.counts);
        assert!(round.load.is_saturated());
        let of = results.entry((round.scheme.as_str(), at.invalid)).or_insert((round.plan.expected_status, 0));
        of.1 += round.counts.ok;
    }
    let expected = |scheme: &'static str| {
        use InvalidCredential::{Expired, Forged, LongHeader, Malformed, NoCredential, TooLongHeader};
        let rejected: &[(InvalidCredential, u16)] = if scheme == "anonymous" {
            &[(TooLongHeader, 431)]
        } else {
            &[(NoCredential, 401), (Malformed, 401), (Forged, 401), (Expired, 401), (LongHeader, 401)]
        };
        let rejected = rejected.iter().map(move |&(invalid, status)| ((scheme, Some(invalid)), status));
        [((scheme, None), 200)].into_iter().chain(rejected)
    };
    let statuses: BTreeMap<_, u16> = results.iter().map(|(place, (status, _))| (*place, *status)).collect();
    assert_eq!(statuses, SCHEMES.into_iter().flat_map(expected).collect());
    assert!(results.values().all(|(_, requests)| *requests > 0), "{results:?}");
    // Only well-formed session ids are looked up.
    for (invalid, looked_up) in
        [(InvalidCredential::Forged, true), (InvalidCredential::Expired, true), (InvalidCredential::Malformed, false)]
    {
        let rounds = reject.rounds.iter().filter(|each| each.at.invalid == Some(invalid)).map(|each| &each.round);
        for round in rounds.filter(|round| round.scheme == "session-redis") {
            let commands = round.usage.as_ref().unwrap().store_commands.as_ref().unwrap();
            assert_eq!(
                commands.get("get").copied().unwrap_or(0),
                if looked_up { round.counts.ok } else { 0 },
                "{invalid:?}"
            );
        }
    }
}
