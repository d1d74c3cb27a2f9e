//! `fanout`.

use engine::record::{Experiment, Level};
use experiments::profile::Experiment as Name;

use crate::bed::{CROSSING, measure_all};

#[test]
fn fanout_looks_a_session_up_at_every_hop_and_behind_an_edge_once() {
    let record = measure_all(Name::Fanout, &["anonymous", "session-redis", "jwt-hs256", "jwt-rs256", "hybrid"]);
    let [Experiment::Fanout(fanout)] = &record.experiments[..] else { panic!("fanout was asked for") };
    assert_eq!(fanout.rounds.len(), CROSSING.len() * 2 * 2, "two ways, two loads");
    for round in &fanout.rounds {
        let Level::Hops { hops, .. } = round.level else { panic!("{:?}", round.level) };
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
    }
    let described: Vec<&str> = record.schemes.iter().map(|known| known.scheme.as_str()).collect();
    assert_eq!(described, CROSSING, "what stands behind an edge is not compared");
    assert_eq!(record.omitted[0].what, "fanout of jwt-rs256");
}
