//! The `cost` experiment: CPU time per request, minus that of the control.

use std::collections::BTreeMap;

use contract::Scheme;
use engine::record::{CostExperiment, Load, Record, Round};

use crate::capacity::{Capacity, Part};
use crate::group::{Group, Place, RoundCounts, groups};
use crate::level::{Level, Leveled};
use crate::statistics::{CONFIDENCE, Estimate, hodges_lehmann, hodges_lehmann_ratio, min_samples};
use crate::warning::{if_any, no_control, too_few_rounds};
use crate::{Analyse, EvidenceError, Topic, Warning, warnings};

/// CPU time per request, by scheme.
#[derive(Clone, Debug)]
pub struct CostTable {
    /// Valid rounds of the control with CPU times; without any there are no differences.
    pub control_rounds: usize,
    /// One row per scheme, including the control.
    pub rows: Vec<CostRow>,
}

/// CPU time per request with one scheme, in microseconds.
#[derive(Clone, Debug)]
pub struct CostRow {
    /// The scheme's id.
    pub scheme: String,
    /// Whether this is the control.
    pub is_control: bool,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// CPU time of the server per request.
    pub server_us: Option<Estimate>,
    /// CPU time of the store per request; none without a store, or if it was not observed.
    pub store_us: Option<Estimate>,
    /// Server and store together; none if a store was not observed.
    pub total_us: Option<Estimate>,
    /// CPU time of the generator per request: a cost of the measurement, not of the scheme.
    pub generator_us: Option<Estimate>,
    /// What the scheme adds to the control; none for the control, and without a valid control.
    pub over_control: Option<OverControl>,
    /// The highest rate that the scheme sustained.
    pub capacity: Option<Capacity>,
    /// Commands that the store ran per request, by name.
    pub store_commands: BTreeMap<String, f64>,
}

/// The cost of authentication: scheme minus control within each block.
///
/// In microseconds of CPU time per request. Each part is estimated separately, so the parts add up
/// only approximately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverControl {
    /// Of the server.
    pub server_us: Estimate,
    /// Of the store; none if it was not observed.
    pub store_us: Option<Estimate>,
    /// Of both; none if a store was not observed.
    pub total_us: Option<Estimate>,
    /// Both together as a multiple of the control's.
    pub ratio: Option<Estimate>,
}

/// CPU time per request of one round, in microseconds.
#[derive(Clone, Copy)]
struct CpuTime {
    server_us: f64,
    /// 0 without a store; none if there is one that was not observed.
    store_us: Option<f64>,
    generator_us: f64,
}

impl CpuTime {
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

/// Returns whether the scheme keeps its state in a separate process.
pub(crate) fn has_store(record: &Record, scheme: &str) -> bool {
    record.schemes.iter().any(|described| described.scheme == scheme && described.store.is_external())
}

impl Analyse for CostExperiment {
    type Table = CostTable;

    fn analyse(&self, record: &Record) -> Result<Option<CostTable>, EvidenceError> {
        Ok(Some(CostTable::of(record, &self.groups(record))))
    }

