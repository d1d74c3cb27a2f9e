//! The search of `authbench load --slo`: the highest rate at which a target meets its objectives.
//!
//! Varies: the rate. Holds: the target, the request, the connections, the kind of arrivals; every round has its own
//! seed, so that no single schedule decides.
//!
//! First the rate is doubled until single rounds miss the objectives. Then a grid of seven rates over the bracket, and
//! a finer one in the undecided range, is visited block by block in a redrawn order. Then the rate is determined at
//! which nine of ten rounds meet the objectives, by the curve that `evidence` fits to the rounds. Then that rate is
//! confirmed by further rounds.
//!
//! A round in which the instrument could not sustain the load has no verdict about the target. If that happens three
//! times in a row at a rate, the generator is the limit, and the result is a lower bound.
//!
//! Limitations: rounds are short, so that an event that occurs once a minute is not in most of them; and the result
//! applies to one generator, which on the target's machine competes with it for processors.

mod bounds;
mod search;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use driver::{Target, Workers};
use engine::plan::{Arrivals, Plan};
use engine::record::{Load, SearchEnd, SearchStep, SloExperiment, SloRound, SloVerdict};
use engine::round::Place;
use engine::slo::Objective;

use bounds::Bounds;
pub use bounds::{MAX_ROUNDS, MAX_TOTAL_S, TooFewRequests};
use search::{RoundRequest, search};
use verdict::verdict;

use crate::servers::is_past_half_life;
use crate::{ExperimentError, Journal, ObservedProcesses, Progress, drive_round};

/// Checks whether rounds of this length have enough requests for these objectives.
pub fn check(objectives: &[Objective], round_s: f64) -> Result<(), TooFewRequests> {
    Bounds::of(objectives, round_s).check()
}

/// The target of a search, and how it is loaded.
pub struct Subject<'a, Renew> {
    /// The scheme's id.
    pub scheme: &'a str,
    /// The process ids of the servers, if they are on this machine.
    pub servers: &'a [u32],
    /// The sending threads.
    pub workers: Workers,
    /// Set to stop the search early.
    pub stop: &'a Arc<AtomicBool>,
    /// The lifetime of a credential, in seconds, if known.
    pub ttl_s: Option<u64>,
    /// Returns the target with new credentials.
    pub renew: Renew,
}

/// Searches with rounds like this plan, at other rates and, at low rates, longer. Records every round in the journal.
pub fn run<E: From<ExperimentError>, Renew: FnMut() -> Result<Target, E>>(
    mut subject: Subject<'_, Renew>,
    objectives: &[Objective],
    plan: &Plan,
    journal: &mut Journal,
    progress: &mut dyn Progress,
) -> Result<SearchEnd, E> {
    record(journal, |slo| slo.objectives = objectives.to_vec())?;
    progress.begin("slo", u64::from(TYPICAL_ROUNDS));
    let shared = shared_cpus(subject.servers);
    let mut target = (subject.renew)()?;
    let mut renewed_at = Instant::now();
    let (mut rounds, mut last) = (0, None);
    let end = search(&Bounds::of(objectives, plan.duration_s), plan.seed, |request| {
        // A repeated round is no step: the number of repetitions is unknown in advance.
        if last.replace(request) != Some(request) {
            progress.step(&step_label(&request));
        }
        let plan = Plan { seed: plan.seed.wrapping_add(rounds), ..plan_at(plan, &request) };
        rounds += 1;
        let age = renewed_at.elapsed() + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        if subject.ttl_s.is_some_and(|ttl_s| is_past_half_life(age, ttl_s)) {
            target = (subject.renew)()?;
            renewed_at = Instant::now();
        }
        let processes = ObservedProcesses { servers: subject.servers, ..ObservedProcesses::default() };
        let place = place(subject.scheme, &request, rounds);
        let (mut round, class) = drive_round(&plan, &target, place, processes, subject.workers, subject.stop)?;
        if subject.stop.load(Ordering::SeqCst) {
            return Err(ExperimentError::Interrupted.into());
        }
        let verdict = verdict(&mut round, objectives, shared);
        journal.generator_class(&round, class);
        let round = SloRound { step: request.step, rate_rps: request.rate_rps, verdict, round };
        record(journal, |slo| slo.rounds.push(round))?;
        Ok::<SloVerdict, E>(verdict)
    })?;
    record(journal, |slo| slo.end = Some(end))?;
    progress.end();
    Ok(end)
}

/// The number of rounds of a search without repetitions: two grids, a confirmation, and some doublings.
const TYPICAL_ROUNDS: u32 = 55;

fn record(journal: &mut Journal, change: impl FnOnce(&mut SloExperiment)) -> Result<(), ExperimentError> {
    Ok(journal.measured(change)?)
}

fn step_label(request: &RoundRequest) -> String {
    let what = match request.step {
        SearchStep::Bracket => "finding the limit,",
        SearchStep::Grid { .. } => "grid,",
        SearchStep::Confirmation { .. } => "confirmation,",
    };
    format!("{what} {:.0} requests/s", request.rate_rps)
}

/// Returns the plan of one round.
fn plan_at(plan: &Plan, request: &RoundRequest) -> Plan {
    let rate_rps = request.rate_rps;
    let arrivals = match plan.arrivals {
        Arrivals::Fixed { .. } => Arrivals::Fixed { rate_rps },
        Arrivals::Poisson { .. } | Arrivals::Closed => Arrivals::Poisson { rate_rps },
    };
    let interval_s = (request.duration_s / 20.0).clamp(0.01, 1.0);
    Plan { arrivals, duration_s: request.duration_s, interval_s, ..plan.clone() }
}

fn place(scheme: &str, request: &RoundRequest, position: u64) -> Place {
    Place {
        scheme: scheme.to_owned(),
        block: if let SearchStep::Grid { block } = request.step { block } else { 0 },
        position: position as u32,
        load: Load::EqualRate { rate_rps: request.rate_rps },
        started_at: crate::now(),
    }
}

/// Returns the number of processors that generator and servers on this machine share; none if they have none in common.
fn shared_cpus(servers: &[u32]) -> Option<usize> {
    let generator_cpus: BTreeSet<u32> = lab::placement::allowed().into_iter().collect();
    let server_cpus: BTreeSet<u32> = servers.iter().flat_map(|&pid| lab::placement::allowed_to(pid)).collect();
    (!generator_cpus.is_disjoint(&server_cpus)).then(|| generator_cpus.union(&server_cpus).count())
}
