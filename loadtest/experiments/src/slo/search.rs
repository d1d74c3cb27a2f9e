//! The search algorithm: which rate is tried next, as a function of the verdicts so far.
//!
//! It is independent of HTTP and reads no clock, so that tests can run it on known targets.

use engine::record::{SearchEnd, SearchStep, SloVerdict};
use evidence::{CONFIRMED_BY, CONFIRMING, ConclusiveRound, SloFit};

use crate::blocks::{Turn, turns};
use crate::slo::bounds::{Bounds, round_down};

/// Number of rates of a grid.
const GRID_RATES: u32 = 7;
/// Blocks of the first grid, which covers the whole bracket.
const COARSE_BLOCKS: u32 = 2;
/// Blocks of the second grid, which covers the undecided range.
const FINE_BLOCKS: u32 = 4;
/// The first grid extends by this factor below the rate that was met and above the one that was missed.
const GRID_MARGIN: f64 = 1.1;
/// The second grid covers the rates between this share of met rounds and its complement; its width is at least
/// `MIN_GRID_RATIO`.
const UNDECIDED_SHARE: f64 = 0.9;
/// The least ratio between the last and the first rate of the second grid.
const MIN_GRID_RATIO: f64 = 1.12;
/// The most attempts for a round without a verdict.
const ATTEMPTS: u32 = 3;
/// How often the interval below the generator's limit is halved.
const HALVINGS: u32 = 2;
/// The most brackets: a bracket may be wrong, because it rests on single rounds.
const BRACKETS: u32 = 3;
/// The most rates that are tried for confirmation, each below the one before.
const CONFIRMATIONS: u32 = 4;
/// The factor to the next lower rate if a rate is not confirmed.
const STEP_DOWN: f64 = 0.93;

/// A round that the search requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RoundRequest {
    pub(crate) step: SearchStep,
    pub(crate) rate_rps: f64,
    pub(crate) duration_s: f64,
}

/// Why the search stopped.
enum EarlyEnd<E> {
    OutOfTime,
    Failed(E),
}

/// The range of the limit according to single rounds.
#[derive(Clone, Copy, Debug)]
enum Bracket {
    /// Met at one rate, missed at the other.
    Between(f64, f64),
    /// Met at this rate, if at any, with the generator's limit above.
    Generator(Option<f64>),
    /// Missed at the lowest rate.
    NothingMet,
}

/// Searches with rounds that `round` runs and classifies.
pub(crate) fn search<E>(
    bounds: &Bounds,
    seed: u64,
    round: impl FnMut(RoundRequest) -> Result<SloVerdict, E>,
) -> Result<SearchEnd, E> {
    let mut search =
        Search { bounds, seed, round, rounds: 0, spent_s: 0.0, grid: Vec::new(), blocks: 0, inconclusive: 0 };
    match search.run() {
        Ok(end) => Ok(end),
        Err(EarlyEnd::OutOfTime) => Ok(SearchEnd::OutOfTime),
        Err(EarlyEnd::Failed(error)) => Err(error),
    }
}

struct Search<'a, Round> {
    bounds: &'a Bounds,
    seed: u64,
    round: Round,
    rounds: u32,
    spent_s: f64,
    /// Rounds of the grid with a verdict.
    grid: Vec<ConclusiveRound>,
    /// Blocks of the grid so far.
    blocks: u32,
    /// Number of rates of the grid at which the generator was the limit, once per visit.
    inconclusive: usize,
}

