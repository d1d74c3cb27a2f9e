//! The `outage` experiment: request outcomes during a fault, and the time to recover.

use std::collections::BTreeSet;

use engine::record::{OutageExperiment, OutageFault, OutageRound, OutageSetup, Outcome, Record, Validity};

use crate::group::{RoundCounts, schemes_in_order};
use crate::statistics::{CONFIDENCE, Estimate, median};
use crate::warning::invalid_points;
use crate::{Analyse, EvidenceError, Violation, Warning};

/// Consecutive intervals without a failure after which a scheme counts as recovered.
pub const RECOVERY_INTERVALS: usize = 3;
/// The rounding error of tenths of a second in binary fractions.
const ROUNDING_S: f64 = 1e-9;
/// Outcomes without a failure. A client that has lost its session logs in again.
const SUCCESSFUL: [Outcome; 4] = [Outcome::Good, Outcome::Lost, Outcome::RightlyDenied, Outcome::Tolerated];
/// Outcomes of a request with a valid credential.
const OF_VALID_CREDENTIALS: [Outcome; 7] = [
    Outcome::Good,
    Outcome::Lost,
    Outcome::WronglyDenied,
    Outcome::Unavailable,
    Outcome::TimedOut,
    Outcome::Disconnected,
    Outcome::OtherStatus,
];

/// Request outcomes during a fault, by fault and scheme.
#[derive(Clone, Debug)]
pub struct OutageTable {
    /// Settings that are the same for all rounds.
    pub setup: Option<OutageSetup>,
    /// By fault, then by scheme.
    pub rows: Vec<OutageRow>,
    /// The schemes without store faults, because they use no store.
    pub storeless: Vec<String>,
}

/// One scheme during one fault.
#[derive(Clone, Debug)]
pub struct OutageRow {
    /// The scheme's id.
    pub scheme: String,
    /// The fault.
    pub fault: OutageFault,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// The share of valid credentials that were accepted during the fault, 0 to 1: the median of
    /// the rounds.
    pub good_share: Option<Estimate>,
    /// The lowest and the highest share of the rounds.
    pub good_range: Option<(f64, f64)>,
    /// Outcomes of requests with valid credentials during the fault.
    pub during: Tally,
    /// The same for the whole round.
    pub whole: Tally,
    /// Requests with revoked credentials that were accepted, in all rounds, valid or not.
    pub wrongly_allowed: u64,
    /// Logouts acknowledged, and logouts requested, during the fault.
    pub logouts: (u32, u32),
    /// From the start of the repair to recovery; none if no round recovered.
    pub recovery: Option<Recovery>,
    /// Outcomes over time, all rounds together.
    pub timeline: OutageTimeline,
}

/// Outcomes of requests with valid credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub requests: u64,
    /// 200.
    pub good: u64,
    /// Rejected, because the state of the credential is lost.
    pub lost: u64,
    /// Rejected for another reason.
    pub wrongly_denied: u64,
    /// 503.
    pub unavailable: u64,
    /// No complete response in time.
    pub timed_out: u64,
    /// No connection, or a lost connection.
    pub disconnected: u64,
    /// Other statuses.
    pub other: u64,
}

/// The time to recover.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// In seconds: the median of the rounds; none unless all of them recovered.
    pub p50_s: Option<Estimate>,
    /// In seconds: the shortest and the longest of the rounds that recovered.
    pub range_s: (f64, f64),
    /// Rounds that recovered.
    pub recovered: usize,
    /// Rounds in all.
    pub of: usize,
}

/// Outcomes of requests with valid credentials over time, by interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutageTimeline {
    /// The start of the fault: the mean of the rounds, in seconds.
    pub fault_s: f64,
    /// The start of the repair: the mean of the rounds, in seconds.
    pub healed_s: f64,
    /// Outcomes of each interval, by intended start.
    pub intervals: Vec<Tally>,
    /// Requests with revoked credentials that were accepted.
    pub wrongly_allowed: Vec<u64>,
}

impl Tally {
    fn of(rounds: &[&OutageRound], within: impl Fn(&OutageRound, usize) -> bool) -> Self {
        let count = |outcome: Outcome| -> u64 {
            rounds.iter().map(|round| counted(round, outcome, |interval| within(round, interval))).sum()
        };
        Self {
            requests: OF_VALID_CREDENTIALS.into_iter().map(count).sum(),
            good: count(Outcome::Good),
            lost: count(Outcome::Lost),
            wrongly_denied: count(Outcome::WronglyDenied),
            unavailable: count(Outcome::Unavailable),
            timed_out: count(Outcome::TimedOut),
            disconnected: count(Outcome::Disconnected),
            other: count(Outcome::OtherStatus),
        }
    }

