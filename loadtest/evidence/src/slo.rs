//! The search of `authbench load --slo`: the rate at which nine of ten rounds meet the objectives,
//! and its confirmation.

use std::collections::BTreeSet;

use engine::record::{Record, SearchEnd, SearchStep, SloExperiment, SloRound, SloVerdict};
use engine::slo::Objective;
use engine::validity::Fault;

use crate::statistics::{CONFIDENCE, Interval, Logistic, bootstrap, median, profile_interval};
use crate::{Analyse, EvidenceError, Topic, Warning};

/// The share of rounds that meet the objectives at the rate that the search looks for.
pub const SLO_SHARE: f64 = 0.9;
/// The number of rounds that confirm a rate.
pub const CONFIRMING: u32 = 5;
/// The number of them that must meet the objectives.
///
/// If nine of ten rounds do, this happens in 92 % of all cases; if half do, in 19 %.
pub const CONFIRMED_BY: u32 = 4;

/// The result of a search.
#[derive(Clone, Debug)]
pub struct SloTable {
    /// The scheme's id.
    pub scheme: String,
    /// The objectives.
    pub objectives: Vec<Objective>,
    /// From low to high, without the confirmation rounds.
    pub rates: Vec<SloRate>,
    /// The rates to be confirmed, in order; only the last one can be confirmed.
    pub confirmations: Vec<SloRate>,
    /// The curve through the rounds of the grid; none if they do not distinguish one rate from
    /// another.
    pub fit: Option<SloFit>,
    /// The result.
    pub answer: SloAnswer,
    /// How the search ended; none if it was interrupted.
    pub end: Option<SearchEnd>,
}

/// Rounds at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct SloRate {
    /// Requests per second, planned.
    pub rate_rps: f64,
    /// Rounds that met every objective.
    pub met: u32,
    /// Rounds that did not.
    pub missed: u32,
    /// Rounds that say nothing about the target.
    pub void: u32,
    /// For each objective, the median of its percentile over the conclusive rounds, in microseconds.
    pub times_us: Vec<Option<f64>>,
}

/// A round that says something about the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConclusiveRound {
    /// Rounds that are adjacent in time share a block.
    pub block: u32,
    /// Requests per second.
    pub rate_rps: f64,
    /// Whether it met every objective.
    pub met: bool,
}

/// How the share of rounds that meet the objectives falls with the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SloFit {
    /// The curve.
    pub law: Logistic,
    /// The rate at which [`SLO_SHARE`] of the rounds meet them.
    pub rate_rps: f64,
    /// The interval of that rate; none if the rounds leave one side open.
    pub interval: Option<Interval>,
}

/// The highest rate that meets the objectives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SloAnswer {
    /// Requests per second; none if nothing was found.
    pub rate_rps: Option<f64>,
    /// Whether the confirmation rounds confirmed the rate.
    pub confirmed: bool,
    /// Whether the rate is only a lower bound, because the generator was the limit.
    pub lower_bound: bool,
}

impl SloFit {
    /// Fits the curve through these rounds.
    ///
    /// None unless some rounds met the objectives, others did not, and more of them did at lower
    /// rates.
    #[must_use]
    pub fn of(rounds: &[ConclusiveRound]) -> Option<Self> {
        let outcomes: Vec<(f64, bool)> = rounds.iter().map(|round| (round.rate_rps, round.met)).collect();
        let law = fit_falling_curve(&outcomes)?;
        let rate_rps = law.at(SLO_SHARE);
        // The curve uses the penalised likelihood, the profile the plain one.
        let interval = interval(rounds, &outcomes).map(|interval| interval.extended_to(rate_rps));
        Some(Self { law, rate_rps, interval })
    }
}

fn fit_falling_curve(outcomes: &[(f64, bool)]) -> Option<Logistic> {
    let both = outcomes.iter().any(|(_, met)| *met) && outcomes.iter().any(|(_, met)| !met);
    Logistic::fit(outcomes).filter(|law| both && law.slope < 0.0)
}

/// Returns the wider of two intervals, on either side.
///
/// The profile assumes independent rounds. The bootstrap over blocks does not, but sees no scatter
/// if the rounds separate perfectly.
fn interval(rounds: &[ConclusiveRound], outcomes: &[(f64, bool)]) -> Option<Interval> {
    let profile = profile_interval(outcomes, SLO_SHARE, CONFIDENCE)?;
    let numbers: BTreeSet<u32> = rounds.iter().map(|round| round.block).collect();
    let of_block = |number: &u32| -> Vec<(f64, bool)> {
        let in_block = rounds.iter().filter(|round| round.block == *number);
        in_block.map(|round| (round.rate_rps, round.met)).collect()
    };
    let blocks: Vec<Vec<(f64, bool)>> = numbers.iter().map(of_block).collect();
    let rate = |drawn: &[&Vec<(f64, bool)>]| {
        let drawn: Vec<(f64, bool)> = drawn.iter().copied().flatten().copied().collect();
        Some([fit_falling_curve(&drawn)?.at(SLO_SHARE)])
    };
    let drawn = bootstrap(&blocks, CONFIDENCE, rate).and_then(|[rate]| rate.interval).unwrap_or(profile);
    Some(profile.extended_to(drawn.low).extended_to(drawn.high))
}

impl Analyse for SloExperiment {
    type Table = SloTable;

    fn analyse(&self, _: &Record) -> Result<Option<SloTable>, EvidenceError> {
        Ok(Some(SloTable::of(self)))
    }

