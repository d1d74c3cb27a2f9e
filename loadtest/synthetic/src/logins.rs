//! Logins and invalid requests with a known truth.

use std::collections::BTreeMap;

use contract::StoreKind;
use engine::plan::{Arrivals, Plan};
use engine::record::{
    ConcurrentLogins, InvalidCredential, Issuance, Load, LoginBurstRound, LoginExperiment, RejectExperiment, Round,
    RoundAt, SentCredential, Validity,
};

use super::{Noise, TRUTHS, Truth, round};

/// CPU time of one password hash, in microseconds.
pub const HASHING_US: f64 = 16_500.0;
/// CPU time of issuing no credential, in microseconds: writing the response.
pub const WRITING_US: f64 = 1.2;

/// Returns the CPU time of server and store to issue a credential, in microseconds.
pub fn issuing_us(scheme: &str) -> (f64, f64) {
    match scheme {
        "session-redis" => (9.0, 4.0),
        "session-redis-pool" => (21.0, 15.0),
        "jwt-hs256" => (3.1, 0.0),
        "jwt-eddsa" => (16.2, 0.0),
        _ => (WRITING_US, 0.0),
    }
}

/// Returns reads at 1,000 requests/s without concurrent logins and during a burst of eight clients,
/// and issuances.
pub(super) fn login(noise: &mut Noise) -> LoginExperiment {
    let mut login = LoginExperiment { server_cpus: vec![0, 1], ..LoginExperiment::default() };
    for block in 0..8 {
        for truth in &TRUTHS {
            for clients in [0, 8] {
                let plan = Plan::new(Arrivals::Poisson { rate_rps: 1000.0 }, 3.0);
                let load = Load::EqualRate { rate_rps: 1000.0 };
                let slowed = Truth { server_us: truth.server_us + f64::from(clients) * 50.0, ..*truth };
                let of = if clients > 0 { &slowed } else { truth };
                let round = round(of, load, block, plan, 1000.0, noise);
                login.storms.extend((clients > 0).then(|| login_burst(truth, &round, noise)));
                login.rounds.push(RoundAt { at: ConcurrentLogins { clients }, round });
            }
            login.issuances.push(issuance(truth, block, noise));
        }
    }
    login
}

fn login_burst(truth: &Truth, round: &Round, noise: &mut Noise) -> LoginBurstRound {
    let (answered, reads) = (150, round.counts.sent());
    let (server_us, store_us) = issuing_us(truth.id);
    let ns = |us: f64| (us * 1e3) as u64;
    LoginBurstRound {
        scheme: truth.id.to_owned(),
        block: round.block,
        clients: 8,
        answered,
        failed: BTreeMap::new(),
        wall_s: 3.1 * noise.factor(0.02),
        reads,
        server_cpu_ns: ns(
            (HASHING_US + server_us) * noise.factor(0.01) * answered as f64 + truth.server_us * reads as f64
        ),
        store_cpu_ns: (truth.store == StoreKind::Redis)
            .then(|| ns(store_us * answered as f64 + truth.store_us * reads as f64)),
        validity: Validity::from_reasons(Vec::new()),
    }
}

fn issuance(truth: &Truth, block: u32, noise: &mut Noise) -> Issuance {
    let (server_us, store_us) = issuing_us(truth.id);
    let spent_ns = |us: f64, noise: &mut Noise| (us * 5_000.0 * 1e3 * noise.factor(0.02)) as u64;
    Issuance {
        scheme: truth.id.to_owned(),
        block,
        started_at: format!("2026-11-22T10:{:02}:40Z", 15 + block),
        batch: 1_000,
        credentials: 5_000,
        wall_s: 0.2,
        server_cpu_ns: spent_ns(server_us, noise),
        store_cpu_ns: (truth.store == StoreKind::Redis).then(|| spent_ns(store_us, noise)),
        validity: Validity::from_reasons(Vec::new()),
    }
}

/// The cost of rejecting as a share of that of accepting; the control rejects only another kind.
pub const REJECTION_COST_SHARES: [(InvalidCredential, f64); 3] =
    [(InvalidCredential::NoCredential, 0.1), (InvalidCredential::Forged, 1.2), (InvalidCredential::LongHeader, 20.0)];
/// CPU time of the server for a header that is too long, in microseconds.
pub const TOO_LONG_US: f64 = 400.0;

pub(super) fn reject(noise: &mut Noise) -> RejectExperiment {
    let plan = |expected_status| Plan { expected_status, ..Plan::new(Arrivals::Closed, 2.0) };
    let mut rounds = Vec::new();
    for block in 0..8 {
        for truth in &TRUTHS {
            let mut sent = |invalid: Option<InvalidCredential>, truth: &Truth, status: u16| {
                let round = round(truth, Load::Saturated, block, plan(status), truth.capacity_rps(), noise);
                rounds.push(RoundAt { at: SentCredential { invalid }, round });
            };
            sent(None, truth, 200);
            let rejected = |invalid, share: f64| {
                (invalid, Truth { server_us: truth.server_us * share, store_us: truth.store_us * share, ..*truth })
            };
            let kinds: Vec<(InvalidCredential, Truth)> = if truth.class.is_some() {
                REJECTION_COST_SHARES.into_iter().map(|(invalid, share)| rejected(invalid, share)).collect()
            } else {
                vec![rejected(InvalidCredential::TooLongHeader, TOO_LONG_US / truth.server_us)]
            };
            for (invalid, cheaper) in kinds {
                let status = if invalid == InvalidCredential::TooLongHeader { 431 } else { 401 };
                sent(Some(invalid), &cheaper, status);
            }
        }
    }
    RejectExperiment { rounds }
}
