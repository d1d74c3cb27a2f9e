//! Records as a run would write them, with a known truth and seeded noise.

#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::unwrap_used,
    reason = "only tests use it"
)]

pub mod check;
mod counters;
pub mod gate;
pub mod logins;
mod memory;
pub mod outage;
pub mod population;
pub mod revocation;
pub mod rotation;
mod scaling;
pub mod slo;

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::ops::Range;
use std::sync::OnceLock;

use contract::{Carrier, LogoutScope, RevocationClass, SchemeDescriptor, StoreDown, StoreKind, Touch};
use engine::plan::{Arrivals, Plan};
use engine::record::{
    CostExperiment, Counts, Data as _, EncodedHistogram, FORMAT, Host, Interval, LatencyExperiment, Load,
    LoadExperiment, Placement, Quantiles, Record, Round, RoundAt, RttExperiment, Run, ScalingExperiment, Status,
    StoreDistance, Usage, Validity, Window, WireExperiment, WirePoint, empty_histogram,
};

/// The truth about a scheme: CPU µs per request in server and store, bytes per credential in both.
#[derive(Clone, Copy)]
struct Truth {
    id: &'static str,
    store: StoreKind,
    class: Option<RevocationClass>,
    server_us: f64,
    store_us: f64,
    server_bytes: f64,
    store_bytes: f64,
    credential_bytes: u64,
    commands: &'static [&'static str],
}

const TRUTHS: [Truth; 5] = [
    truth("anonymous", StoreKind::None, None, (6.5, 0.0), (0.0, 0.0), 0, &[]),
    truth("session-redis", StoreKind::Redis, IMMEDIATE, (12.8, 3.2), (0.0, 310.0), 43, &["get"]),
    truth(
        "session-redis-pool",
        StoreKind::Redis,
        IMMEDIATE,
        (27.5, 14.6),
        (0.0, 310.0),
        43,
        &["unwatch", "ping", "get"],
    ),
    truth("jwt-hs256", StoreKind::None, EXPIRY, (8.6, 0.0), (0.0, 0.0), 312, &[]),
    truth("jwt-eddsa", StoreKind::None, EXPIRY, (40.1, 0.0), (0.0, 0.0), 355, &[]),
];

const IMMEDIATE: Option<RevocationClass> = Some(RevocationClass::Immediate);
const EXPIRY: Option<RevocationClass> = Some(RevocationClass::Expiry);

const fn truth(
    id: &'static str,
    store: StoreKind,
    class: Option<RevocationClass>,
    (server_us, store_us): (f64, f64),
    (server_bytes, store_bytes): (f64, f64),
    credential_bytes: u64,
    commands: &'static [&'static str],
) -> Truth {
    Truth { id, store, class, server_us, store_us, server_bytes, store_bytes, credential_bytes, commands }
}

impl Truth {
    /// Returns requests per second at which one CPU is saturated.
    fn capacity_rps(&self) -> f64 {
        1e6 / self.server_us
    }
}

/// Reproducible random numbers (`SplitMix64`).
pub struct Noise(u64);

