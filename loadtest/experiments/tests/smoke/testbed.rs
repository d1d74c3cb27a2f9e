//! Shared test support: the smallest parameters, and one run of one experiment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Mutex;

use contract::{Carrier, Scheme, StoreKind};
use engine::Experiment;
use engine::record::{Data, FORMAT, Host, Placement, Record, Round, Run, Status};
use experiments::cost::CostParameters;
use experiments::counters::{Amount, CountersParameters};
use experiments::fanout::FanoutParameters;
use experiments::latency::LatencyParameters;
use experiments::login::LoginParameters;
use experiments::memory::MemoryParameters;
use experiments::outage::OutageParameters;
use experiments::population::PopulationParameters;
use experiments::profile::{Parameters, Profile};
use experiments::reject::RejectParameters;
use experiments::revocation::{EventCounts, RevocationParameters};
use experiments::rotation::{KeyRotationParameters, RaceParameters, RefreshBurstParameters, RotationParameters};
use experiments::rtt::RttParameters;
use experiments::scaling::ScalingParameters;
use experiments::wire::WireParameters;
use experiments::{Balancer, Journal, Progress, RunConfig, RunContext, run};
use lab::child::Bounds;
use lab::cpu_quota::{CpuQuotas, NoCpuQuotas};
use lab::scratch::Scratch;
use lab::store::Store;
use tempfile::TempDir;

/// Lets one experiment run at a time.
static EXPERIMENT_LOCK: Mutex<()> = Mutex::new(());

struct CountedSteps {
    planned: u64,
    made: u64,
}

impl Progress for CountedSteps {
    fn begin(&mut self, _title: &str, steps: u64) {
        (self.planned, self.made) = (steps, 0);
    }
    fn step(&mut self, _what: &str) {
        self.made += 1;
    }
    fn end(&mut self) {
        assert_eq!(self.made, self.planned, "steps planned and made");
    }
    fn note(&mut self, _text: &str) {}
}

pub(crate) fn smallest_parameters() -> Parameters {
    let mut parameters = Profile::Quick.parameters();
    parameters.cost = CostParameters { blocks: 2, round_s: 0.6, connections: 4, population: 50, restart_every: 1 };
    parameters.counters = CountersParameters { processes: 2, amount: Amount { segments: 2, population: 20 } };
    parameters.latency = LatencyParameters {
        blocks: 1,
        round_s: 1.0,
        fractions: vec![0.05],
        // The first is so low that the last response comes well before the end of the round.
        rates_rps: vec![30.0, 1e6],
        connections: 8,
        population: 50,
        restart_every: 1,
    };
    parameters.rtt = RttParameters {
        rtts_us: vec![0, 5_000, 20_000],
        blocks: 2,
        rate_rps: 200.0,
        round_s: 1.0,
        saturated_s: 0.6,
        connections: 16,
        saturated_connections: 2,
        population: 50,
    };
    parameters.login = LoginParameters {
        blocks: 2,
        rate_rps: 200.0,
        round_s: 1.0,
        connections: 8,
        population: 50,
        clients: 3,
        issue_blocks: 2,
        issue_s: 0.05,
        batch: 100,
    };
    parameters.reject = RejectParameters { blocks: 2, round_s: 0.3, connections: 4, population: 20 };
    parameters.scaling = ScalingParameters {
        nodes: vec![1, 2],
        blocks: 1,
        round_s: 0.6,
        connections_a_node: 2,
        connections: 4,
        population: 50,
    };
    parameters.population = PopulationParameters {
        live: vec![100, 1_000, 20_000, 40_000],
        timed: vec![20_000, 40_000],
        revoked: vec![100, 2_000],
        every_algorithm: false,
        fill_s: 600.0,
        long_fills_s: 0.0,
        blocks: 1,
        rate_rps: 200.0,
        round_s: 1.0,
        saturated_s: 0.6,
        connections: 4,
    };
    parameters.revocation = RevocationParameters {
        nodes: 3,
        prompt: EventCounts { plain: 4, hashed: 1 },
        waited: EventCounts { plain: 1, hashed: 1 },
        waves: 2,
        // Two logins have to complete meanwhile, on a machine that may be busy.
        life_s: 5,
        epoch_ttl_s: 4,
        delay_ms: 100,
    };
    parameters.fanout = FanoutParameters {
        schemes: FANOUT_SCHEMES.iter().map(|id| id.parse().unwrap()).collect(),
        hops: vec![1, 3],
        blocks: 1,
        rate_rps: 150.0,
        round_s: 1.0,
        saturated_s: 0.4,
        link_rtt_us: 10_000,
        delayed_rps: 60.0,
        delayed_s: 1.0,
        connections: 8,
        saturated_connections: 2,
        population: 50,
    };
    parameters.rotation = smallest_rotation();
    parameters.outage = OutageParameters {
        repetitions: 1,
        rate_rps: 100.0,
        before_s: 0.3,
        fault_s: 2.5,
        after_s: 1.5,
        timeout_s: 2.0,
        slow_rtt_s: 0.1,
        population: 60,
    };
    parameters.memory = MemoryParameters { populations: vec![100, 200, 400, 800], series: 1 };
    parameters.wire = WireParameters { roles: vec![0, 10] };
    parameters
}

