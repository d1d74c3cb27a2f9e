//! The `cost` experiment: CPU time of a request, less that of the control.

use std::collections::BTreeMap;

use contract::Scheme;
use engine::record::{LoadExperiment, Record, Round};

use crate::capacity::Capacity;
use crate::group::{Group, RoundCounts, groups};
use crate::statistics::{CONFIDENCE, Estimate, hodges_lehmann, hodges_lehmann_ratio};

/// CPU time of a request, by scheme.
#[derive(Clone, Debug)]
pub struct CostTable {
    /// Valid rounds of the control with CPU times: without any there are no differences.
    pub control_rounds: usize,
    /// One a scheme, the control among them.
    pub rows: Vec<CostRow>,
}

/// CPU time of a request with one scheme, in microseconds.
#[derive(Clone, Debug)]
pub struct CostRow {
    /// The scheme's id.
    pub scheme: String,
    /// Whether this is the control.
    pub is_control: bool,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// CPU time of the server a request.
    pub server_us: Option<Estimate>,
    /// CPU time of the store a request; none without a store, or where it was not seen.
    pub store_us: Option<Estimate>,
    /// Server and store together; none where a store was not seen.
    pub total_us: Option<Estimate>,
    /// CPU time of the generator a request: no cost of the scheme, but of measuring it.
    pub generator_us: Option<Estimate>,
    /// What the scheme adds to the control; none for the control, and without a valid control.
    pub over_control: Option<OverControl>,
    /// The highest rate it carried.
    pub capacity: Option<Capacity>,
    /// Commands that the store ran, a request, by name.
    pub store_commands: BTreeMap<String, f64>,
}

/// The cost of authentication: scheme minus control inside each block, in microseconds of CPU
/// time a request. Each is estimated by itself, so the parts add up nearly, not exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverControl {
    /// Of the server.
    pub server_us: Estimate,
    /// Of the store; none where it was not seen.
    pub store_us: Option<Estimate>,
    /// Of both; none where a store was not seen.
    pub total_us: Option<Estimate>,
    /// Both together as a multiple of the control's.
    pub ratio: Option<Estimate>,
}

/// CPU time of one round a request, in microseconds.
#[derive(Clone, Copy)]
struct Spent {
    server_us: f64,
    /// 0 without a store; none where there is one that was not seen.
    store_us: Option<f64>,
    generator_us: f64,
}

impl Spent {
    fn of(record: &Record, round: &Round) -> Option<Self> {
        let usage = round.usage.as_ref().filter(|usage| usage.requests > 0)?;
        let per_request_us = |spent_ns: u64| spent_ns as f64 / 1e3 / usage.requests as f64;
        let without_store = (!has_store(record, &round.scheme)).then_some(0.0);
        Some(Self {
            server_us: per_request_us(usage.server_cpu_ns),
            store_us: without_store.or_else(|| usage.store_cpu_ns.map(per_request_us)),
            generator_us: per_request_us(usage.generator_cpu_ns),
        })
    }

    fn total_us(&self) -> Option<f64> {
        self.store_us.map(|store_us| self.server_us + store_us)
    }
}

/// Whether the scheme keeps its state in a process of its own.
pub(crate) fn has_store(record: &Record, scheme: &str) -> bool {
    record.schemes.iter().any(|described| described.scheme == scheme && described.store.is_apart())
}

impl CostTable {
    pub(crate) fn of(record: &Record, load: &LoadExperiment) -> Self {
        let groups = groups(record, &load.rounds);
        let controls: Vec<&Round> = groups.iter().filter(|group| group.is_control()).flat_map(Group::valid).collect();
        Self {
            control_rounds: controls.iter().filter(|round| Spent::of(record, round).is_some()).count(),
            rows: groups.iter().map(|group| CostRow::of(record, group, &controls)).collect(),
        }
    }

    /// What the schemes add to the control, the control left out.
    pub fn differences(&self) -> impl Iterator<Item = (&CostRow, &OverControl)> {
        self.rows.iter().filter_map(|row| row.over_control.as_ref().map(|over| (row, over)))
    }
}

impl CostRow {
    pub(crate) fn of(record: &Record, group: &Group<'_>, controls: &[&Round]) -> Self {
        let spent: Vec<Spent> = group.valid().filter_map(|round| Spent::of(record, round)).collect();
        let with_store = has_store(record, group.scheme);
        Self {
            scheme: group.scheme.to_owned(),
            is_control: group.is_control(),
            rounds: group.count(),
            server_us: typical(spent.iter().map(|each| Some(each.server_us))),
            store_us: typical(spent.iter().map(|each| each.store_us.filter(|_| with_store))),
            total_us: typical(spent.iter().map(Spent::total_us)),
            generator_us: typical(spent.iter().map(|each| Some(each.generator_us))),
            over_control: if group.is_control() { None } else { OverControl::of(record, group, controls) },
            capacity: Capacity::of(record, group),
            store_commands: store_commands(group),
        }
    }
}

impl OverControl {
    /// Over these rounds of the control, which may be all of an experiment.
    pub(crate) fn of(record: &Record, group: &Group<'_>, controls: &[&Round]) -> Option<Self> {
        Self::of_pairs(&pairs(record, group, controls))
    }

    fn of_pairs(pairs: &[(Spent, Spent)]) -> Option<Self> {
        let total = |(scheme, control): &(Spent, Spent)| Some((scheme.total_us()?, control.total_us()?));
        let totals: Option<Vec<(f64, f64)>> = pairs.iter().map(total).collect();
        Some(Self {
            server_us: typical(pairs.iter().map(|(scheme, control)| Some(scheme.server_us - control.server_us)))?,
            store_us: typical(pairs.iter().map(|(scheme, control)| Some(scheme.store_us? - control.store_us?))),
            total_us: typical(pairs.iter().map(|(scheme, control)| Some(scheme.total_us()? - control.total_us()?))),
            ratio: totals.and_then(|totals| hodges_lehmann_ratio(&totals, CONFIDENCE)),
        })
    }
}

/// The typical value; none if one is missing.
fn typical(values: impl Iterator<Item = Option<f64>>) -> Option<Estimate> {
    hodges_lehmann(&values.collect::<Option<Vec<f64>>>()?, CONFIDENCE)
}

/// The scheme's rounds, each with the control's round of the same block. A store further away is none of the control's
/// business, so that one round of it stands for all distances.
fn pairs(record: &Record, group: &Group<'_>, controls: &[&Round]) -> Vec<(Spent, Spent)> {
    let pair = |round: &Round| {
        let beside = |control: &&&Round| {
            control.block == round.block && control.level.is_saturated() == round.level.is_saturated()
        };
        let control = controls.iter().find(beside)?;
        Some((Spent::of(record, round)?, Spent::of(record, control)?))
    };
    group.valid().filter_map(pair).collect()
}

/// The counts are those of whole rounds, so they are divided by all requests sent.
fn store_commands(group: &Group<'_>) -> BTreeMap<String, f64> {
    let (mut sent, mut commands) = (0, BTreeMap::<String, u64>::new());
    for round in group.valid() {
        if let Some(counted) = round.usage.as_ref().and_then(|usage| usage.store_commands.as_ref()) {
            sent += round.counts.sent();
            for (name, count) in counted {
                *commands.entry(name.to_uppercase()).or_default() += count;
            }
        }
    }
    commands.into_iter().filter(|_| sent > 0).map(|(name, count)| (name, count as f64 / sent as f64)).collect()
}

/// Whether this is the control's id.
#[must_use]
pub fn is_control(scheme: &str) -> bool {
    scheme == Scheme::CONTROL.id()
}
