//! `fanout`.

use engine::record::{FanoutExperiment, Hops, Round, RoundAt};

use crate::testbed::{FANOUT_SCHEMES, measure_all, only};

/// Checks that every remote call takes a round trip, and that the record has the measured round-trip times.
fn check_round_trips(round: &Round, hops: u64, look_ups: Option<u64>, link_rtt_us: u32) {
    if link_rtt_us == 0 {
        assert_eq!((round.hop_rtt_us, round.store_rtt_us), (None, None), "{}", round.scheme);
        return;
    }
    let least_us = f64::from(link_rtt_us) * 0.99;
    assert!(round.hop_rtt_us.unwrap() >= least_us, "{:?}", round.hop_rtt_us);
    assert_eq!(round.store_rtt_us.is_some_and(|rtt_us| rtt_us >= least_us), look_ups.is_some(), "{}", round.scheme);
    let trips = hops + look_ups.unwrap_or(0);
    let p50_us = round.response_us.p50.unwrap() as f64;
    assert!(p50_us >= least_us * trips as f64, "{} over {hops} hops: {p50_us} us", round.scheme);
}

#[test]
fn fanout_looks_up_a_session_at_every_hop_and_once_behind_an_edge() {
    let record =
        measure_all(FanoutExperiment::EXPERIMENT, &["anonymous", "session-redis", "jwt-hs256", "jwt-rs256", "hybrid"]);
    let fanout = only::<FanoutExperiment>(&record);
    assert_eq!(fanout.rounds.len(), FANOUT_SCHEMES.len() * 2 * 3, "two ways, two loads, and one with delayed links");
    for RoundAt { at: Hops { hops, link_rtt_us }, round } in &fanout.rounds {
        assert_eq!(round.counts.failed(), 0, "{} {:?}", round.scheme, round.counts);
        let usage = round.usage.as_ref().unwrap();
        let look_ups = usage.store_commands.as_ref().map(|commands| commands["get"]);
        let expected = match round.scheme.as_str() {
            "session-redis" => Some(round.counts.ok * u64::from(hops + 1)),
            "hybrid" => Some(round.counts.ok),
            _ => None,
        };
        assert_eq!(look_ups, expected, "{} over {hops} hops", round.scheme);
        assert!(usage.requests > 0 && usage.server_cpu_ns > 0, "{usage:?}");
        check_round_trips(round, u64::from(*hops), look_ups.map(|all| all / round.counts.ok), *link_rtt_us);
    }
    let described: Vec<&str> = record.schemes.iter().map(|known| known.scheme.as_str()).collect();
    assert_eq!(described, FANOUT_SCHEMES, "the server behind an edge is not compared");
    assert_eq!(record.omitted[0].what, "fanout of jwt-rs256");
}
