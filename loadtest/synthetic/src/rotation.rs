//! Requests across several servers, and key and token rotation, with a known truth.

use contract::StoreKind;
use engine::plan::{Arrivals, Mix, Plan};
use engine::record::{
    FanoutExperiment, Hops, KeyDistribution, KeyRotation, Load, Presented, Quantiles, Race, RefreshBurst, Replay,
    RotationExperiment, RoundAt, Validity,
};

use super::{LinkDelay, Noise, TRUTHS, Truth, round, round_with_delay};

/// Returns rounds in which each hop costs as much as the first server.
pub fn fanout(noise: &mut Noise) -> FanoutExperiment {
    let mut rounds = Vec::new();
    for block in 0..6 {
        for truth in &TRUTHS {
            for hops in [1, 3, 10] {
                let all = at_all(truth, hops);
                let loads = [
                    (Load::EqualRate { rate_rps: 300.0 }, Arrivals::Poisson { rate_rps: 300.0 }, 300.0),
                    (Load::Saturated, Arrivals::Closed, all.capacity_rps()),
                ];
                for (load, arrivals, rate_rps) in loads {
                    let plan = Plan { mix: Mix::Chain { hops }, ..Plan::new(arrivals, 2.0) };
                    let round = round(&all, load, block, plan, rate_rps, noise);
                    rounds.push(RoundAt { at: Hops { hops, link_rtt_us: 0 }, round });
                }
            }
        }
    }
    rounds.extend(delayed_rounds(noise));
    FanoutExperiment { rounds }
}

/// Returns the truth of all servers on a path together.
fn at_all(truth: &Truth, hops: u32) -> Truth {
    let times = f64::from(hops + 1);
    Truth { server_us: truth.server_us * times, store_us: truth.store_us * times, ..*truth }
}

/// Returns the same with links of a millisecond.
fn delayed_rounds(noise: &mut Noise) -> Vec<RoundAt<Hops>> {
    let mut rounds = Vec::new();
    for block in 0..6 {
        for truth in &TRUTHS {
            for hops in [1, 3, 10] {
                let plan = Plan { mix: Mix::Chain { hops }, ..Plan::new(Arrivals::Poisson { rate_rps: 200.0 }, 2.0) };
                let rtt_us = 1_010.0;
                let delay =
                    LinkDelay { us: rtt_us * round_trips(truth, hops), store_rtt_us: None, hop_rtt_us: Some(rtt_us) };
                let load = Load::EqualRate { rate_rps: 200.0 };
                let round = round_with_delay(&at_all(truth, hops), load, block, plan, 200.0, delay, noise);
                rounds.push(RoundAt { at: Hops { hops, link_rtt_us: 1_000 }, round });
            }
        }
    }
    rounds
}

/// Returns the round trips that a request waits for: one per hop, and those of a look-up at each
/// server.
fn round_trips(truth: &Truth, hops: u32) -> f64 {
    let look_up = if truth.store == StoreKind::Redis { super::round_trips(truth) } else { 0.0 };
    f64::from(hops) + look_up * f64::from(hops + 1)
}

fn valid() -> Validity {
    Validity::from_reasons(Vec::new())
}

fn times(us: u64, count: u64) -> Quantiles {
    let at = Some(us);
    Quantiles { p50: at, p90: at, p99: at, p99_9: at, p99_99: at, max: at, mean: Some(us as f64), count }
}

fn presented(other_node: bool, new_key: bool, after_roll: bool, refused_of_200: u64) -> Presented {
    Presented {
        other_node,
        new_key,
        after_roll,
        sent: 200,
        refused: refused_of_200,
        failed: 0,
        last_refused_s: (refused_of_200 > 0).then_some(if refused_of_200 == 200 { 1.2 } else { 0.3 }),
        last_accepted_s: (refused_of_200 < 200).then_some(1.1),
        response_us: times(if new_key { 900 } else { 300 }, 200),
    }
}

fn key_rotation(scheme: &str, block: u32, learning: KeyDistribution, refused: u64) -> KeyRotation {
    KeyRotation {
        scheme: scheme.to_owned(),
        block,
        started_at: "2026-11-22T10:18:00Z".to_owned(),
        learning,
        rate_rps: 200.0,
        rolled_s: 1.2,
        presented: vec![
            presented(false, false, false, 0),
            presented(false, false, true, 0),
            presented(false, true, true, 0),
            presented(true, false, false, 0),
            presented(true, false, true, 0),
            presented(true, true, true, refused),
        ],
        validity: valid(),
    }
}

fn race(grace_s: u64, clients: u32) -> Race {
    let all = 400 * u64::from(clients);
    let granted = if grace_s == 0 { 400 } else { all };
    Race {
        scheme: REFRESHING.to_owned(),
        grace_s,
        clients,
        families: 400,
        granted,
        refused: all - granted,
        killed: if grace_s == 0 { 400 } else { 0 },
        spread_us: 40.0 * f64::from(clients),
        validity: valid(),
    }
}

const REFRESHING: &str = "jwt-hs256-refresh";

fn replay(grace_s: u64, age_s: u64) -> Replay {
    let passes = grace_s > 0 && age_s <= grace_s;
    let (passed, killed) = if passes { (20, 0) } else { (0, 20) };
    Replay { scheme: REFRESHING.to_owned(), grace_s, age_s, families: 20, passed, killed, validity: valid() }
}

/// Returns three periods of 4 s: each within half a second, or over an increasingly wide part.
fn refresh_burst(jitter: f64) -> RefreshBurst {
    let refreshes = |bin: usize| {
        let (period, within) = (bin / 40, bin % 40);
        let wide = if jitter > 0.0 { 20 + 10 * period.min(2) } else { 5 };
        if within < wide { 3_000 / wide as u64 } else { 0 }
    };
    RefreshBurst {
        scheme: REFRESHING.to_owned(),
        block: 0,
        jitter,
        credentials: 3_000,
        issued_s: 0.5,
        ttl_s: 5,
        share: 0.8,
        bin_s: 0.1,
        arrivals: (0..120).map(refreshes).collect(),
        sent: 9_000,
        failed: 0,
        response_us: times(if jitter > 0.0 { 800 } else { 7_000 }, 9_000),
        lag_us: times(90, 9_000),
        validity: valid(),
    }
}

/// Returns rotations: without published keys the other node rejects all, with them few or none;
/// without grace every race revokes a family.
pub fn rotation() -> RotationExperiment {
    let rolls = (0..2).flat_map(|block| {
        [
            key_rotation("jwt-hs256", block, KeyDistribution::Never, 200),
            key_rotation("jwt-eddsa", block, KeyDistribution::Never, 200),
            key_rotation("jwt-eddsa", block, KeyDistribution::Published, if block == 0 { 0 } else { 3 }),
        ]
    });
    RotationExperiment {
        rolls: rolls.collect(),
        races: [0, 5].into_iter().flat_map(|grace_s| [2, 8].map(|clients| race(grace_s, clients))).collect(),
        replays: vec![replay(0, 0), replay(0, 2), replay(5, 0), replay(5, 4), replay(5, 7)],
        storms: vec![refresh_burst(0.2), refresh_burst(0.0)],
    }
}
