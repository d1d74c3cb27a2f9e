//! Every experiment at its smallest, on real servers and a real Redis.

#![expect(clippy::unwrap_used, reason = "what tests share fails them as they would fail themselves")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use contract::{Carrier, Scheme, StoreKind};
use engine::record::{
    EventKind, Experiment, FORMAT, Fill, FillState, Garbage, Host, Learning, Level, MemoryPoint, OutageFault, Outcome,
    Placement, PushLink, Record, RevocationExperiment, RotationExperiment, Round, Run, Status, Step,
};
use evidence::Evidence;
use experiments::profile::{
    CostParameters, EventCounts, Experiment as Name, FanoutParameters, LatencyParameters, LoginParameters,
    MemoryParameters, OutageParameters, Parameters, PopulationParameters, RaceParameters, RejectParameters,
    RevocationParameters, RollParameters, RotationParameters, RttParameters, ScalingParameters, StormParameters,
    WireParameters,
};
use experiments::{Bench, Journal, Progress, Setting, run};
use lab::child::Bounds;
use lab::scratch::Scratch;
use lab::slice::Slices;
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
        (self.announced, self.made) = (steps, 0);
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
        rtt: RttParameters {
            rtts_us: vec![0, 5_000, 20_000],
            blocks: 2,
            rate_rps: 200.0,
            round_s: 1.0,
            saturated_s: 0.6,
            connections: 16,
            saturated_connections: 2,
            population: 50,
        },
        login: LoginParameters {
            blocks: 2,
            rate_rps: 200.0,
            round_s: 1.0,
            connections: 8,
            population: 50,
            clients: 3,
            issue_blocks: 2,
            issue_s: 0.05,
            batch: 100,
        },
        reject: RejectParameters { blocks: 2, round_s: 0.3, connections: 4, population: 20 },
        scaling: ScalingParameters {
            nodes: vec![1, 2],
            blocks: 1,
            round_s: 0.6,
            connections_a_node: 2,
            connections: 4,
            population: 50,
        },
        population: PopulationParameters {
            live: vec![100, 1_000, 20_000, 40_000],
            timed_from: 20_000,
            revoked: vec![100, 2_000],
            fill_s: 30.0,
            blocks: 1,
            rate_rps: 200.0,
            round_s: 1.0,
            saturated_s: 0.6,
            connections: 4,
        },
        revocation: RevocationParameters {
            nodes: 3,
            prompt: EventCounts { plain: 4, hashed: 1 },
            waited: EventCounts { plain: 1, hashed: 1 },
            waves: 2,
            // Two logins have to be made meanwhile, on a machine that may be busy.
            life_s: 5,
            epoch_ttl_s: 2,
            delay_ms: 100,
        },
        fanout: FanoutParameters {
            schemes: CROSSING.iter().map(|id| id.parse().unwrap()).collect(),
            hops: vec![1, 3],
            blocks: 1,
            rate_rps: 150.0,
            round_s: 1.0,
            saturated_s: 0.4,
            connections: 8,
            saturated_connections: 2,
            population: 50,
        },
        rotation: RotationParameters {
            rolls: RollParameters { blocks: 1, round_s: 1.6, rate_rps: 150.0, clients: 8, population: 20 },
            races: RaceParameters { graces_s: vec![0, 5], clients: vec![2, 8], families: 20, replays: 5 },
            storms: StormParameters {
                jitters: vec![0.0, 0.2],
                blocks: 1,
                credentials: 200,
                storm_s: 0.2,
                ttl_s: 2,
                share: 0.8,
                periods: 2,
                connections: 8,
            },
        },
        outage: OutageParameters {
            repetitions: 1,
            rate_rps: 100.0,
            before_s: 0.3,
            fault_s: 1.0,
            after_s: 1.5,
            timeout_s: 2.0,
            slow_rtt_s: 0.1,
            population: 60,
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

/// Those whose requests cross several servers.
const CROSSING: [&str; 4] = ["anonymous", "session-redis", "jwt-hs256", "hybrid"];
const SCHEMES: [&str; 3] = ["anonymous", "session-redis", "jwt-hs256"];

fn measure(name: Name) -> Record {
    measure_schemes(name, &SCHEMES)
}

fn measure_schemes(name: Name, schemes: &[&str]) -> Record {
    described(measure_with(name, schemes, &tiny()), schemes)
}

fn described(written: Record, schemes: &[&str]) -> Record {
    let described: Vec<&str> = written.schemes.iter().map(|known| known.scheme.as_str()).collect();
    assert_eq!(
        BTreeSet::from_iter(described),
        schemes.iter().copied().collect(),
        "every scheme describes itself, once"
    );
    assert_eq!(written.schemes.len(), schemes.len());
    written
}

fn measure_all(name: Name, schemes: &[&str]) -> Record {
    measure_with(name, schemes, &tiny())
}

fn measure_with(name: Name, schemes: &[&str], parameters: &Parameters) -> Record {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    let scratch = Scratch::new().unwrap();
    let log = folder.path().join("logs/redis.log");
    let redis = Store::start(StoreKind::Redis, scratch.path(), &log, &Bounds::default()).unwrap();
    let setting = Setting {
        schemes: schemes.iter().map(|id| id.parse::<Scheme>().unwrap()).collect(),
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
    run(name, &mut bench, parameters).unwrap();
    let written = engine::record::read(folder.path()).unwrap();
    assert_eq!(&written, journal.record(), "what is on disk is what was measured");
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
fn login_storms_beside_reads_and_hands_out_credentials_without_a_password() {
    let record = measure(Name::Login);
    let [Experiment::Login(login)] = &record.experiments[..] else { panic!("login was asked for") };
    every_scheme_at_every_level(&login.rounds, 2);
    assert_eq!((login.rounds.len(), login.storms.len()), (2 * 2 * SCHEMES.len(), 2 * SCHEMES.len()));
    for storm in &login.storms {
        assert!(storm.validity.valid && storm.answered >= 3, "every client logged in: {storm:?}");
        assert_eq!(storm.store_cpu_ns.is_some(), storm.scheme == "session-redis");
        let beside = |round: &&Round| {
            round.scheme == storm.scheme
                && round.block == storm.block
                && round.level == Level::BesideLogins { rate_rps: 200.0, clients: 3 }
        };
        assert_eq!(login.rounds.iter().find(beside).map(|round| round.counts.sent()), Some(storm.reads));
        // 19 MiB are gone over twice for every one: that takes milliseconds on any machine.
        assert!(storm.server_cpu_ns > storm.answered * 1_000_000, "a login hashes: {storm:?}");
    }
    assert_eq!(login.issuances.len(), 2 * SCHEMES.len());
    for issuance in &login.issuances {
        assert!(issuance.credentials >= 100 && issuance.credentials % 100 == 0, "whole batches: {issuance:?}");
        assert!(issuance.server_cpu_ns > 0 && issuance.server_cpu_ns < issuance.credentials * 1_000_000);
        assert_eq!(issuance.store_cpu_ns.is_some_and(|ns| ns > 0), issuance.scheme == "session-redis");
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

#[test]
fn scaling_slices_nodes_and_store_and_says_what_was_full() {
    let Ok(slices) = Slices::here() else {
        let record = measure(Name::Scaling);
        assert_eq!(record.omitted.iter().map(|omission| omission.what.as_str()).collect::<Vec<_>>(), ["scaling"]);
        return;
    };
    let record = measure(Name::Scaling);
    let [Experiment::Scaling(scaling)] = &record.experiments[..] else { panic!("scaling was asked for") };
    let slicing = scaling.slicing.as_ref().unwrap();
    assert_eq!(slicing.method, slices.method());
    assert!(slicing.node_share > 0.0 && slicing.node_share < 1.0 && slicing.store_share > 0.0, "{slicing:?}");
    assert!(slicing.expected_rps <= slicing.generator_rps * 0.6 * 1.001, "room is left to the generator: {slicing:?}");
    for scheme in SCHEMES {
        let points: Vec<_> = scaling.points.iter().filter(|point| point.scheme == scheme).collect();
        let store = scheme == "session-redis";
        assert_eq!(points.len(), if store { 3 } else { 2 }, "{points:?}");
        for point in points {
            let (Step::Nodes { nodes } | Step::StoreFilled { nodes }) = point.step;
            assert_eq!(point.nodes_full.len(), nodes as usize, "{point:?}");
            let in_the_way = point.nodes_full.iter().any(|share| *share > 0.5);
            assert!(
                !in_the_way || matches!(point.step, Step::Nodes { .. }),
                "who fills the store has no bound: {point:?}"
            );
            let failed = point.validity.reasons.iter().find(|reason| reason.contains("failed"));
            assert_eq!(failed, None, "a node believes what another has handed out");
            assert!(point.requests > 0 && point.rps > 0.0 && point.nodes_us > 0.0, "{point:?}");
            assert_eq!((point.store_us.is_some(), point.store_full.is_some()), (store, store), "{point:?}");
        }
    }
}

fn revocation_of(record: &Record) -> &RevocationExperiment {
    let [Experiment::Revocation(found)] = &record.experiments[..] else { panic!("revocation was asked for") };
    for series in &found.series {
        assert!(series.validity.valid, "{:?}", series.validity);
        for event in &series.events {
            assert_eq!(event.faults, Vec::<String>::new(), "{} {:?}", series.scheme, event.kind);
            assert_eq!(event.denied_us.len(), series.nodes as usize);
            assert!(event.denied_us.iter().all(Option::is_some), "{} {event:?}", series.scheme);
        }
    }
    found
}

fn broken(record: &Record) -> Vec<String> {
    let table = Evidence::of(record).unwrap().revocation.unwrap();
    table.broken.iter().map(ToString::to_string).collect()
}

#[test]
fn revocation_at_once_is_seen_by_every_node_and_has_its_price() {
    let record = measure_schemes(Name::Revocation, &["anonymous", "session-memory", "session-redis"]);
    let found = revocation_of(&record);
    let of: Vec<(&str, u32, usize)> =
        found.series.iter().map(|series| (series.scheme.as_str(), series.nodes, series.events.len())).collect();
    assert_eq!(of, [("session-memory", 1, 14), ("session-redis", 3, 14)], "the control hands out nothing to end");
    for event in found.series.iter().flat_map(|series| &series.events) {
        assert_eq!(event.accepted, [], "{event:?}");
    }
    let told: BTreeSet<u32> = found.series[1].events.iter().map(|event| event.told).collect();
    assert_eq!(told, BTreeSet::from([0, 1, 2]), "every node is told of some");
    assert_eq!(broken(&record), Vec::<String>::new());

    let price = |event| found.prices.iter().find(|price| price.event == event).unwrap();
    assert_eq!(found.prices.len(), 5, "a session in the server's memory asks no store");
    let logout: Vec<(&str, u64)> =
        price(EventKind::Logout).commands.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(logout, [("del", 1), ("exec", 1), ("get", 1), ("multi", 1), ("zrem", 1)]);
    assert!(price(EventKind::PasswordChange).commands.contains_key("hset"), "the directory is told");
}

#[test]
fn revocation_that_is_waited_for_stays_within_what_is_left() {
    let record = measure_schemes(Name::Revocation, &["anonymous", "jwt-hs256", "jwt-hs256-epoch"]);
    let found = revocation_of(&record);
    assert_eq!(found.prices.len(), 5, "of the one that has a store");
    for series in &found.series {
        assert_eq!(series.events.len(), 10, "two waves of five");
        let epoch = series.scheme == "jwt-hs256-epoch";
        assert_eq!(series.window_s, if epoch { 2 } else { 5 });
        for event in &series.events {
            let accepting: Vec<u32> = event.accepted.iter().map(|accepted| accepted.node).collect();
            let others: Vec<u32> = (0..3).filter(|node| !epoch || *node != event.told).collect();
            assert_eq!(accepting, others, "{} {event:?}: all but who was told of an epoch", series.scheme);
        }
    }
    assert_eq!(record.schemes[1].revocation_window_s, Some(900), "the scheme is described with its own life");
    assert_eq!(broken(&record), Vec::<String>::new());
}

#[test]
fn revocation_by_a_push_is_late_where_the_push_is_and_no_later_than_its_bound() {
    let mut record = measure_schemes(Name::Revocation, &["anonymous", "session-redis-cached"]);
    let found = revocation_of(&record);
    let [near, delayed, lost] = &found.series[..] else { panic!("three links") };
    assert_eq!((near.link, lost.link), (PushLink::Near, PushLink::Lost));
    assert_eq!(delayed.link, PushLink::Delayed { delay_ms: 100 });
    assert_eq!((near.events.len(), delayed.events.len(), lost.events.len()), (14, 10, 10));
    for event in delayed.events.iter().chain(&lost.events) {
        assert!(event.told < 2, "who cannot pass it on is not told: {event:?}");
        let last = event.accepted.iter().find(|accepted| accepted.node == 2);
        assert!(last.is_some(), "the last node cannot have heard of it at once: {event:?}");
    }
    assert!(delayed.events.iter().all(|event| event.denied_us[2] >= Some(100_000)), "a push is never early");
    assert!(lost.events.iter().all(|event| event.unavailable > 0), "a node that hears nothing any more lets nobody in");
    assert_eq!(broken(&record), Vec::<String>::new());

    // The same servers would break the promise of another class.
    if let Experiment::Revocation(found) = &mut record.experiments[0] {
        found.series.iter_mut().for_each(|series| series.class = contract::RevocationClass::Immediate);
    }
    let told = broken(&record);
    assert!(
        told.len() >= 10 && told.iter().any(|one| one.contains("node 3")),
        "each kind over each bad link: {told:?}"
    );
}

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

fn rotation_of(record: &Record) -> &RotationExperiment {
    let [Experiment::Rotation(rotation)] = &record.experiments[..] else { panic!("rotation was asked for") };
    rotation
}

#[test]
fn rotation_rolls_keys_under_load_and_sees_who_is_refused() {
    let schemes = ["anonymous", "session-redis", "jwt-hs256", "jwt-eddsa", "cookie-sealed", "hybrid"];
    let record = measure_all(Name::Rotation, &schemes);
    let rotation = rotation_of(&record);
    let rolled: BTreeSet<_> = rotation.rolls.iter().map(|roll| (roll.scheme.as_str(), roll.learning)).collect();
    let (never, published) = (Learning::Never, Learning::Published);
    let expected = [
        ("jwt-hs256", never),
        ("jwt-eddsa", never),
        ("jwt-eddsa", published),
        ("cookie-sealed", never),
        ("hybrid", published),
    ];
    assert_eq!((rolled, rotation.rolls.len()), (BTreeSet::from(expected), 5));
    for roll in &rotation.rolls {
        for kind in &roll.presented {
            let strange = kind.other_node && kind.new_key && roll.learning == never;
            assert_eq!(kind.failed, 0, "{} {kind:?}", roll.scheme);
            assert_eq!(kind.refused, if strange { kind.sent } else { 0 }, "{} {kind:?}", roll.scheme);
        }
        let new = roll.presented.iter().find(|kind| kind.other_node && kind.new_key && kind.after_roll).unwrap();
        assert!(new.sent > 0 && roll.validity.valid, "{roll:?}");
    }
}

#[test]
fn rotation_races_kill_families_unless_there_is_grace_and_storms_come_back() {
    let record = measure_all(Name::Rotation, &["anonymous", "jwt-hs256"]);
    let rotation = rotation_of(&record);
    assert!(record.schemes.iter().all(|known| known.scheme != "jwt-hs256-refresh"), "it stands in and is not compared");
    for race in &rotation.races {
        assert_eq!((race.scheme.as_str(), race.families), ("jwt-hs256-refresh", 20));
        let expected = if race.grace_s == 0 { (20, 20) } else { (20 * u64::from(race.clients), 0) };
        assert_eq!((race.granted, race.killed), expected, "{race:?}");
        assert_eq!(race.granted + race.refused, 20 * u64::from(race.clients));
    }
    let replays: Vec<_> =
        rotation.replays.iter().map(|replay| (replay.grace_s, replay.age_s, replay.passed, replay.killed)).collect();
    assert_eq!(replays, [(0, 0, 0, 5), (0, 2, 0, 5), (5, 0, 5, 0), (5, 4, 5, 0), (5, 7, 0, 5)]);
    for storm in &rotation.storms {
        assert_eq!((storm.failed, storm.arrivals.len()), (0, 32), "{storm:?}");
        let counted: u64 = storm.arrivals.iter().sum();
        assert!(
            storm.sent > 200 && counted > 200 && counted <= storm.sent,
            "every client came back, and again: {storm:?}"
        );
        let busiest = storm.arrivals.iter().max().unwrap();
        assert!(busiest * 32 > counted, "it is no even stream: {storm:?}");
    }
    assert_eq!(rotation.storms.len(), 2);
}

#[test]
fn outage_breaks_everything_once_and_knows_what_came_of_every_request() {
    let record = measure(Name::Outage);
    let [Experiment::Outage(outage)] = &record.experiments[..] else { panic!("outage was asked for") };
    let of = |scheme: &str, fault: OutageFault| {
        let mut rounds = outage.rounds.iter().filter(|round| round.scheme == scheme && round.fault == fault);
        let round = rounds.next();
        assert!(rounds.next().is_none(), "once: {scheme}, {fault}");
        round
    };
    for fault in OutageFault::ALL {
        for scheme in SCHEMES {
            let stored = scheme == "session-redis";
            let Some(round) = of(scheme, fault) else {
                assert!(fault.is_of_store() && !stored, "{scheme}, {fault}");
                continue;
            };
            assert!(stored || !fault.is_of_store(), "who has no store does not suffer with it: {scheme}, {fault}");
            assert_eq!(round.accounted(), round.planned, "{round:?}");
            assert!(round.planned > 100 && round.count(Outcome::Good) > 0, "{round:?}");
            for never in [Outcome::WronglyAllowed, Outcome::WronglyDenied, Outcome::Unsent, Outcome::OtherStatus] {
                assert_eq!(round.count(never), 0, "{never:?}: {round:?}");
            }
            assert_eq!(round.count(Outcome::RightlyDenied) > 0, stored, "a token alone cannot be ended: {round:?}");
            assert!(round.healed_s - round.fault_s > 0.5, "{round:?}");
        }
    }
    let redis = |fault| of("session-redis", fault).unwrap();
    for fault in
        [OutageFault::StoreKilled, OutageFault::StorePaused, OutageFault::StoreCut, OutageFault::StoreRestarted]
    {
        assert!(redis(fault).count(Outcome::Unavailable) > 0, "it cannot ask and says so: {fault}");
        assert_eq!(redis(fault).count(Outcome::Lost) > 0, fault == OutageFault::StoreKilled, "{fault}");
    }
    assert!(redis(OutageFault::StoreSlow).logouts_acknowledged > 0, "slow is not broken");
    for scheme in SCHEMES {
        let killed = of(scheme, OutageFault::NodeKilled).unwrap();
        assert!(killed.count(Outcome::Disconnected) > 0, "{killed:?}");
        assert_eq!(killed.count(Outcome::Unavailable) + killed.count(Outcome::Lost), 0, "{killed:?}");
    }
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
fn population_fills_a_server_times_it_and_frees_its_store() {
    let record = measure(Name::Population);
    let [Experiment::Population(population)] = &record.experiments[..] else { panic!("population was asked for") };
    assert!(record.omitted.is_empty(), "{:?}", record.omitted);
    for scheme in SCHEMES {
        let memory = |state: FillState| -> Vec<&MemoryPoint> {
            let own = |fill: &&Fill| fill.state == state && fill.memory.scheme == scheme;
            population.fills.iter().filter(own).map(|fill| &fill.memory).collect()
        };
        let sizes = |state: FillState| memory(state).iter().map(|point| point.population).collect::<Vec<_>>();
        let (with_store, revocable) = (scheme == "session-redis", scheme == "session-redis");
        assert_eq!(sizes(FillState::Live), [0, 100, 1_000, 20_000, 40_000], "{scheme}");
        assert_eq!(sizes(FillState::Revoked), if revocable { vec![100, 2_000] } else { vec![] }, "{scheme}");
        assert_eq!(sizes(FillState::Freed), if with_store { vec![40_000] } else { vec![] }, "{scheme}");
        let used =
            |state: FillState| memory(state).iter().filter_map(|point| point.store_used_bytes).collect::<Vec<_>>();
        if with_store {
            let (live, revoked, freed) = (used(FillState::Live), used(FillState::Revoked), used(FillState::Freed));
            assert!(live[4] - live[0] > 40_000 * 200, "one key a credential: {live:?}");
            assert!(revoked[1].abs_diff(revoked[0]) < 1_900 * 50, "a session that was ended is gone: {revoked:?}");
            assert!(freed[0] - live[0] < (live[4] - live[0]) / 4, "before {}, after {}", live[0], freed[0]);
        }
        // Each size is timed beside the fewest.
        let levels = population.rounds.iter().filter(|round| round.scheme == scheme).map(|round| match round.level {
            Level::Population { live, rate_rps } => (live, rate_rps.is_some()),
            _ => panic!("{:?}", round.level),
        });
        let mut levels: Vec<(u64, bool)> = levels.collect();
        levels.sort_unstable();
        let twice = |live| [(live, false), (live, true)];
        let mut expected = [twice(100), twice(100), twice(20_000), twice(40_000)].concat();
        expected.sort_unstable();
        assert_eq!(levels, expected, "{scheme}");
    }
    for round in &population.rounds {
        assert_eq!(round.counts.failed(), 0, "every credential that is used is live: {:?}", round.counts);
    }
}

#[test]
fn a_fill_that_would_take_too_long_is_left_out_and_said_so() {
    let parameters = Parameters { population: PopulationParameters { fill_s: 1e-3, ..tiny().population }, ..tiny() };
    let record = measure_with(Name::Population, &SCHEMES, &parameters);
    let left_out: Vec<&str> = record.omitted.iter().map(|omission| omission.what.as_str()).collect();
    assert_eq!(left_out.len(), SCHEMES.len(), "{left_out:?}");
    assert!(left_out.contains(&"session-redis with 40000 live credentials"), "{left_out:?}");
    assert!(record.omitted[0].reason.contains("this profile allows"), "{}", record.omitted[0].reason);
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