    fn warnings(&self, record: &Record, table: Option<&CostTable>) -> Vec<Warning> {
        let mut warnings = warnings::for_groups(Self::EXPERIMENT, &self.groups(record));
        warnings.extend(table.into_iter().flat_map(CostTable::warnings));
        warnings
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        groups(record, &self.rounds)
    }
}

impl CostTable {
    fn of(record: &Record, groups: &[Group<'_>]) -> Self {
        let controls: Vec<&Round> = groups.iter().filter(|group| group.is_control()).flat_map(Group::valid).collect();
        Self {
            control_rounds: controls.iter().filter(|round| CpuTime::of(record, round).is_some()).count(),
            rows: groups.iter().map(|group| CostRow::of(record, group, &controls)).collect(),
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let experiment = CostExperiment::EXPERIMENT;
        let warn_about = |topic: Topic, applies: &dyn Fn(&CostRow) -> bool, text: &dyn Fn(&str) -> String| {
            let rows = self.rows.iter().filter(|row| row.rounds.used > 0 && applies(row));
            let schemes: Vec<&str> = rows.map(|row| row.scheme.as_str()).collect();
            if_any(&schemes, |schemes| topic.warning(text(&schemes.join(", "))))
        };
        let has = |row: &CostRow, applies: fn(&Capacity) -> bool| row.capacity.as_ref().is_some_and(applies);
        let few = self.differences().filter(|(_, over)| over.server_us.interval.is_none());
        let place = |scheme: &str| Place { experiment, scheme: scheme.to_owned(), level: Level::of(Load::Saturated) };
        let few: Vec<_> = few.map(|(row, over)| (place(&row.scheme), over.server_us.samples)).collect();
        let found = [
            (self.control_rounds == 0).then(|| no_control(experiment)),
            too_few_rounds(experiment, min_samples(CONFIDENCE), &few),
            warn_about(Topic::Statistics, &|row| row.server_us.is_none(), &|schemes| {
                format!(
                    "The processes of {schemes} could not be observed, so there is no CPU time for them; run the servers on this machine."
                )
            }),
            warn_about(Topic::Statistics, &|row| row.server_us.is_some() && row.total_us.is_none(), &|schemes| {
                format!(
                    "The store of {schemes} could not be observed: its CPU time is missing from the cost, not zero."
                )
            }),
            warn_about(
                Topic::Comparison,
                &|row| has(row, |capacity| capacity.is_lower_bound() && !capacity.shared),
                &|schemes| {
                    format!(
                        "The generator was saturated before the server of {schemes}: the capacity is a lower bound."
                    )
                },
            ),
            warn_about(
                Topic::Comparison,
                &|row| has(row, |capacity| capacity.saturated.is_empty() && !capacity.busy.is_empty()),
                &|schemes| {
                    format!(
                        "No part was saturated at the capacity of {schemes}: there were too few connections, or \
                         other programs used the CPUs. Neither its capacity nor its CPU time is that of a saturated \
                         server."
                    )
                },
            ),
            warn_about(Topic::Comparison, &|row| has(row, |capacity| capacity.shared), &|schemes| {
                format!(
                    "{} shared saturated CPUs at the capacity of {schemes}: it is the capacity of the whole setup, \
                     including the generator, and not that of the server.",
                    self.saturated_shared_parts().join(" and ")
                )
            }),
        ];
        found.into_iter().flatten().collect()
    }

    /// Returns the parts that were saturated on CPUs that they share.
    fn saturated_shared_parts(&self) -> Vec<String> {
        let shared = || self.rows.iter().filter_map(|row| row.capacity.as_ref()).filter(|capacity| capacity.shared);
        let saturated = |part: &Part| shared().any(|capacity| capacity.saturated.contains(part));
        let parts = [Part::Server, Part::Store, Part::Generator].into_iter().filter(saturated);
        parts.map(|part| part.to_string()).collect()
    }

    /// Returns what the schemes add to the control; the control itself is left out.
    pub fn differences(&self) -> impl Iterator<Item = (&CostRow, &OverControl)> {
        self.rows.iter().filter_map(|row| row.over_control.as_ref().map(|over| (row, over)))
    }
}

impl CostRow {
    pub(crate) fn of<R: Leveled>(record: &Record, group: &Group<'_, R>, controls: &[&Round]) -> Self {
        let times: Vec<CpuTime> = group.valid().filter_map(|round| CpuTime::of(record, round)).collect();
        let with_store = has_store(record, group.scheme);
        Self {
            scheme: group.scheme.to_owned(),
            is_control: group.is_control(),
            rounds: group.count(),
            server_us: typical(times.iter().map(|each| Some(each.server_us))),
            store_us: typical(times.iter().map(|each| each.store_us.filter(|_| with_store))),
            total_us: typical(times.iter().map(CpuTime::total_us)),
            generator_us: typical(times.iter().map(|each| Some(each.generator_us))),
            over_control: if group.is_control() { None } else { OverControl::of(record, group, controls) },
            capacity: Capacity::of(record, group),
            store_commands: store_commands(group),
        }
    }
}

impl OverControl {
    /// Compares with these rounds of the control, which may be all rounds of an experiment.
    pub(crate) fn of<R: Leveled>(record: &Record, group: &Group<'_, R>, controls: &[&Round]) -> Option<Self> {
        Self::of_pairs(&pairs(record, group, controls))
    }

    fn of_pairs(pairs: &[(CpuTime, CpuTime)]) -> Option<Self> {
        let total = |(scheme, control): &(CpuTime, CpuTime)| Some((scheme.total_us()?, control.total_us()?));
        let totals: Option<Vec<(f64, f64)>> = pairs.iter().map(total).collect();
        Some(Self {
            server_us: typical(pairs.iter().map(|(scheme, control)| Some(scheme.server_us - control.server_us)))?,
            store_us: typical(pairs.iter().map(|(scheme, control)| Some(scheme.store_us? - control.store_us?))),
            total_us: typical(pairs.iter().map(|(scheme, control)| Some(scheme.total_us()? - control.total_us()?))),
            ratio: totals.and_then(|totals| hodges_lehmann_ratio(&totals, CONFIDENCE)),
        })
    }
}

/// Returns the typical value; none if one is missing.
fn typical(values: impl Iterator<Item = Option<f64>>) -> Option<Estimate> {
    hodges_lehmann(&values.collect::<Option<Vec<f64>>>()?, CONFIDENCE)
}

/// Pairs the scheme's rounds with the control's rounds of the same block.
///
/// The control uses no store, so one round of it serves for all store round-trip times.
fn pairs<R: Leveled>(record: &Record, group: &Group<'_, R>, controls: &[&Round]) -> Vec<(CpuTime, CpuTime)> {
    let pair = |round: &Round| {
        let same_block = |control: &&&Round| {
            control.block == round.block && control.load.is_saturated() == round.load.is_saturated()
        };
        let control = controls.iter().find(same_block)?;
        Some((CpuTime::of(record, round)?, CpuTime::of(record, control)?))
    };
    group.valid().filter_map(pair).collect()
}

/// Returns commands per request: counts cover whole rounds, so they are divided by all requests
/// sent.
fn store_commands<R: Leveled>(group: &Group<'_, R>) -> BTreeMap<String, f64> {
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

/// Returns whether this is the id of the control.
#[must_use]
pub fn is_control(scheme: &str) -> bool {
    scheme == Scheme::CONTROL.id()
}
