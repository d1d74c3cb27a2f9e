//! `authbench load`: loads one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::SchemeDescriptor;
use engine::clock::SchedulingClass;
use engine::plan::{Arrivals, Mix, Plan, Population, Warmup};
use engine::record::{Load, LoadExperiment, Placement, Round};
use experiments::{ExperimentError, Journal, Watched};
use lab::http::{Client, HttpError};

use crate::cli::ArrivalKind;
use crate::exit::{ExitResult, Failure};
use crate::load_end::{kept, show_run};
use crate::load_json::LoadResult;
use crate::load_target::{name, servers, target, workers};
use crate::{cli, folder, load_slo, message, provenance, terminal};

/// The default duration of a round of a search.
const SEARCH_ROUND: Duration = Duration::from_secs(2);

pub(crate) fn run(asked: &cli::Load, stop: &Arc<AtomicBool>) -> ExitResult {
    let plan = plan(asked)?;
    driver::check_limits(&plan, 1).map_err(Failure::usage)?;
    experiments::slo::check(&asked.slo, plan.duration_s).map_err(Failure::usage)?;
    let client = Client::new(asked.target.as_str());
    let descriptor = describe(asked, &client)?;
    let plan = within_users(plan, descriptor.as_ref());
    let mut journal = begin(asked, plan.seed)?;
    if !asked.slo.is_empty() {
        return load_slo::run(asked, &plan, &client, descriptor.as_ref(), journal, stop);
    }
    let measured = measure(asked, &plan, &client, descriptor.as_ref(), stop);
    let ended = match &measured {
        Ok((round, _)) => interrupted(round, &plan),
        Err(error) => Some(message::of(error)),
    };
    if let Some(descriptor) = descriptor {
        journal.describe(descriptor);
    }
    if let Ok((round, class)) = &measured {
        journal.generator_class(round, *class);
        journal.measured(|load: &mut LoadExperiment| load.rounds.push(round.clone()))?;
    }
    journal.end(ended.as_deref())?;
    folder::leave(&journal);
    let (round, _) = measured?;
    report::write(journal.folder(), journal.record())?;
    show(asked, &round, &journal)?;
    if let Some(interrupted) = ended {
        return Err(kept(&interrupted, &journal).into());
    }
    if round.validity.valid { Ok(()) } else { Err(Failure::Invalid(invalid(&round))) }
}

/// Describes an interruption, if the round was interrupted.
fn interrupted(round: &Round, plan: &Plan) -> Option<String> {
    let (made_s, planned_s) = (round.plan.duration_s, plan.duration_s);
    (made_s < planned_s).then(|| format!("interrupted after {made_s:.1} s of {planned_s:.1} s"))
}

fn begin(asked: &cli::Load, seed: u64) -> anyhow::Result<Journal> {
    let folder = folder::create(asked.out.as_deref(), "load")?;
    let placement = Placement {
        method: "none: load does not pin processes".to_owned(),
        generator_class: SchedulingClass::Other.to_string(),
        ..Placement::default()
    };
    let record = provenance::record("load", &folder, None, seed, (lab::host::host(), placement));
    Ok(Journal::begin(folder, record)?)
}

fn invalid(round: &Round) -> String {
    format!("the measurement is invalid: {}", round.validity.reasons.join("; "))
}

fn show(asked: &cli::Load, round: &Round, journal: &Journal) -> ExitResult {
    let json = asked.json.then(|| serde_json::to_string(&LoadResult::of(round))).transpose()?;
    show_run(json.as_deref(), journal)
}

/// Returns the plan of the command line, checked.
fn plan(asked: &cli::Load) -> Result<Plan, Failure> {
    if let Some(path) = &asked.plan {
        return Plan::read(path).map_err(Failure::usage);
    }
    // A search sets the rate of each round itself.
    let rate = asked.rate.or((!asked.slo.is_empty()).then_some(1.0));
    let arrivals = match (rate, asked.users, asked.arrivals) {
        (Some(rate_rps), None, ArrivalKind::Poisson) => Arrivals::Poisson { rate_rps },
        (Some(rate_rps), None, ArrivalKind::Fixed) => Arrivals::Fixed { rate_rps },
        (None, Some(_), _) => Arrivals::Closed,
        _ => return Err(Failure::usage("no load given: add --rate R, --users N, --slo QUANTILE=TIME or --plan FILE")),
    };
    let of_search = (!asked.slo.is_empty()).then_some(SEARCH_ROUND);
    let duration =
        asked.duration.or(of_search).ok_or_else(|| Failure::usage("no duration given: add --duration, such as 20s"))?;
    let defaults = Plan::new(arrivals, duration.as_secs_f64());
    let plan = Plan {
        seed: asked.seed.unwrap_or(defaults.seed),
        connections: asked.users.or(asked.connections).unwrap_or(defaults.connections),
        population: Population { size: asked.population.unwrap_or(defaults.population.size), ..defaults.population },
        warmup: asked.warmup.map_or(defaults.warmup, |set| Warmup::Fixed { seconds: set.as_secs_f64() }),
        // Short loads have shorter intervals, so that there are enough to detect the warm-up.
        interval_s: (defaults.duration_s / 20.0).clamp(0.05, defaults.interval_s),
        ..defaults
    };
    plan.check().map_err(Failure::usage)?;
    Ok(plan)
}

/// Limits the population of a journey to the number of users of the target, because a journey logs in as them. Reads
/// need no such limit: one user may have several credentials.
fn within_users(mut plan: Plan, descriptor: Option<&SchemeDescriptor>) -> Plan {
    let size = plan.population.size;
    let users = descriptor.map_or(size, |descriptor| descriptor.users.max(1));
    if matches!(plan.mix, Mix::Journey { .. }) && size > users {
        let reduced =
            format!("the population of {size} in the plan is reduced to {users}, the number of the target's users");
        terminal::note(&reduced);
        plan.population.size = users;
    }
    plan
}

/// Returns the self-description of the target; none if it has none and none is required.
fn describe(asked: &cli::Load, client: &Client) -> Result<Option<SchemeDescriptor>, Failure> {
    match client.scheme() {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(HttpError::NotAnAuthServer { .. } | HttpError::Status { .. } | HttpError::TooLarge { .. })
            if !asked.scheme_from_target =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn measure(
    asked: &cli::Load,
    plan: &Plan,
    client: &Client,
    descriptor: Option<&SchemeDescriptor>,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<(Round, SchedulingClass)> {
    let target = target(asked, plan, client, descriptor)?;
    driver::preflight(plan, &target)?;
    let place = experiments::alone(name(descriptor), Load::AsPlanned);
    let servers = servers(asked);
    let watched = Watched { servers: &servers, ..Watched::default() };
    let measured = experiments::drive_round(plan, &target, place, watched, workers(), stop)?;
    if stop.load(Ordering::SeqCst) && measured.0.counts.sent() == 0 {
        return Err(ExperimentError::Interrupted.into());
    }
    Ok(measured)
}