    /// Returns a warning about rounds that say nothing about the target.
    ///
    /// A round in which the target did not sustain the load is a result of the search, and counts.
    fn warnings(&self, _: &Record, _: Option<&SloTable>) -> Vec<Warning> {
        let is_inconclusive =
            |round: &&SloRound| matches!(round.verdict, SloVerdict::Generator | SloVerdict::Unsettled);
        let inconclusive: Vec<&SloRound> = self.rounds.iter().filter(is_inconclusive).collect();
        if inconclusive.is_empty() {
            return Vec::new();
        }
        let with =
            |fault: Fault| inconclusive.iter().filter(|round| round.round.validity.faults.contains(&fault)).count();
        let reasons = INCONCLUSIVE_REASONS.map(|(fault, text)| (text, with(fault)));
        let reasons = reasons.into_iter().filter(|(_, rounds)| *rounds > 0);
        let reasons: Vec<String> = reasons.map(|(what, rounds)| format!("{what} in {rounds}")).collect();
        vec![Topic::Invalid.warning(format!(
            "{}: {} of {} rounds say nothing about the target and were repeated: {}.",
            Self::EXPERIMENT,
            inconclusive.len(),
            self.rounds.len(),
            reasons.join(", ")
        ))]
    }
}

/// The reasons why a round says nothing about the target.
const INCONCLUSIVE_REASONS: [(Fault, &str); 7] = [
    (Fault::GeneratorExhausted, "the generator ran out of file descriptors, local ports or memory"),
    (Fault::GeneratorLate, "the generator sent too late"),
    (Fault::GeneratorFull, "the generator was saturated"),
    (Fault::ProcessorsShared, "generator and server saturated CPUs that they share"),
    (Fault::CpuStolen, "a hypervisor took CPU time away"),
    (Fault::NeverSettled, "the service time never settled"),
    (Fault::TooFewRequests, "there were too few requests"),
];

impl SloTable {
    fn of(slo: &SloExperiment) -> Self {
        let (confirming, searching): (Vec<&SloRound>, Vec<&SloRound>) =
            slo.rounds.iter().partition(|round| matches!(round.step, SearchStep::Confirmation { .. }));
        let confirmations = by_rate(&slo.objectives, &confirming);
        let fit = SloFit::of(&searching.iter().filter_map(|round| conclusive_round(round)).collect::<Vec<_>>());
        let mut rates = by_rate(&slo.objectives, &searching);
        rates.sort_by(|one, other| one.rate_rps.total_cmp(&other.rate_rps));
        Self {
            scheme: slo.rounds.first().map_or_else(String::new, |first| first.round.scheme.clone()),
            objectives: slo.objectives.clone(),
            answer: answer(slo.end, fit.as_ref(), &rates, &confirmations),
            rates,
            confirmations,
            fit,
            end: slo.end,
        }
    }
}

/// Returns a conclusive round of the grid; the rates of other rounds depend on earlier results.
fn conclusive_round(round: &SloRound) -> Option<ConclusiveRound> {
    let SearchStep::Grid { block } = round.step else { return None };
    let met = match round.verdict {
        SloVerdict::Met => true,
        SloVerdict::Missed => false,
        SloVerdict::Generator | SloVerdict::Unsettled => return None,
    };
    Some(ConclusiveRound { block, rate_rps: round.rate_rps, met })
}

/// Groups rounds by rate, in the order in which the rates were first measured.
fn by_rate(objectives: &[Objective], rounds: &[&SloRound]) -> Vec<SloRate> {
    let mut groups: Vec<(f64, Vec<&SloRound>)> = Vec::new();
    for round in rounds {
        match groups.iter_mut().find(|(rate, _)| rate.total_cmp(&round.rate_rps).is_eq()) {
            Some((_, at_rate)) => at_rate.push(round),
            None => groups.push((round.rate_rps, vec![round])),
        }
    }
    groups.into_iter().map(|(rate, at_rate)| SloRate::of(rate, objectives, &at_rate)).collect()
}

impl SloRate {
    fn of(rate_rps: f64, objectives: &[Objective], rounds: &[&SloRound]) -> Self {
        let is_conclusive = |round: &&&SloRound| matches!(round.verdict, SloVerdict::Met | SloVerdict::Missed);
        let count = |wanted: SloVerdict| rounds.iter().filter(|round| round.verdict == wanted).count() as u32;
        let time = |objective: &Objective| {
            let times = rounds.iter().filter(is_conclusive).filter_map(|round| objective.percentile.of(&round.round));
            median(&times.map(|us| us as f64).collect::<Vec<_>>(), CONFIDENCE).map(|found| found.value)
        };
        Self {
            rate_rps,
            met: count(SloVerdict::Met),
            missed: count(SloVerdict::Missed),
            void: count(SloVerdict::Generator) + count(SloVerdict::Unsettled),
            times_us: objectives.iter().map(time).collect(),
        }
    }

    /// Returns whether the rounds confirm the rate.
    #[must_use]
    pub const fn is_confirmed(&self) -> bool {
        self.met >= CONFIRMED_BY
    }
}

/// Returns the confirmed rate, else the last one that was measured, else the best guess.
fn answer(end: Option<SearchEnd>, fit: Option<&SloFit>, rates: &[SloRate], confirmations: &[SloRate]) -> SloAnswer {
    let lower_bound = end == Some(SearchEnd::Generator);
    let last = confirmations.last();
    let met = || rates.iter().take_while(|rate| rate.missed == 0).filter(|rate| rate.met > 0).last();
    let guess = || fit.map(|fit| fit.rate_rps).filter(|_| !lower_bound).or_else(|| met().map(|rate| rate.rate_rps));
    SloAnswer {
        rate_rps: last.map(|last| last.rate_rps).or_else(guess).filter(|_| end != Some(SearchEnd::NothingMet)),
        confirmed: last.is_some_and(SloRate::is_confirmed) && end.is_some_and(|end| end != SearchEnd::OutOfTime),
        lower_bound,
    }
}