impl<E, Round: FnMut(RoundRequest) -> Result<SloVerdict, E>> Search<'_, Round> {
    fn run(&mut self) -> Result<SearchEnd, EarlyEnd<E>> {
        let mut start = self.bounds.start_rps;
        for _ in 0..BRACKETS {
            let (met, missed) = match self.bracket(start)? {
                Bracket::Between(met, missed) => (met, missed),
                Bracket::Generator(met) => return self.lower_bound(met),
                Bracket::NothingMet => return Ok(SearchEnd::NothingMet),
            };
            let coarse = geometric_grid(met / GRID_MARGIN, missed * GRID_MARGIN);
            self.visit_grid(&coarse, COARSE_BLOCKS)?;
            match SloFit::of(&self.grid) {
                Some(fit) => return self.refine(&fit, &coarse),
                None if self.is_generator_limited() => return self.lower_bound(self.all_met_up_to()),
                // Either the round that was missed was an outlier, or the one that was met.
                None if self.grid.iter().all(|round| round.met) => start = missed * GRID_MARGIN,
                None => start = met / GRID_MARGIN,
            }
        }
        Ok(SearchEnd::Unclear)
    }

    /// Doubles the rate from its start until it is missed, or halves it until it is met.
    fn bracket(&mut self, start: f64) -> Result<Bracket, EarlyEnd<E>> {
        let (mut met, mut beyond) = (None, None);
        let mut rate = self.bounds.within(start);
        while met.is_none() || beyond.is_none() {
            let verdict = self.visit(SearchStep::Bracket, rate)?;
            if verdict == SloVerdict::Met {
                met = Some(rate);
                if rate >= self.bounds.highest_rps {
                    return Ok(Bracket::Generator(met));
                }
                rate = self.bounds.within(rate * 2.0);
            } else {
                beyond = Some((rate, verdict));
                if rate <= self.bounds.lowest_rps {
                    break;
                }
                rate = self.bounds.within(rate / 2.0);
            }
        }
        match (met, beyond) {
            (Some(met), Some((missed, SloVerdict::Missed))) => Ok(Bracket::Between(met, missed)),
            (Some(met), Some((limit, _))) => self.check_generator_limit(met, limit),
            (_, Some((_, SloVerdict::Missed))) => Ok(Bracket::NothingMet),
            _ => Ok(Bracket::Generator(met)),
        }
    }

    /// Checks whether the target's limit is below the generator's.
    fn check_generator_limit(&mut self, mut met: f64, mut limit: f64) -> Result<Bracket, EarlyEnd<E>> {
        for _ in 0..HALVINGS {
            let rate = self.bounds.within((met * limit).sqrt());
            match self.visit(SearchStep::Bracket, rate)? {
                SloVerdict::Met => met = rate,
                SloVerdict::Missed => return Ok(Bracket::Between(met, rate)),
                SloVerdict::Generator | SloVerdict::Unsettled => limit = rate,
            }
        }
        Ok(Bracket::Generator(Some(met)))
    }

    /// Visits a finer grid in the undecided range, and fits all rounds.
    fn refine(&mut self, fit: &SloFit, coarse: &[f64]) -> Result<SearchEnd, EarlyEnd<E>> {
        let middle = fit.law.at(0.5);
        let (first, last) = (coarse[0], coarse[coarse.len() - 1]);
        let low = fit.law.at(UNDECIDED_SHARE).min(middle / MIN_GRID_RATIO.sqrt()).max(first);
        let high = fit.law.at(1.0 - UNDECIDED_SHARE).max(middle * MIN_GRID_RATIO.sqrt()).min(last);
        let (low, high) = if high / low >= MIN_GRID_RATIO { (low, high) } else { (first, last) };
        self.visit_grid(&geometric_grid(low, high), FINE_BLOCKS)?;
        if self.is_generator_limited() {
            return self.lower_bound(self.all_met_up_to());
        }
        let Some(fit) = SloFit::of(&self.grid) else { return Ok(SearchEnd::Unclear) };
        let lowest = fit.interval.map_or(fit.rate_rps, |interval| interval.low);
        self.confirm(fit.rate_rps.clamp(self.bounds.lowest_rps, last), lowest, SearchEnd::Target)
    }

    /// Returns whether the grid shows the generator's limit more often than the target's.
    fn is_generator_limited(&self) -> bool {
        self.inconclusive > self.grid.iter().filter(|round| !round.met).count()
    }

    /// Returns the highest rate of the grid below every rate that was missed.
    fn all_met_up_to(&self) -> Option<f64> {
        let missed = self.grid.iter().filter(|round| !round.met).map(|round| round.rate_rps);
        let least = missed.fold(f64::INFINITY, f64::min);
        let met = self.grid.iter().filter(|round| round.met && round.rate_rps < least);
        met.map(|round| round.rate_rps).reduce(f64::max)
    }

    fn lower_bound(&mut self, met: Option<f64>) -> Result<SearchEnd, EarlyEnd<E>> {
        met.map_or(Ok(SearchEnd::Generator), |met| self.confirm(met, met, SearchEnd::Generator))
    }

    /// Repeats the rate, and tries lower ones if it is not confirmed: first the lower end of its interval.
    fn confirm(&mut self, rate: f64, lowest: f64, end: SearchEnd) -> Result<SearchEnd, EarlyEnd<E>> {
        let mut rate = self.bounds.within(rate);
        for attempt in 0..CONFIRMATIONS {
            let mut not_met = Vec::new();
            for _ in 0..CONFIRMING {
                let verdict = self.visit(SearchStep::Confirmation { attempt }, rate)?;
                not_met.extend((verdict != SloVerdict::Met).then_some(verdict));
                if not_met.len() as u32 > CONFIRMING - CONFIRMED_BY {
                    break;
                }
            }
            if not_met.len() as u32 <= CONFIRMING - CONFIRMED_BY {
                return Ok(end);
            }
            if not_met.iter().all(|verdict| *verdict == SloVerdict::Generator) {
                return Ok(SearchEnd::Generator);
            }
            let below = rate * STEP_DOWN;
            rate = self.bounds.within(if attempt == 0 { below.min(lowest) } else { below });
        }
        Ok(end)
    }

    /// Visits every rate once per block, in a redrawn order, so that drift affects all rates equally.
    fn visit_grid(&mut self, rates: &[f64], blocks: u32) -> Result<(), EarlyEnd<E>> {
        for Turn { block, item: rate, .. } in turns(rates, self.blocks..self.blocks + blocks, self.seed) {
            let rate_rps = self.bounds.within(rate);
            match self.visit(SearchStep::Grid { block }, rate_rps)? {
                SloVerdict::Met => self.grid.push(ConclusiveRound { block, rate_rps, met: true }),
                SloVerdict::Missed => self.grid.push(ConclusiveRound { block, rate_rps, met: false }),
                SloVerdict::Generator | SloVerdict::Unsettled => self.inconclusive += 1,
            }
        }
        self.blocks += blocks;
        Ok(())
    }

    /// Repeats a round while it has no verdict. The generator is the limit only if it was in every attempt; if the
    /// target settles in none of the rounds, it has missed.
    fn visit(&mut self, step: SearchStep, rate_rps: f64) -> Result<SloVerdict, EarlyEnd<E>> {
        let mut last = SloVerdict::Unsettled;
        for _ in 0..ATTEMPTS {
            last = match (self.run_round(step, rate_rps)?, last) {
                (verdict @ (SloVerdict::Met | SloVerdict::Missed), _) => return Ok(verdict),
                (SloVerdict::Generator, _) | (_, SloVerdict::Generator) => SloVerdict::Generator,
                (SloVerdict::Unsettled, _) => SloVerdict::Unsettled,
            };
        }
        Ok(if last == SloVerdict::Generator { last } else { SloVerdict::Missed })
    }

    fn run_round(&mut self, step: SearchStep, rate_rps: f64) -> Result<SloVerdict, EarlyEnd<E>> {
        let duration_s = self.bounds.round_s(rate_rps);
        self.rounds += 1;
        self.spent_s += duration_s;
        if self.rounds > self.bounds.max_rounds || self.spent_s > self.bounds.max_total_s {
            return Err(EarlyEnd::OutOfTime);
        }
        (self.round)(RoundRequest { step, rate_rps, duration_s }).map_err(EarlyEnd::Failed)
    }
}

/// Returns rates that grow by the same factor.
fn geometric_grid(low: f64, high: f64) -> Vec<f64> {
    let factor = (high / low).powf(1.0 / f64::from(GRID_RATES - 1));
    (0..GRID_RATES).map(|place| round_down(low * factor.powf(f64::from(place)))).collect()
}

#[cfg(test)]
mod tests;
