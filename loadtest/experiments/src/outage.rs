//! `outage`: how does each scheme respond while its store or a node is down, and how long does recovery take?
//!
//! Varies: the scheme, and the fault: the store killed, paused, cut off, slow or restarted, a node killed. Holds: the
//! request (`GET /me`), the carrier, the rate of Poisson arrivals at each scheme, two nodes that receive requests in
//! turn, the duration of each fault, and its moment: all schemes are under load at once, over one private store of this
//! experiment, and go through the same fault together.
//!
//! A third of the credentials was revoked by a logout before the load begins, as far as the scheme supports it, and
//! longer ago than its revocation window if that is short; a few more are revoked during the fault, if the server
//! acknowledges it. Every request of the plan has exactly one [`Outcome`](engine::record::Outcome), counted at its
//! intended start:
//!
//! - *lost*: a valid credential is denied because the state behind it is gone. This happens after the store was killed,
//!   which keeps all data in memory and restarts empty, and to sessions in the memory of a node that was killed. It is
//!   counted only from the restart of the killed process on: until then no server can know that state was lost.
//! - *wrongly denied*: a valid credential is denied with 401 or 403 in any other case: while the store still had it, or
//!   could not be queried. A server that cannot query its store has to report that (503).
//! - *wrongly allowed*: 200 for a credential whose revocation was acknowledged longer ago than the scheme's revocation
//!   window, or with another user's name. A logout with the response 503 revoked nothing.
//! - *tolerated*: 200 inside that window, or if the revocation was requested but not acknowledged.
//!
//! Recovery is measured from the start of the repair, including the start of the process. Limitations: client and
//! balancer do not retry and take no node out of rotation, which would hide a killed node; all processes share one
//! machine, so that nodes that start together slow one another down; servers reach the store through a delay proxy, so
//! that a stopped one appears as a connection reset, not a refusal; and the store is one Redis: no replica takes over.
//! Schemes over a cluster or PostgreSQL are left out.

mod classify;
mod credential_ledger;
mod parameters;
mod testbed;

use std::thread;
use std::time::{Duration, Instant};

use contract::{Scheme, StoreKind};
use driver::{Probe, ProbeLoad, ProbedRequest, Target};
use engine::plan::{Arrivals, Plan, Population};
use engine::record::{OutageExperiment, OutageFault, OutageSetup};

use crate::Run;
use crate::order::shuffled;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunConfig, RunContext};
use crate::visit::workers;
use classify::{FaultTimeline, classify};
use credential_ledger::CredentialLedger;
use testbed::{NODES, SchemeNodes, Testbed};

pub use parameters::OutageParameters;

/// The length of the intervals in which requests are counted, in seconds.
const INTERVAL_S: f64 = 0.1;
/// The time between the last preparation and the first request.
const START_DELAY: Duration = Duration::from_millis(50);
/// The time from the start of the fault to the first logout.
const FIRST_LOGOUT_DELAY: Duration = Duration::from_millis(200);
/// The longest sleep between two checks for an interruption.
const MAX_SLEEP: Duration = Duration::from_millis(20);

impl Run for OutageExperiment {
    type Parameters = OutageParameters;

    fn parameters(profile: Profile) -> OutageParameters {
        OutageParameters::of(profile)
    }

    fn run(context: &mut RunContext<'_>, parameters: &OutageParameters) -> Result<(), ExperimentError> {
        let schemes = participating_schemes(context)?;
        let stored = schemes.iter().any(|scheme| scheme.store().is_external());
        let faults: Vec<OutageFault> =
            OutageFault::ALL.into_iter().filter(|fault| stored || !fault.is_of_store()).collect();
        context.progress.begin("outage", u64::from(parameters.repetitions) * faults.len() as u64);
        context.journal.measured(|outage: &mut OutageExperiment| {
            outage.setup = Some(OutageSetup {
                interval_s: INTERVAL_S,
                rate_rps: parameters.rate_rps,
                timeout_s: parameters.timeout_s,
                slow_rtt_s: parameters.slow_rtt_s,
                nodes: NODES as u32,
            });
        })?;
        for repetition in 0..parameters.repetitions {
            let mut testbed = Testbed::start(context, &schemes)?;
            for fault in shuffled(&faults, context.config.seed, repetition) {
                context.step(&format!("{fault}, {} of {}", repetition + 1, parameters.repetitions))?;
                let fault_run = FaultRun { fault, repetition, parameters };
                fault_run.make(context, &mut testbed)?;
            }
        }
        Ok(())
    }
}

/// Returns the schemes without a store or with one that supports the faults.
fn participating_schemes(context: &mut RunContext<'_>) -> Result<Vec<Scheme>, ExperimentError> {
    let config = context.config;
    let supports_faults =
        |scheme: &Scheme| matches!(scheme.store(), StoreKind::None | StoreKind::Memory | StoreKind::Redis);
    let (taken, left): (Vec<Scheme>, Vec<Scheme>) = config.schemes.iter().partition(|scheme| supports_faults(scheme));
    for scheme in left {
        context.journal.omit(
            &format!("outage of {scheme}"),
            "this experiment injects faults only into a single Redis; clusters and databases fail in other ways",
        )?;
    }
    Ok(taken)
}

