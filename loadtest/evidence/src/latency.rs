//! Response times in open loops: the `latency` experiment, and `authbench load`.

use engine::Experiment;
use engine::record::{EncodedHistogram, Interval, LatencyExperiment, Quantiles, Record, Round, empty_histogram};
use hdrhistogram::Histogram;

use crate::group::{Group, Place, RoundCounts, groups};
use crate::level::{Level, Leveled};
use crate::statistics::{CONFIDENCE, Estimate, median};
use crate::{Analyse, EvidenceError, UnusableHistogram, Warning, warnings};

/// Response times, by scheme and level.
#[derive(Clone, Debug)]
pub struct LatencyTable {
    /// The experiment.
    pub experiment: Experiment,
    /// One row per scheme and level.
    pub rows: Vec<LatencyRow>,
}

/// Response times of one scheme at one level.
#[derive(Clone, Debug)]
pub struct LatencyRow {
    /// The scheme's id.
    pub scheme: String,
    /// The level.
    pub level: Level,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// Requests per second planned, the mean of the valid rounds; none in a closed loop.
    pub planned_rps: Option<f64>,
    /// Requests per second finished, the mean of the valid rounds; none without any.
    pub achieved_rps: Option<f64>,
    /// From the intended start to the last body byte.
    pub response: Distribution,
    /// From the actual send to the last body byte.
    pub service: Distribution,
    /// Actual send minus intended start.
    pub lag: Distribution,
    /// CPU time; none if the processes were not observed.
    pub cpu: Option<CpuPerRequest>,
}

/// Times in microseconds: the histograms of all intervals that count, merged.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// The merged histogram.
    pub histogram: Histogram<u64>,
    /// Its quantiles.
    pub quantiles: Quantiles,
    /// The median of the rounds' own medians: how much they differ from round to round.
    pub p50_of_rounds: Option<Estimate>,
    /// The median of the rounds' own 99th percentiles.
    pub p99_of_rounds: Option<Estimate>,
}

/// CPU time per request in microseconds, over all valid rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuPerRequest {
    /// Of the server.
    pub server_us: f64,
    /// Of the store; none if there is none or it was not observed.
    pub store_us: Option<f64>,
    /// Of the generator.
    pub generator_us: f64,
}

impl Analyse for LatencyExperiment {
    type Table = LatencyTable;

    fn analyse(&self, record: &Record) -> Result<Option<LatencyTable>, EvidenceError> {
        LatencyTable::of(Self::EXPERIMENT, &groups(record, &self.rounds)).map(Some)
    }

    fn warnings(&self, record: &Record, table: Option<&LatencyTable>) -> Vec<Warning> {
        let mut warnings = warnings::for_groups(Self::EXPERIMENT, &self.groups(record));
        warnings.extend(table.into_iter().flat_map(warnings::for_latency));
        warnings
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        groups(record, &self.rounds)
    }
}

impl LatencyTable {
    pub(crate) fn of<R: Leveled>(experiment: Experiment, groups: &[Group<'_, R>]) -> Result<Self, EvidenceError> {
        let rows: Result<_, _> = groups.iter().map(|group| LatencyRow::of(experiment, group)).collect();
        Ok(Self { experiment, rows: rows? })
    }

    /// Returns the distinct levels of the table, in its order.
    #[must_use]
    pub fn levels(&self) -> Vec<&Level> {
        let mut levels: Vec<&Level> = Vec::new();
        for row in &self.rows {
            if !levels.contains(&&row.level) {
                levels.push(&row.level);
            }
        }
        levels
    }
}

impl LatencyRow {
    pub(crate) fn of<R: Leveled>(experiment: Experiment, group: &Group<'_, R>) -> Result<Self, EvidenceError> {
        let distribution =
            |of: IntervalHistogram, quantiles: RoundQuantiles| Distribution::of(experiment, group, of, quantiles);
        Ok(Self {
            scheme: group.scheme.to_owned(),
            level: group.level.clone(),
            rounds: group.count(),
            planned_rps: average(group.valid().filter_map(|round| round.planned_rps)),
            achieved_rps: average(group.valid().map(|round| round.achieved_rps)),
            response: distribution(|interval| &interval.response_us, |round| &round.response_us)?,
            service: distribution(|interval| &interval.service_us, |round| &round.service_us)?,
            lag: distribution(|interval| &interval.lag_us, |round| &round.lag_us)?,
            cpu: CpuPerRequest::of(group),
        })
    }

    /// Its place in the experiment.
    #[must_use]
    pub fn place(&self, experiment: Experiment) -> Place {
        Place { experiment, scheme: self.scheme.clone(), level: self.level.clone() }
    }
}

type IntervalHistogram = fn(&Interval) -> &EncodedHistogram;
type RoundQuantiles = fn(&Round) -> &Quantiles;

impl Distribution {
    fn of<R: Leveled>(
        experiment: Experiment,
        group: &Group<'_, R>,
        of: IntervalHistogram,
        quantiles: RoundQuantiles,
    ) -> Result<Self, EvidenceError> {
        let mut histogram = empty_histogram();
        for (round, interval, _) in group.intervals().filter(|(_, _, counts)| *counts) {
            merge(&mut histogram, of(interval)).map_err(|source| EvidenceError::new(experiment, round, source))?;
        }
        let over_rounds = |pick: fn(&Quantiles) -> Option<u64>| {
            let values: Vec<f64> =
                group.valid().filter_map(|round| pick(quantiles(round))).map(|us| us as f64).collect();
            median(&values, CONFIDENCE)
        };
        Ok(Self {
            quantiles: Quantiles::of(&histogram),
            p50_of_rounds: over_rounds(|found| found.p50),
            p99_of_rounds: over_rounds(|found| found.p99),
            histogram,
        })
    }
}

/// Adds an encoded histogram to a sum.
pub(crate) fn merge(sum: &mut Histogram<u64>, part: &EncodedHistogram) -> Result<(), UnusableHistogram> {
    sum.add(part.decode()?)?;
    Ok(())
}

impl CpuPerRequest {
    fn of<R: Leveled>(group: &Group<'_, R>) -> Option<Self> {
        let usages: Vec<_> = group.valid().filter_map(|round| round.usage.as_ref()).collect();
        let requests: u64 = usages.iter().map(|usage| usage.requests).sum();
        let per_request_us = |spent_ns: u64| spent_ns as f64 / 1e3 / requests as f64;
        let store_ns: Option<u64> = usages.iter().map(|usage| usage.store_cpu_ns).sum();
        (requests > 0).then(|| Self {
            server_us: per_request_us(usages.iter().map(|usage| usage.server_cpu_ns).sum()),
            store_us: store_ns.map(per_request_us),
            generator_us: per_request_us(usages.iter().map(|usage| usage.generator_cpu_ns).sum()),
        })
    }
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
