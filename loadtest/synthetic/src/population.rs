//! A fill with a known truth.

use contract::StoreKind;
use engine::plan::{Arrivals, Plan};
use engine::record::{Fill, FillState, LiveCredentials, Load, PopulationExperiment, RoundAt};

use super::memory::memory_point;
use super::{Noise, TRUTHS, Truth, round};

/// The rate of a server with a store at the most credentials, as a share of that at the fewest.
pub const SUSTAINED_SHARE: f64 = 0.9;
pub const FEWEST: u64 = 1_000;
pub const MOST: u64 = 1_000_000;
/// Bytes of a revoked credential in the store.
pub const REVOKED_BYTES: f64 = 130.0;

pub fn population(noise: &mut Noise) -> PopulationExperiment {
    let mut fills = Vec::new();
    let mut rounds = Vec::new();
    for truth in &TRUTHS {
        for count in [0, FEWEST, 15_625, 62_500, 80_000, 300_000, MOST] {
            fills.push(fill(truth, FillState::Live, count, truth.store_bytes, noise));
        }
        for count in [10_000, 20_000, 50_000, 100_000] {
            fills.push(fill(truth, FillState::Revoked, count, REVOKED_BYTES, noise));
        }
        if truth.store == StoreKind::Redis {
            fills.push(fill(truth, FillState::Freed, MOST, 0.0, noise));
        }
        for block in 0..6 {
            for live in [FEWEST, MOST] {
                let slower = if live == MOST && truth.store == StoreKind::Redis { SUSTAINED_SHARE } else { 1.0 };
                let loads = [
                    (Load::EqualRate { rate_rps: 5000.0 }, Arrivals::Poisson { rate_rps: 5000.0 }, 5000.0),
                    (Load::Saturated, Arrivals::Closed, truth.capacity_rps() * slower),
                ];
                for (load, arrivals, rate_rps) in loads {
                    let round = round(truth, load, block, Plan::new(arrivals, 3.0), rate_rps, noise);
                    rounds.push(RoundAt { at: LiveCredentials { live }, round });
                }
            }
        }
    }
    PopulationExperiment { fills, rounds }
}

fn fill(truth: &Truth, state: FillState, population: u64, store_each: f64, noise: &mut Noise) -> Fill {
    Fill { state, took_s: population as f64 / 400_000.0, memory: memory_point(truth, 0, population, store_each, noise) }
}