/// One fault, once.
struct FaultRun<'a> {
    fault: OutageFault,
    repetition: u32,
    parameters: &'a OutageParameters,
}

impl FaultRun<'_> {
    /// Injects a fault under load, repairs it, and records the outcome of every request.
    fn make(&self, context: &mut RunContext<'_>, testbed: &mut Testbed) -> Result<(), ExperimentError> {
        let is_affected = |nodes: &SchemeNodes| nodes.scheme.store().is_external() || !self.fault.is_of_store();
        testbed.schemes.iter_mut().for_each(|nodes| nodes.is_loaded = is_affected(nodes));
        let config = context.config;
        testbed.wait_until_ready(config)?;
        let mut ledgers = Vec::new();
        for nodes in testbed.loaded() {
            config.check_can_continue()?;
            ledgers.push(CredentialLedger::issue(config, nodes, self.parameters.population)?);
        }
        wait_until(
            config,
            ledgers.iter().filter_map(CredentialLedger::windows_end).max().unwrap_or_else(Instant::now),
        )?;
        let loads = testbed.loaded().zip(&ledgers).map(|(nodes, ledger)| self.load(config, nodes, ledger));
        let loads = loads.collect::<Result<Vec<ProbeLoad>, ExperimentError>>()?;
        let probe = Probe::of(&loads, workers(&config.placement))?;
        let started_at = crate::now();
        let start = Instant::now() + START_DELAY;
        let (probed, times) = self.run_under_load(config, testbed, &mut ledgers, probe, start)?;
        config.check_can_continue()?;
        testbed.check()?;
        let [fault, repaired] = times;
        let rounds: Vec<_> = (testbed.loaded().zip(&ledgers).zip(&loads).zip(&probed))
            .map(|(((nodes, ledger), load), probed)| {
                let timeline =
                    FaultTimeline { fault: self.fault, start, began: fault, repaired, interval_s: INTERVAL_S };
                classify(&timeline, self.repetition, &started_at, nodes, ledger, &load.plan, probed)
            })
            .collect();
        context.journal.measured(|outage: &mut OutageExperiment| outage.rounds.extend(rounds))?;
        Ok(())
    }

    fn load(
        &self,
        config: &RunConfig,
        nodes: &SchemeNodes,
        ledger: &CredentialLedger,
    ) -> Result<ProbeLoad, ExperimentError> {
        let parameters = self.parameters;
        let arrivals = Arrivals::Poisson { rate_rps: parameters.rate_rps };
        let round = u64::from(self.repetition) * OutageFault::ALL.len() as u64 + self.fault as u64;
        let scheme = Scheme::all().position(|each| each == nodes.scheme).unwrap_or_default();
        let plan = Plan {
            seed: config.seed.wrapping_add(round << 16).wrapping_add(scheme as u64),
            population: Population { size: parameters.population, ..Population::default() },
            timeout_s: parameters.timeout_s,
            ..Plan::new(arrivals, parameters.before_s + parameters.fault_s + parameters.after_s)
        };
        Ok(ProbeLoad { plan, target: Target { nodes: ledger.nodes(nodes)?, carrier: config.carrier } })
    }

    /// Runs the load in one thread, logouts in others, and the fault at the same time. Returns the responses, and when
    /// the fault and its repair began.
    fn run_under_load(
        &self,
        config: &RunConfig,
        testbed: &mut Testbed,
        ledgers: &mut [CredentialLedger],
        probe: Probe,
        start: Instant,
    ) -> Result<(Vec<Vec<ProbedRequest>>, [Instant; 2]), ExperimentError> {
        let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let repair_at = after(self.parameters.before_s + self.parameters.fault_s);
        thread::scope(|scope| {
            let probing = scope.spawn(move || probe.run(start, &config.stop));
            wait_until(config, after(self.parameters.before_s))?;
            let began = Instant::now();
            testbed.inject(self.fault, Duration::from_secs_f64(self.parameters.slow_rtt_s))?;
            wait_until(config, began + FIRST_LOGOUT_DELAY)?;
            for ledger in ledgers {
                scope.spawn(move || ledger.revoke_some(self.fault, repair_at));
            }
            wait_until(config, repair_at)?;
            let repaired = Instant::now();
            testbed.repair(self.fault)?;
            let probed = probing.join().expect("probing does not panic")?;
            Ok((probed, [began, repaired]))
        })
    }
}

/// Waits, and fails if the run is interrupted meanwhile.
fn wait_until(config: &RunConfig, moment: Instant) -> Result<(), ExperimentError> {
    loop {
        config.check_can_continue()?;
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(MAX_SLEEP));
    }
}