    /// Returns this count as a share of all requests, 0 to 1; none if there are none.
    #[must_use]
    pub fn share(&self, count: u64) -> Option<f64> {
        (self.requests > 0).then(|| count as f64 / self.requests as f64)
    }
}

impl Analyse for OutageExperiment {
    type Table = OutageTable;

    fn analyse(&self, record: &Record) -> Result<Option<OutageTable>, EvidenceError> {
        Ok(Some(OutageTable::of(record, self)))
    }

    fn warnings(&self, _: &Record, _: Option<&OutageTable>) -> Vec<Warning> {
        let validities: Vec<_> = self.rounds.iter().map(|round| (round, validity(round))).collect();
        let place =
            |round: &OutageRound| format!("{}, {} in repetition {}", round.scheme, round.fault, round.repetition);
        invalid_points(Self::EXPERIMENT, validities.iter().map(|(round, validity)| (place(round), validity)))
    }

    fn violations(table: &OutageTable) -> Vec<Violation> {
        let rows = table.rows.iter().filter(|row| row.wrongly_allowed > 0);
        let violation = |row: &OutageRow| {
            let requests = if row.wrongly_allowed == 1 { "request" } else { "requests" };
            let text = format!("{} wrongly accepted {} {requests} ({})", row.scheme, row.wrongly_allowed, row.fault);
            Violation { experiment: Self::EXPERIMENT, scheme: row.scheme.clone(), text }
        };
        rows.map(violation).collect()
    }
}

impl OutageTable {
    fn of(record: &Record, outage: &OutageExperiment) -> Self {
        let interval_s = outage.setup.map_or(f64::INFINITY, |setup| setup.interval_s);
        let schemes = schemes_in_order(record, outage.rounds.iter().map(|round| &round.scheme));
        let faults: BTreeSet<OutageFault> = outage.rounds.iter().map(|round| round.fault).collect();
        let rounds = |fault: OutageFault, scheme: &str| -> Vec<&OutageRound> {
            outage.rounds.iter().filter(|round| round.fault == fault && round.scheme == scheme).collect()
        };
        let row = |fault: OutageFault, scheme: &&str| {
            let rounds = rounds(fault, scheme);
            (!rounds.is_empty()).then(|| OutageRow::of(scheme, fault, &rounds, interval_s))
        };
        let rows: Vec<OutageRow> = faults
            .into_iter()
            .flat_map(|fault| schemes.iter().filter_map(move |scheme| row(fault, scheme)).collect::<Vec<_>>())
            .collect();
        let of_store = |scheme: &str| rows.iter().any(|row| row.scheme == scheme && row.fault.is_of_store());
        let storeless = schemes.iter().filter(|scheme| !of_store(scheme)).map(|&scheme| scheme.to_owned()).collect();
        Self { setup: outage.setup, storeless, rows }
    }

    /// Returns the injected faults, in their order.
    #[must_use]
    pub fn faults(&self) -> Vec<OutageFault> {
        let faults: BTreeSet<OutageFault> = self.rows.iter().map(|row| row.fault).collect();
        faults.into_iter().collect()
    }

    /// Returns the rows of this fault.
    pub fn of_fault(&self, fault: OutageFault) -> impl Iterator<Item = &OutageRow> {
        self.rows.iter().filter(move |row| row.fault == fault)
    }
}

impl OutageRow {
    fn of(scheme: &str, fault: OutageFault, all: &[&OutageRound], interval_s: f64) -> Self {
        let rounds: Vec<&OutageRound> = all.iter().copied().filter(|round| validity(round).valid).collect();
        let shares = rounds.iter().filter_map(|round| {
            let during = Tally::of(&[round], |round, interval| fault_covers(round, interval, interval_s));
            during.share(during.good)
        });
        let shares: Vec<f64> = shares.collect();
        Self {
            scheme: scheme.to_owned(),
            fault,
            rounds: RoundCounts { used: rounds.len(), excluded: all.len() - rounds.len() },
            good_share: median(&shares, CONFIDENCE),
            good_range: range(&shares),
            during: Tally::of(&rounds, |round, interval| fault_covers(round, interval, interval_s)),
            whole: Tally::of(&rounds, |_, _| true),
            wrongly_allowed: all.iter().map(|round| round.count(Outcome::WronglyAllowed)).sum(),
            logouts: (
                rounds.iter().map(|round| round.logouts_acknowledged).fold(0, u32::saturating_add),
                rounds.iter().map(|round| round.logouts_asked).fold(0, u32::saturating_add),
            ),
            recovery: Recovery::of(&rounds, interval_s),
            timeline: OutageTimeline::of(&rounds),
        }
    }
}

