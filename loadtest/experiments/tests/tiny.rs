//! Every experiment at its smallest, on real servers and a real Redis.

#![expect(clippy::unwrap_used, reason = "what tests share fails them as they would fail themselves")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use contract::{Carrier, Scheme, StoreKind};
use engine::record::{Experiment, FORMAT, Host, Level, Placement, Record, Round, Run, Status};
use experiments::profile::{
    CostParameters, Experiment as Name, LatencyParameters, MemoryParameters, Parameters, WireParameters,
};
use experiments::{Bench, Journal, Progress, Setting, run};
use lab::child::Bounds;
use lab::scratch::Scratch;
use lab::store::Store;
use tempfile::TempDir;

/// One experiment at a time.
static ALONE: Mutex<()> = Mutex::new(());

struct Steps {
    announced: u64,
    made: u64,
}

impl Progress for Steps {
    fn begin(&mut self, _title: &str, steps: u64) {
        self.announced = steps;
    }
    fn step(&mut self, _what: &str) {
        self.made += 1;
    }
    fn end(&mut self) {
        assert_eq!(self.made, self.announced, "steps announced and made");
    }
    fn note(&mut self, _text: &str) {}
}

fn tiny() -> Parameters {
    Parameters {
        cost: CostParameters { blocks: 2, round_s: 0.6, connections: 4, population: 50, restart_every: 1 },
        latency: LatencyParameters {
            blocks: 1,
            round_s: 1.0,
            fractions: vec![0.05],
            rates_rps: vec![300.0, 1e6],
            connections: 8,
            population: 50,
            restart_every: 1,
        },
        memory: MemoryParameters { populations: vec![100, 200, 400, 800], series: 1 },
        wire: WireParameters { roles: vec![0, 10] },
    }
}

fn record() -> Record {
    Record {
        format: FORMAT,
        run: Run {
            id: "tiny".to_owned(),
            command: "compare".to_owned(),
            command_line: Vec::new(),
            profile: None,
            seed: 1,
            version: String::new(),
            revision: None,
            started_at: experiments::now(),
            finished_at: None,
            status: Status::Incomplete { reason: "running".to_owned() },
        },
        host: Host::default(),
        software: BTreeMap::new(),
        placement: Placement::default(),
        schemes: Vec::new(),
        omitted: Vec::new(),
        conformance: Vec::new(),
        experiments: Vec::new(),
    }
}

const SCHEMES: [&str; 3] = ["anonymous", "session-redis", "jwt-hs256"];

fn measure(name: Name) -> Record {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    let scratch = Scratch::new().unwrap();
    let log = folder.path().join("logs/redis.log");
    let redis = Store::start(StoreKind::Redis, scratch.path(), &log, &Bounds::default()).unwrap();
    let setting = Setting {
        schemes: SCHEMES.iter().map(|id| id.parse::<Scheme>().unwrap()).collect(),
        carrier: Carrier::Bearer,
        stores: BTreeMap::from([(StoreKind::Redis, redis)]),
        placement: Placement::default(),
        seed: 1,
        stop: std::sync::Arc::default(),
        scratch,
    };
    let mut journal = Journal::begin(folder.path().to_owned(), record()).unwrap();
    let mut steps = Steps { announced: 0, made: 0 };
    let mut bench = Bench { setting: &setting, journal: &mut journal, progress: &mut steps };
    run(name, &mut bench, &tiny()).unwrap();
    let written = engine::record::read(folder.path()).unwrap();
    assert_eq!(&written, journal.record(), "what is on disk is what was measured");
    let described: Vec<&str> = written.schemes.iter().map(|known| known.scheme.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(described), BTreeSet::from(SCHEMES), "every scheme describes itself, once");
    assert_eq!(written.schemes.len(), SCHEMES.len());
    written
}

#[track_caller]
fn every_scheme_at_every_level(rounds: &[Round], levels: usize) {
    let seen: BTreeSet<_> = rounds.iter().map(|round| (&round.scheme, format!("{:?}", round.level))).collect();
    assert_eq!(seen.len(), SCHEMES.len() * levels);
    for round in rounds {
        assert_eq!(round.counts.failed(), 0, "{:?}", round.counts);
        assert!(round.counts.ok > 0);
        let usage = round.usage.as_ref().unwrap();
        assert!(usage.requests > 0 && usage.server_cpu_ns > 0 && usage.generator_cpu_ns > 0, "{usage:?}");
        assert_eq!(usage.store_cpu_ns.is_some(), round.scheme == "session-redis");
    }
}

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
            Level::AsPlanned => panic!("no such level here"),
        }
    }
    let beyond: Vec<&str> = record.omitted.iter().map(|omission| omission.what.as_str()).collect();
    assert_eq!(beyond, SCHEMES.map(|scheme| format!("latency of {scheme} at 1000000 requests/s")));
}

#[test]
fn memory_sees_the_store_grow_and_only_the_stores() {
    let record = measure(Name::Memory);
    let [Experiment::Memory(memory)] = &record.experiments[..] else { panic!("memory was asked for") };
    assert_eq!(memory.points.len(), 4 * SCHEMES.len());
    for scheme in SCHEMES {
        let points: Vec<_> = memory.points.iter().filter(|point| point.scheme == scheme).collect();
        let store: Vec<u64> = points.iter().filter_map(|point| point.store_used_bytes).collect();
        if scheme == "session-redis" {
            let growth = store.last().unwrap() - store[0];
            assert!(growth > 700 * 100, "700 sessions more take at least 100 bytes each: {store:?}");
        } else {
            assert!(store.is_empty());
        }
        assert!(points.iter().all(|point| point.server_pss_bytes > 1_000_000));
    }
}

#[test]
fn wire_counts_what_roles_add() {
    let record = measure(Name::Wire);
    let [Experiment::Wire(wire)] = &record.experiments[..] else { panic!("wire was asked for") };
    let bytes = |scheme: &str, roles| {
        let bearer = |point: &&engine::record::WirePoint| {
            point.scheme == scheme && point.roles == roles && point.carrier == Carrier::Bearer
        };
        wire.points.iter().find(bearer).unwrap().request_header_bytes
    };
    assert!(bytes("session-redis", 0) > bytes("anonymous", 0) + 43, "an id of 256 bits in base64");
    assert_eq!(bytes("session-redis", 0), bytes("session-redis", 10), "an id is as long for any number of roles");
    assert!(bytes("jwt-hs256", 10) > bytes("jwt-hs256", 0) + 100, "a token carries the roles");
}
