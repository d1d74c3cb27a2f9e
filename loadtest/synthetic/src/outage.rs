//! Outages with known request outcomes.

use std::collections::BTreeMap;

use contract::Scheme;
use engine::record::{OutageExperiment, OutageFault, OutageRound, OutageSetup, Outcome, Validity};

/// Repetitions of every fault.
pub const REPETITIONS: u32 = 6;
/// Intervals of 0.1 s: 5 before the fault, 10 during the fault, 15 after it.
const INTERVALS: usize = 30;
const FAULT: std::ops::Range<usize> = 5..15;
/// Requests with valid and with revoked credentials in each interval.
const GOOD: u32 = 6;
const ENDED: u32 = 3;

/// Returns sessions and tokens, with the store paused and killed and a node killed.
///
/// A session responds with 503 during a store fault and for 0.3 s after it; half of the requests to
/// a killed node fail.
pub fn outage() -> OutageExperiment {
    let setup = OutageSetup { interval_s: 0.1, rate_rps: 90.0, timeout_s: 2.0, slow_rtt_s: 0.2, nodes: 2 };
    let mut rounds = Vec::new();
    for repetition in 0..REPETITIONS {
        for fault in [OutageFault::StorePaused, OutageFault::StoreKilled, OutageFault::NodeKilled] {
            rounds.extend(["session-redis", "session-redis-pool"].map(|scheme| round(scheme, fault, repetition)));
            if fault == OutageFault::NodeKilled {
                rounds.extend(["anonymous", "jwt-hs256", "jwt-eddsa"].map(|scheme| round(scheme, fault, repetition)));
            }
        }
    }
    OutageExperiment { setup: Some(setup), rounds }
}

fn round(scheme: &str, fault: OutageFault, repetition: u32) -> OutageRound {
    let stored = scheme.parse::<Scheme>().unwrap().store().is_external();
    let mut outcomes: BTreeMap<Outcome, Vec<u32>> = BTreeMap::new();
    let mut add = |outcome, interval: usize, count| {
        outcomes.entry(outcome).or_insert_with(|| vec![0; INTERVALS])[interval] += count;
    };
    let ended = if stored { ENDED } else { 0 };
    for interval in 0..INTERVALS {
        let broken = FAULT.contains(&interval);
        match fault {
            OutageFault::NodeKilled if broken => {
                add(Outcome::Good, interval, GOOD / 2);
                add(Outcome::Disconnected, interval, GOOD / 2);
                add(Outcome::RightlyDenied, interval, ended);
            }
            OutageFault::StorePaused | OutageFault::StoreKilled if broken || (15..18).contains(&interval) => {
                add(Outcome::Unavailable, interval, GOOD);
                add(Outcome::NotLetIn, interval, ended);
            }
            OutageFault::StoreKilled if interval >= FAULT.end => {
                add(Outcome::Lost, interval, GOOD);
                add(Outcome::RightlyDenied, interval, ended);
            }
            _ => {
                add(Outcome::Good, interval, GOOD);
                add(Outcome::RightlyDenied, interval, ended);
            }
        }
    }
    OutageRound {
        scheme: scheme.to_owned(),
        fault,
        repetition,
        started_at: "2026-11-22T14:05:00.000Z".to_owned(),
        fault_s: 0.5,
        healed_s: 1.5,
        planned: u64::from(GOOD + ended) * INTERVALS as u64,
        outcomes,
        logouts_asked: if stored { 4 } else { 0 },
        logouts_acknowledged: 0,
        validity: Validity::from_reasons(Vec::new()),
    }
}