impl Recovery {
    fn of(rounds: &[&OutageRound], interval_s: f64) -> Option<Self> {
        let times_s: Vec<f64> = rounds.iter().filter_map(|round| recovery_s(round, interval_s)).collect();
        // If one round did not recover, the median of the others would be too optimistic.
        let all = times_s.len() == rounds.len();
        Some(Self {
            p50_s: median(&times_s, CONFIDENCE).filter(|_| all),
            range_s: range(&times_s)?,
            recovered: times_s.len(),
            of: rounds.len(),
        })
    }
}

impl OutageTimeline {
    fn of(rounds: &[&OutageRound]) -> Self {
        let mean = |of: fn(&OutageRound) -> f64| {
            rounds.iter().map(|round| of(round)).sum::<f64>() / rounds.len().max(1) as f64
        };
        let intervals = rounds.iter().flat_map(|round| round.outcomes.values()).map(Vec::len).max().unwrap_or(0);
        let wrongly_allowed = |at: usize| {
            rounds.iter().map(|round| counted(round, Outcome::WronglyAllowed, |interval| interval == at)).sum()
        };
        Self {
            fault_s: mean(|round| round.fault_s),
            healed_s: mean(|round| round.healed_s),
            intervals: (0..intervals).map(|at| Tally::of(rounds, |_, interval| interval == at)).collect(),
            wrongly_allowed: (0..intervals).map(wrongly_allowed).collect(),
        }
    }
}

/// Returns the validity of a round: its own reasons, and whether the outcome of every planned
/// request is recorded.
fn validity(round: &OutageRound) -> Validity {
    let (planned, accounted) = (round.planned, round.accounted());
    let missing = (planned != accounted)
        .then(|| format!("{planned} requests were planned, and the outcomes of {accounted} are recorded"));
    Validity::from_reasons(round.validity.reasons.iter().cloned().chain(missing).collect())
}

fn counted(round: &OutageRound, outcome: Outcome, within: impl Fn(usize) -> bool) -> u64 {
    let counts = round.outcomes.get(&outcome).into_iter().flatten().enumerate();
    counts.filter(|(interval, _)| within(*interval)).map(|(_, count)| u64::from(*count)).sum()
}

/// Returns whether the fault lasts during the whole interval.
fn fault_covers(round: &OutageRound, interval: usize, interval_s: f64) -> bool {
    let start_s = interval as f64 * interval_s;
    start_s >= round.fault_s - ROUNDING_S && start_s + interval_s <= round.healed_s + ROUNDING_S
}

/// Returns the time from the start of the repair to the first of several intervals without a
/// failure.
///
/// None if there are no such intervals. 0 if the interval of the repair is the first of them: then
/// no request failed.
fn recovery_s(round: &OutageRound, interval_s: f64) -> Option<f64> {
    let intervals = round.outcomes.values().map(Vec::len).max()?;
    let first = ((round.healed_s + ROUNDING_S) / interval_s) as usize;
    let sum = |interval: usize, successful: bool| -> u64 {
        let of_kind = round.outcomes.keys().filter(|outcome| SUCCESSFUL.contains(outcome) == successful);
        of_kind.map(|outcome| counted(round, *outcome, |at| at == interval)).sum()
    };
    let has_recovered = |from: usize| {
        let window = || from..from + RECOVERY_INTERVALS;
        window().all(|interval| sum(interval, false) == 0)
            && window().map(|interval| sum(interval, true)).sum::<u64>() > 0
    };
    let found = (first..(intervals + 1).saturating_sub(RECOVERY_INTERVALS)).find(|from| has_recovered(*from))?;
    Some((found as f64 * interval_s - round.healed_s).max(0.0))
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    Some((low, values.iter().copied().reduce(f64::max)?))
}