fn smallest_rotation() -> RotationParameters {
    RotationParameters {
        key_rotations: KeyRotationParameters { blocks: 1, round_s: 3.0, rate_rps: 150.0, clients: 8, population: 20 },
        races: RaceParameters { graces_s: vec![0, 60], clients: vec![2, 8], families: 20, replays: 5 },
        refresh_bursts: RefreshBurstParameters {
            jitters: vec![0.0, 0.2],
            blocks: 1,
            credentials: 50,
            burst_s: 0.2,
            ttl_s: 2,
            share: 0.8,
            periods: 2,
            connections: 8,
        },
    }
}

pub(crate) fn record() -> Record {
    Record {
        format: FORMAT,
        run: Run {
            id: "smoke".to_owned(),
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

/// The schemes whose requests cross several servers.
pub(crate) const FANOUT_SCHEMES: [&str; 4] = ["anonymous", "session-redis", "jwt-hs256", "hybrid"];
pub(crate) const SCHEMES: [&str; 3] = ["anonymous", "session-redis", "jwt-hs256"];

pub(crate) fn measure(experiment: Experiment) -> Record {
    measure_schemes(experiment, &SCHEMES)
}

pub(crate) fn measure_schemes(experiment: Experiment, schemes: &[&str]) -> Record {
    check_descriptions(measure_with(experiment, schemes, &smallest_parameters()), schemes)
}

pub(crate) fn check_descriptions(written: Record, schemes: &[&str]) -> Record {
    let described: Vec<&str> = written.schemes.iter().map(|known| known.scheme.as_str()).collect();
    assert_eq!(
        BTreeSet::from_iter(described),
        schemes.iter().copied().collect(),
        "every scheme describes itself, once"
    );
    assert_eq!(written.schemes.len(), schemes.len());
    written
}

pub(crate) fn measure_all(experiment: Experiment, schemes: &[&str]) -> Record {
    measure_with(experiment, schemes, &smallest_parameters())
}

pub(crate) fn measure_with(experiment: Experiment, schemes: &[&str], parameters: &Parameters) -> Record {
    measure_behind(Balancer::default(), experiment, schemes, parameters)
}

pub(crate) fn measure_behind(
    balancer: Balancer,
    experiment: Experiment,
    schemes: &[&str],
    parameters: &Parameters,
) -> Record {
    measure_on((balancer, CpuQuotas::detect), experiment, schemes, parameters)
}

/// Measures on a machine without CPU quotas.
pub(crate) fn measure_without_quotas(experiment: Experiment, schemes: &[&str], parameters: &Parameters) -> Record {
    let none = || Err(NoCpuQuotas { reasons: "this is a test".to_owned() });
    measure_on((Balancer::default(), none), experiment, schemes, parameters)
}

type MachineSetup = (Balancer, fn() -> Result<CpuQuotas, NoCpuQuotas>);

fn measure_on(
    (balancer, cpu_quotas): MachineSetup,
    experiment: Experiment,
    schemes: &[&str],
    parameters: &Parameters,
) -> Record {
    let _guard = EXPERIMENT_LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    let scratch = Scratch::new().unwrap();
    let schemes: Vec<Scheme> = schemes.iter().map(|id| id.parse().unwrap()).collect();
    // A Redis in any case: experiments may measure more than the schemes of the run.
    let kinds: BTreeSet<StoreKind> = schemes.iter().map(|scheme| scheme.store()).chain([StoreKind::Redis]).collect();
    let store = |kind: StoreKind| {
        let at = scratch.path().join(kind.to_string());
        std::fs::create_dir(&at).unwrap();
        let log = folder.path().join(format!("logs/{kind}.log"));
        (kind, Store::start(kind, &at, &log, &Bounds::default()).unwrap())
    };
    let stores = kinds.into_iter().filter(|kind| kind.is_external()).map(store).collect();
    let config = RunConfig {
        schemes,
        carrier: Carrier::Bearer,
        stores,
        placement: Placement::default(),
        balancer,
        cpu_quotas,
        seed: 1,
        stop: std::sync::Arc::default(),
        scratch,
    };
    let mut journal = Journal::begin(folder.path().to_owned(), record()).unwrap();
    let mut steps = CountedSteps { planned: 0, made: 0 };
    let mut context = RunContext { config: &config, journal: &mut journal, progress: &mut steps };
    run(experiment, &mut context, parameters).unwrap();
    let written = record_file::read(folder.path()).unwrap();
    assert_eq!(&written, journal.record(), "the record on disk has all measurements");
    written
}

/// Returns the data of this experiment, which is the only one in the record.
#[track_caller]
pub(crate) fn only<D: Data>(record: &Record) -> &D {
    let [measurement] = &record.experiments[..] else { panic!("{} was requested", D::EXPERIMENT) };
    D::of(measurement).unwrap()
}

/// Checks that every scheme was visited at this number of levels: loads, and the other varied factor.
#[track_caller]
pub(crate) fn every_scheme_at_every_level<'a, At: Debug>(rounds: impl Iterator<Item = (&'a Round, At)>, levels: usize) {
    let mut seen = BTreeSet::new();
    for (round, at) in rounds {
        seen.insert((&round.scheme, format!("{:?}, {at:?}", round.load)));
        assert_eq!(round.counts.failed(), 0, "{:?}", round.counts);
        assert!(round.counts.ok > 0);
        let usage = round.usage.as_ref().unwrap();
        assert!(usage.requests > 0 && usage.server_cpu_ns > 0 && usage.generator_cpu_ns > 0, "{usage:?}");
        assert_eq!(usage.store_cpu_ns.is_some(), round.scheme == "session-redis");
    }
    assert_eq!(seen.len(), SCHEMES.len() * levels);
}
