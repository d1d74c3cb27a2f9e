//! `authbench load --slo`: the highest rate at which one server meets its objectives.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use contract::SchemeDescriptor;
use engine::plan::Plan;
use engine::record::{Quantiles, SearchEnd, SearchStep, SloExperiment, SloRound, SloVerdict};
use engine::slo::Objective;
use evidence::{Evidence, SloTable};
use experiments::Journal;
use experiments::slo::Subject;
use lab::http::Client;
use serde::Serialize;

use crate::exit::{ExitResult, Failure};
use crate::progress::StderrProgress;
use crate::{cli, folder, load_output, load_target, message};

pub(crate) fn run(
    args: &cli::Load,
    plan: &Plan,
    client: &Client,
    descriptor: Option<&SchemeDescriptor>,
    mut journal: Journal,
    stop: &Arc<AtomicBool>,
) -> ExitResult {
    if let Some(descriptor) = descriptor {
        journal.describe(descriptor.clone());
    }
    let searched = search(args, plan, client, descriptor, &mut journal, stop);
    let end_reason = searched.as_ref().err().map(message::of);
    journal.end(end_reason.as_deref())?;
    folder::remove_if_nothing_measured(&journal);
    if let Some(why) = end_reason.filter(|_| rounds(&journal).is_empty()) {
        return Err(anyhow!(why).into());
    }
    report::write(journal.folder(), journal.record())?;
    let found = Evidence::of(journal.record())?.slo.ok_or_else(|| anyhow!("the search recorded no result"))?;
    print_result(args, &found, &journal)?;
    match searched {
        Ok(_) => outcome(&found),
        Err(error) => Err(load_output::incomplete_error(&message::of(&error), &journal).into()),
    }
}

fn search(
    args: &cli::Load,
    plan: &Plan,
    client: &Client,
    descriptor: Option<&SchemeDescriptor>,
    journal: &mut Journal,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<SearchEnd> {
    let servers = load_target::local_servers(args);
    let mut checked = false;
    let subject = Subject {
        scheme: load_target::name(descriptor),
        servers: &servers,
        workers: load_target::workers(),
        stop,
        ttl_s: descriptor.and_then(|descriptor| descriptor.credential_ttl_s),
        renew: || {
            let target = load_target::target(args, plan, client, descriptor)?;
            // Only once: later, the search is meant to find rates at which the target fails.
            if !std::mem::replace(&mut checked, true) {
                driver::preflight(plan, &target)?;
            }
            Ok(target)
        },
    };
    experiments::slo::run(subject, &args.slo, plan, journal, &mut StderrProgress::new())
}

fn print_result(args: &cli::Load, found: &SloTable, journal: &Journal) -> ExitResult {
    let result = || serde_json::to_string(&SloResult::of(found, rounds(journal)));
    load_output::print_run(args.json.then(result).transpose()?.as_deref(), journal)
}

fn rounds(journal: &Journal) -> &[SloRound] {
    journal.record().data::<SloExperiment>().map_or(&[], |search| &search.rounds)
}

/// Succeeds if the rate or the lower bound is confirmed.
fn outcome(found: &SloTable) -> ExitResult {
    match found.end {
        _ if found.answer.confirmed => Ok(()),
        Some(SearchEnd::NothingMet) => Err(Failure::Threshold(report::slo_sentence(found))),
        _ => Err(Failure::Invalid(report::slo_sentence(found))),
    }
}

/// The output of `load --slo --json`: one object with stable keys. Unavailable figures are null.
#[derive(Debug, Serialize)]
struct SloResult<'a> {
    slo: Vec<String>,
    rate_rps: Option<f64>,
    /// Both ends; the upper one is null if the rate is a lower bound.
    interval_rps: Option<(f64, Option<f64>)>,
    confirmed: bool,
    limited_by: Option<&'static str>,
    rounds: Vec<RoundResult<'a>>,
}

#[derive(Debug, Serialize)]
struct RoundResult<'a> {
    step: SearchStep,
    rate_rps: f64,
    duration_s: f64,
    verdict: SloVerdict,
    response_us: Quantiles,
    /// The percentile of each objective.
    objectives_us: Vec<Option<u64>>,
    reasons: &'a [String],
}

impl<'a> SloResult<'a> {
    fn of(found: &SloTable, rounds: &'a [SloRound]) -> Self {
        let answer = found.answer;
        let fitted = found.fit.and_then(|fit| fit.interval).map(|interval| (interval.low, Some(interval.high)));
        let bound = answer.rate_rps.map(|rate| (rate, None));
        Self {
            slo: found.objectives.iter().map(ToString::to_string).collect(),
            rate_rps: answer.rate_rps,
            interval_rps: if answer.lower_bound { bound } else { fitted },
            confirmed: answer.confirmed,
            limited_by: match found.end {
                Some(SearchEnd::Target | SearchEnd::NothingMet) => Some("target"),
                Some(SearchEnd::Generator) => Some("generator"),
                Some(SearchEnd::Unclear | SearchEnd::OutOfTime) | None => None,
            },
            rounds: rounds.iter().map(|round| RoundResult::of(round, &found.objectives)).collect(),
        }
    }
}

impl<'a> RoundResult<'a> {
    fn of(round: &'a SloRound, objectives: &[Objective]) -> Self {
        Self {
            step: round.step,
            rate_rps: round.rate_rps,
            duration_s: round.round.plan.duration_s,
            verdict: round.verdict,
            response_us: round.round.response_us,
            objectives_us: objectives.iter().map(|objective| objective.percentile.of(&round.round)).collect(),
            reasons: &round.round.validity.reasons,
        }
    }
}
