//! `authbench load`: loads one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::SchemeDescriptor;
use engine::clock::SchedulingClass;
use engine::plan::{Arrivals, Mix, Plan, Population, Warmup};
use engine::record::{Load, LoadExperiment, Placement, Round};
use experiments::{ExperimentError, Journal, ObservedProcesses};
use lab::http::{Client, HttpError};

use crate::cli::ArrivalKind;
use crate::exit::{ExitResult, Failure};
use crate::load_json::LoadResult;
use crate::load_output::{incomplete_error, print_run};
use crate::load_target::{local_servers, name, target, workers};
use crate::{cli, folder, load_slo, message, provenance, terminal};

/// The default duration of a round of a search.
const SEARCH_ROUND: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &cli::Load, stop: &Arc<AtomicBool>) -> ExitResult {
    let plan = plan(args)?;
    driver::check_limits(&plan, 1).map_err(Failure::usage)?;
    experiments::slo::check(&args.slo, plan.duration_s).map_err(Failure::usage)?;
    let client = Client::new(args.target.as_str());
    let descriptor = describe(args, &client)?;
    let plan = limit_population(plan, descriptor.as_ref());
    let mut journal = begin_journal(args, plan.seed)?;
    if !args.slo.is_empty() {
        return load_slo::run(args, &plan, &client, descriptor.as_ref(), journal, stop);
    }
    let measured = measure(args, &plan, &client, descriptor.as_ref(), stop);
    let end_reason = match &measured {
        Ok((round, _)) => describe_interruption(round, &plan),
        Err(error) => Some(message::of(error)),
    };
    if let Some(descriptor) = descriptor {
        journal.describe(descriptor);
    }
    if let Ok((round, class)) = &measured {
        journal.generator_class(round, *class);
        journal.measured(|load: &mut LoadExperiment| load.rounds.push(round.clone()))?;
    }
    journal.end(end_reason.as_deref())?;
    folder::remove_if_nothing_measured(&journal);
    let (round, _) = measured?;
    report::write(journal.folder(), journal.record())?;
    print_result(args, &round, &journal)?;
    if let Some(interrupted) = end_reason {
        return Err(incomplete_error(&interrupted, &journal).into());
    }
    if round.validity.valid { Ok(()) } else { Err(Failure::Invalid(describe_invalidity(&round))) }
}

/// Describes an interruption, if the round was interrupted.
fn describe_interruption(round: &Round, plan: &Plan) -> Option<String> {
    let (measured_s, planned_s) = (round.plan.duration_s, plan.duration_s);
    (measured_s < planned_s).then(|| format!("interrupted after {measured_s:.1} s of {planned_s:.1} s"))
}

fn begin_journal(args: &cli::Load, seed: u64) -> anyhow::Result<Journal> {
    let folder = folder::create(args.out.as_deref(), "load")?;
    let placement = Placement {
        method: "none: load does not pin processes".to_owned(),
        generator_class: SchedulingClass::Other.to_string(),
        ..Placement::default()
    };
    let record = provenance::record("load", &folder, None, seed, (lab::host::host(), placement));
    Ok(Journal::begin(folder, record)?)
}

fn describe_invalidity(round: &Round) -> String {
    format!("the measurement is invalid: {}", round.validity.reasons.join("; "))
}

fn print_result(args: &cli::Load, round: &Round, journal: &Journal) -> ExitResult {
    let json = args.json.then(|| serde_json::to_string(&LoadResult::of(round))).transpose()?;
    print_run(json.as_deref(), journal)
}

/// Returns the plan of the command line, checked.
fn plan(args: &cli::Load) -> Result<Plan, Failure> {
    if let Some(path) = &args.plan {
        return Plan::read(path).map_err(Failure::usage);
    }
    // A search sets the rate of each round itself.
    let rate = args.rate.or((!args.slo.is_empty()).then_some(1.0));
    let arrivals = match (rate, args.users, args.arrivals) {
        (Some(rate_rps), None, ArrivalKind::Poisson) => Arrivals::Poisson { rate_rps },
        (Some(rate_rps), None, ArrivalKind::Fixed) => Arrivals::Fixed { rate_rps },
        (None, Some(_), _) => Arrivals::Closed,
        _ => return Err(Failure::usage("no load given: add --rate R, --users N, --slo QUANTILE=TIME or --plan FILE")),
    };
    let of_search = (!args.slo.is_empty()).then_some(SEARCH_ROUND);
    let duration =
        args.duration.or(of_search).ok_or_else(|| Failure::usage("no duration given: add --duration, such as 20s"))?;
    let defaults = Plan::new(arrivals, duration.as_secs_f64());
    let plan = Plan {
        seed: args.seed.unwrap_or(defaults.seed),
        connections: args.users.or(args.connections).unwrap_or(defaults.connections),
        population: Population { size: args.population.unwrap_or(defaults.population.size), ..defaults.population },
        warmup: args.warmup.map_or(defaults.warmup, |set| Warmup::Fixed { seconds: set.as_secs_f64() }),
        // Short loads have shorter intervals, so that there are enough to detect the warm-up.
        interval_s: (defaults.duration_s / 20.0).clamp(0.05, defaults.interval_s),
        ..defaults
    };
    plan.check().map_err(Failure::usage)?;
    Ok(plan)
}

/// Limits the population of a journey to the number of users of the target, because a journey logs in as them. Reads
/// need no such limit: one user may have several credentials.
fn limit_population(mut plan: Plan, descriptor: Option<&SchemeDescriptor>) -> Plan {
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
fn describe(args: &cli::Load, client: &Client) -> Result<Option<SchemeDescriptor>, Failure> {
    match client.scheme() {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(HttpError::NotAnAuthServer { .. } | HttpError::Status { .. } | HttpError::TooLarge { .. })
            if !args.scheme_from_target =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn measure(
    args: &cli::Load,
    plan: &Plan,
    client: &Client,
    descriptor: Option<&SchemeDescriptor>,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<(Round, SchedulingClass)> {
    let target = target(args, plan, client, descriptor)?;
    driver::preflight(plan, &target)?;
    let place = experiments::outside_blocks(name(descriptor), Load::AsPlanned);
    let servers = local_servers(args);
    let processes = ObservedProcesses { servers: &servers, ..ObservedProcesses::default() };
    let measured = experiments::drive_round(plan, &target, place, processes, workers(), stop)?;
    if stop.load(Ordering::SeqCst) && measured.0.counts.sent() == 0 {
        return Err(ExperimentError::Interrupted.into());
    }
    Ok(measured)
}