impl Noise {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((word ^ (word >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (TAU * self.uniform()).cos()
    }

    /// Returns a factor near one.
    fn factor(&mut self, spread: f64) -> f64 {
        (self.normal() * spread).exp()
    }
}

/// Returns a complete comparison of five schemes with every experiment; one cost round of it is
/// invalid.
pub fn compare() -> Record {
    static RECORD: OnceLock<Record> = OnceLock::new();
    RECORD.get_or_init(make_comparison).clone()
}

fn make_comparison() -> Record {
    let mut noise = Noise(42);
    Record {
        format: FORMAT,
        run: run("compare", Some("quick")),
        host: host(),
        software: BTreeMap::from([
            ("redis-server".to_owned(), "7.0.15".to_owned()),
            ("goose".to_owned(), "0.19.0".to_owned()),
        ]),
        placement: Placement {
            method: "sched_setaffinity".to_owned(),
            server_cpus: vec![0],
            store_cpus: vec![1],
            generator_cpus: vec![1],
            generator_class: "SCHED_FIFO".to_owned(),
        },
        schemes: TRUTHS.iter().map(descriptor).collect(),
        omitted: Vec::new(),
        conformance: Vec::new(),
        experiments: vec![
            cost(&mut noise).wrap(),
            counters::counters().wrap(),
            latency(&mut noise).wrap(),
            rtt(&mut Noise(44)).wrap(),
            logins::login(&mut Noise(45)).wrap(),
            logins::reject(&mut Noise(46)).wrap(),
            scaling::scaling(&mut Noise(43)).wrap(),
            population::population(&mut Noise(45)).wrap(),
            revocation::all().wrap(),
            rotation::fanout(&mut Noise(45)).wrap(),
            rotation::rotation().wrap(),
            outage::outage().wrap(),
            memory::memory(&mut noise).wrap(),
            wire().wrap(),
        ],
    }
}

/// Returns the `scaling` of a machine without CPU quotas.
pub fn scaling_without_quotas() -> ScalingExperiment {
    scaling::scaling_without_quotas(&mut Noise(43))
}

/// Returns one load on one target, with a stall of two seconds in the middle.
pub fn load() -> Record {
    let mut noise = Noise(7);
    let plan = Plan { duration_s: 20.0, ..Plan::new(Arrivals::Poisson { rate_rps: 1000.0 }, 20.0) };
    let mut round = round(&TRUTHS[1], Load::AsPlanned, 0, plan, 1000.0, &mut noise);
    for (second, left_us) in [(9_usize, 2_000_000.0), (10, 1_000_000.0)] {
        round.intervals[second].response_us = stalled(left_us);
    }
    requantile(&mut round);
    let mut record = compare();
    record.run = run("load", None);
    record.schemes.truncate(2);
    record.schemes.remove(0);
    record.experiments = vec![LoadExperiment { rounds: vec![round] }.wrap()];
    record
}

fn stalled(left_us: f64) -> EncodedHistogram {
    let mut histogram = empty_histogram();
    (0..1000).for_each(|n| histogram.record((left_us - f64::from(n) * 1000.0) as u64).unwrap());
    EncodedHistogram::encode(&histogram)
}

fn run(command: &str, profile: Option<&str>) -> Run {
    Run {
        id: "20261122T101500Z-quick".to_owned(),
        command: command.to_owned(),
        command_line: ["authbench", command, "--seed", "7"].map(ToOwned::to_owned).to_vec(),
        profile: profile.map(ToOwned::to_owned),
        seed: 7,
        version: "0.1.0".to_owned(),
        revision: Some("0123abcd0123abcd0123abcd0123abcd0123abcd".to_owned()),
        started_at: "2026-11-22T10:15:00Z".to_owned(),
        finished_at: Some("2026-11-22T10:19:41Z".to_owned()),
        status: Status::Complete,
    }
}

fn host() -> Host {
    Host {
        kernel: "Linux 6.18.44 x86_64".to_owned(),
        cpu_model: "Example Processor 9000".to_owned(),
        cpus: 2,
        memory_bytes: 24 << 30,
        clock_source: Some("tsc".to_owned()),
        cpu_governor: None,
        virtualized: true,
    }
}

fn descriptor(truth: &Truth) -> SchemeDescriptor {
    let immediate = truth.class == IMMEDIATE;
    SchemeDescriptor {
        scheme: truth.id.to_owned(),
        carrier: Carrier::Bearer,
        revocation_class: truth.class,
        revocation_window_s: truth.class.map(|_| if immediate { 0 } else { 900 }),
        store: truth.store,
        store_down: if truth.store == StoreKind::Redis { StoreDown::FailClosed } else { StoreDown::NotNeeded },
        logout: truth.class.map(|_| if immediate { LogoutScope::Credential } else { LogoutScope::Nothing }),
        refresh_token: false,
        inner_window_s: None,
        credential_ttl_s: truth.class.map(|_| 900),
        absolute_ttl_s: truth.class.map(|_| 86_400),
        touch: immediate.then_some(Touch::Throttled),
        leeway_s: (truth.class == EXPIRY).then_some(0),
        node: "node-1".to_owned(),
        users: 100_000,
        roles: 1,
        version: "0.1.0".to_owned(),
    }
}

fn cost(noise: &mut Noise) -> CostExperiment {
    let plan = Plan { connections: 32, ..Plan::new(Arrivals::Closed, 3.0) };
    let mut rounds = Vec::new();
    for block in 0..8 {
        for truth in &TRUTHS {
            rounds.push(round(truth, Load::Saturated, block, plan.clone(), truth.capacity_rps(), noise));
        }
    }
    let disturbed: &mut Round = &mut rounds[16];
    disturbed.usage.as_mut().unwrap().server_cpu_ns *= 3;
    disturbed.validity =
        Validity::from_reasons(vec!["the hypervisor took 9.1 % of the CPU time for others".to_owned()]);
    CostExperiment { rounds }
}

fn latency(noise: &mut Noise) -> LatencyExperiment {
    let mut rounds = Vec::new();
    for block in 0..3 {
        for truth in &TRUTHS {
            let of_capacity =
                [0.5, 0.8].map(|fraction| (Load::OfCapacity { fraction }, fraction * truth.capacity_rps()));
            let equal = (Load::EqualRate { rate_rps: 4000.0 }, 4000.0);
            for (load, rate_rps) in of_capacity.into_iter().chain([equal]) {
                let plan = Plan::new(Arrivals::Poisson { rate_rps }, 5.0);
                rounds.push(round(truth, load, block, plan, rate_rps, noise));
            }
        }
    }
    LatencyExperiment { rounds }
}

/// Returns response times and CPU times with a local store, and with store round trips of 0.2 ms, 1
/// ms and 5 ms.
fn rtt(noise: &mut Noise) -> RttExperiment {
    let mut rounds = Vec::new();
    for block in 0..6 {
        for truth in &TRUTHS {
            let distances: &[u32] = if truth.store == StoreKind::Redis { &[0, 200, 1_000, 5_000] } else { &[0] };
            for &rtt_us in distances {
                let paced = Plan::new(Arrivals::Poisson { rate_rps: RTT_RPS }, 2.0);
                let closed = Plan::new(Arrivals::Closed, 2.0);
                let loads = [
                    (Load::EqualRate { rate_rps: RTT_RPS }, paced, RTT_RPS),
                    (Load::Saturated, closed, truth.capacity_rps()),
                ];
                for (load, plan, rate_rps) in loads {
                    let store_rtt_us = (rtt_us > 0).then(|| f64::from(rtt_us) + 20.0);
                    let delay = LinkDelay {
                        us: store_rtt_us.map_or(0.0, |us| us * round_trips(truth)),
                        store_rtt_us,
                        hop_rtt_us: None,
                    };
                    let round = round_with_delay(truth, load, block, plan, rate_rps, delay, noise);
                    rounds.push(RoundAt { at: StoreDistance { rtt_us }, round });
                }
            }
        }
    }
    RttExperiment { rounds }
}

/// Requests per second of the synthetic `rtt`.
const RTT_RPS: f64 = 1000.0;

/// Returns the round trips that a request of this scheme waits for.
fn round_trips(truth: &Truth) -> f64 {
    if truth.id == "session-redis-pool" { 2.0 } else { 1.0 }
}

/// The link between servers and store.
#[derive(Clone, Copy, Default)]
struct LinkDelay {
    /// The time that a request waits for the link, in microseconds.
    us: f64,
    store_rtt_us: Option<f64>,
    hop_rtt_us: Option<f64>,
}

fn round(truth: &Truth, load: Load, block: u32, plan: Plan, rate_rps: f64, noise: &mut Noise) -> Round {
    round_with_delay(truth, load, block, plan, rate_rps, LinkDelay::default(), noise)
}

fn round_with_delay(
    truth: &Truth,
    load: Load,
    block: u32,
    plan: Plan,
    rate_rps: f64,
    delay: LinkDelay,
    noise: &mut Noise,
) -> Round {
    let rate_rps = rate_rps * noise.factor(0.01);
    let busy = (rate_rps / truth.capacity_rps()).min(0.97);
    let service_us = (90.0 + truth.server_us + 4.0 * truth.store_us) * noise.factor(0.03);
    let seconds = plan.duration_s as u32;
    // As in a run: a comparison merges the intervals of the window.
    let spans: Vec<Range<u32>> = match load {
        Load::AsPlanned => (0..seconds).map(|second| second..second + 1).collect(),
        _ => vec![0..1, 1..seconds],
    };
    let intervals =
        spans.into_iter().map(|span| interval(span, rate_rps, (service_us, delay.us), busy, noise)).collect();
    let requests = (rate_rps * (plan.duration_s - 1.0)) as u64;
    let drift = noise.factor(0.02);
    let spent_ns = |us: f64, noise: &mut Noise| (us * drift * noise.factor(0.008) * 1e3 * requests as f64) as u64;
    let store = truth.store == StoreKind::Redis;
    let sent = (rate_rps * plan.duration_s) as u64;
    let usage = Usage {
        requests,
        server_cpu_ns: spent_ns(truth.server_us, noise),
        store_cpu_ns: store.then(|| spent_ns(truth.store_us, noise)),
        balancer_cpu_ns: None,
        generator_cpu_ns: spent_ns(5.0, noise),
        store_commands: store.then(|| truth.commands.iter().map(|name| ((*name).to_owned(), sent)).collect()),
        steal: Some(0.001),
    };
    let mut round = Round {
        scheme: truth.id.to_owned(),
        block,
        position: 0,
        load,
        started_at: format!("2026-11-22T10:{:02}:00Z", 15 + block),
        planned_rps: plan.arrivals.rate_rps(),
        window: Window { start_s: 1.0, end_s: plan.duration_s, warmup_detected: true },
        counts: Counts { planned: plan.arrivals.rate_rps().map(|_| sent), ok: sent, ..Counts::default() },
        achieved_rps: rate_rps,
        response_us: Quantiles::default(),
        service_us: Quantiles::default(),
        lag_us: Quantiles::default(),
        own_lag_us: Quantiles::default(),
        own_late_share: 0.0,
        plan,
        intervals,
        usage: Some(usage),
        store_rtt_us: delay.store_rtt_us,
        hop_rtt_us: delay.hop_rtt_us,
        validity: Validity::from_reasons(Vec::new()),
    };
    requantile(&mut round);
    round
}

/// Returns these seconds: log-normal service times, and waiting that grows with the utilization of the server.
fn interval(
    seconds: Range<u32>,
    rate_rps: f64,
    (service_us, delay_us): (f64, f64),
    busy: f64,
    noise: &mut Noise,
) -> Interval {
    let [mut response, mut service, mut lag] = std::array::from_fn(|_| empty_histogram());
    let draws = 500;
    let weight = ((rate_rps / f64::from(draws)) as u64).max(1);
    for second in seconds.clone() {
        let slow = if second == 0 { 3.0 } else { 1.0 };
        for _ in 0..draws {
            let served = service_us * slow * noise.factor(0.35) + delay_us;
            let late = 15.0 * noise.factor(0.5) - service_us * busy / (1.0 - busy) * (1.0 - noise.uniform()).ln() * 0.3;
            service.record_n(served as u64, weight).unwrap();
            lag.record_n(late as u64, weight).unwrap();
            response.record_n((served + late) as u64, weight).unwrap();
        }
    }
    let [response_us, service_us, lag_us] = [&response, &service, &lag].map(EncodedHistogram::encode);
    let length_s = f64::from(seconds.end - seconds.start);
    Interval { start_s: f64::from(seconds.start), length_s, failed: 0, response_us, service_us, lag_us }
}

/// Sets a round's own percentiles to those of its intervals.
pub fn requantile(round: &mut Round) {
    let merged = |of: fn(&Interval) -> &EncodedHistogram| {
        let mut sum = empty_histogram();
        for interval in round.intervals.iter().filter(|interval| interval.start_s >= round.window.start_s) {
            sum.add(of(interval).decode().unwrap()).unwrap();
        }
        Quantiles::of(&sum)
    };
    let (response, service, lag) = (merged(|at| &at.response_us), merged(|at| &at.service_us), merged(|at| &at.lag_us));
    (round.response_us, round.service_us, round.lag_us, round.own_lag_us) = (response, service, lag, lag);
}

fn wire() -> WireExperiment {
    let mut points = Vec::new();
    for truth in &TRUTHS {
        for roles in [0_u16, 10, 100] {
            let growing = if truth.class == EXPIRY { u64::from(roles) * 15 } else { 0 };
            let credential_bytes = truth.credential_bytes + growing;
            let header = if truth.class.is_some() { 24 + credential_bytes } else { 0 };
            points.push(WirePoint {
                scheme: truth.id.to_owned(),
                carrier: Carrier::Bearer,
                roles,
                credential_bytes,
                request_header_bytes: 62 + header,
                response_header_bytes: 118,
                response_body_bytes: 90 + u64::from(roles) * 11,
                login_response_bytes: 260 + header,
                validity: Validity::from_reasons(Vec::new()),
            });
        }
    }
    WireExperiment { points }
}
