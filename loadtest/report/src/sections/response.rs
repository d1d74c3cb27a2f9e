//! Response times in all sections: tables, percentile curves, and columns of the summary table.

use std::ops::RangeInclusive;

use engine::Experiment;
use engine::record::{Load, Quantiles, Record};
use evidence::statistics::Estimate;
use evidence::{Distribution, LatencyRow, LatencyTable, Level};

use super::grouping::{Panel, panels};
use super::parts::{SummaryColumn, invalid_count};
use super::scheme::{name_cell, row_groups};
use crate::chart::{Chart, ChartData, PercentileSeries, Points, Subject};
use crate::document::{Cell, Column, Table};
use crate::figure::{NONE, grouped, time};

/// A percentile of merged histograms.
type Pick = fn(&Quantiles) -> Option<u64>;
/// A statistic over the individual rounds.
type OfRounds = fn(&Distribution) -> Option<Estimate>;

/// Returns the heading of a level.
pub(super) fn heading(level: &Level) -> String {
    match level.load {
        Load::EqualRate { .. } => format!("At {level}, the same for every scheme"),
        Load::OfCapacity { fraction } => format!("At {:.0} % of each scheme's own capacity", fraction * 100.0),
        Load::AsPlanned | Load::Saturated => format!("At {level}"),
    }
}

/// Returns a table with percentiles of response time, service time and lag.
pub(super) fn response_table(record: &Record, rows: &[&LatencyRow]) -> Table {
    let cells = rows.iter().map(|row| (row.scheme.clone(), cells(record, row))).collect();
    let titles = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let mut columns = vec![Column::text("Scheme"), Column::figure("Achieved", "of planned requests/s")];
    columns.extend(titles.map(|title| Column::figure(title, "response")));
    columns.extend([Column::figure("p99", "service"), Column::figure("p99", "lag"), Column::figure("Rounds", "valid")]);
    Table {
        caption: "Response times".to_owned(),
        columns,
        groups: row_groups(record, cells),
        footnotes: vec![
            "† greyed: fewer than 100 samples above the percentile. Brackets hold the interval of the median over \
             the percentiles of the individual rounds; the percentile itself is that of all rounds merged."
                .to_owned(),
        ],
    }
}

fn cells(record: &Record, row: &LatencyRow) -> Vec<Cell> {
    let response = &row.response;
    let at = |quantile, pick: Pick| percentile(response, quantile, pick);
    let mut cells = vec![name_cell(record, &row.scheme), achieved_cell(row)];
    cells.extend([
        at(0.5, |found| found.p50).with_note(of_rounds(response.p50_of_rounds)),
        at(0.9, |found| found.p90),
        at(0.99, |found| found.p99).with_note(of_rounds(response.p99_of_rounds)),
        at(0.999, |found| found.p99_9),
        at(0.9999, |found| found.p99_99),
        Cell::new(response.quantiles.max.map_or(NONE.to_owned(), |us| time(us as f64))),
        percentile(&row.service, 0.99, |found| found.p99),
        percentile(&row.lag, 0.99, |found| found.p99),
        Cell::new(row.rounds.used.to_string()).with_note(invalid_count(row.rounds.excluded)),
    ]);
    cells
}

/// Formats a percentile, greyed if too few samples lie above it.
pub(super) fn percentile(of: &Distribution, quantile: f64, pick: Pick) -> Cell {
    match pick(&of.quantiles) {
        Some(us) => Cell::new(time(us as f64)).greyed_if(!of.quantiles.supports(quantile)),
        None => Cell::new(NONE),
    }
}

/// Formats the interval of an estimate over rounds, as times; empty if there is none.
pub(super) fn of_rounds(found: Option<Estimate>) -> String {
    let interval = found.and_then(|found| found.interval);
    interval.map(|interval| format!("[{}, {}]", time(interval.low), time(interval.high))).unwrap_or_default()
}

fn achieved_cell(row: &LatencyRow) -> Cell {
    let Some(achieved) = row.achieved_rps else { return Cell::new(NONE).with_note("no valid round") };
    let planned = row.planned_rps.map(|planned| format!("of {}", grouped(planned))).unwrap_or_default();
    Cell::new(grouped(achieved)).with_note(planned)
}

/// Steps of a percentile curve per unit of its axis, log10(1 / (1 - p)).
///
/// All curves share them, so that a tooltip shows every scheme at the same percentile.
pub(super) const STEPS_PER_DECADE: f64 = 20.0;

/// Returns percentile curves of all schemes at one level.
pub(super) fn percentile_charts(record: &Record, experiment: Experiment, rows: &[&LatencyRow]) -> Vec<Chart> {
    let rows = rows.iter().copied().filter(|row| row.response.quantiles.count > 0);
    let rows: Vec<(&str, &LatencyRow)> = rows.map(|row| (row.scheme.as_str(), row)).collect();
    panels(record, &rows).iter().filter_map(|panel| percentile_chart(record, experiment, panel)).collect()
}

fn percentile_chart(record: &Record, experiment: Experiment, panel: &Panel<&LatencyRow>) -> Option<Chart> {
    let rows = &panel.items;
    let level = rows.first().map(|row| &row.level)?;
    let p99 = |row: &&LatencyRow| row.response.quantiles.p99.map(|us| format!("{} {}", row.scheme, time(us as f64)));
    let texts: Vec<String> = rows.iter().filter_map(p99).collect();
    Some(Chart {
        name: format!("{experiment}{}{}", level.slug(), panel.suffix()),
        title: format!("{}{}", heading(level).replacen("At", "Percentiles at", 1), panel.subtitle()),
        alt: format!(
            "Percentile curves of response and service time at {}{}; response p99: {}.",
            level,
            panel.subtitle(),
            texts.join("; ")
        ),
        width: 860,
        height: 400,
        data: ChartData::Percentiles {
            shown: "response",
            legend: "solid: response · dashed: service · dotted: fewer than 100 samples above",
            series: rows.iter().map(|row| curves(record, row)).collect(),
        },
    })
}

fn curves(record: &Record, row: &LatencyRow) -> PercentileSeries {
    let count = row.response.quantiles.count as f64;
    let steps = |samples_above: f64| ((count / samples_above).log10().max(0.0) * STEPS_PER_DECADE) as u32;
    let (supported, end) = (steps(engine::record::MIN_SAMPLES_ABOVE), steps(1.0));
    PercentileSeries {
        subject: Subject::of(record, &row.scheme),
        shown: curve(&row.response, 0..=supported),
        doubtful: curve(&row.response, supported..=end),
        service: curve(&row.service, 0..=supported),
    }
}

fn curve(of: &Distribution, steps: RangeInclusive<u32>) -> Points {
    let point = |step: u32| {
        let at = f64::from(step) / STEPS_PER_DECADE;
        let us = of.histogram.value_at_quantile(1.0 - 10_f64.powf(-at));
        // The axis is logarithmic: a time of zero is drawn at the resolution of the clock.
        (at, us.max(1) as f64)
    };
    steps.map(point).collect()
}

/// Returns response times at the level that is most informative for all schemes; with a single load
/// also service times.
pub(super) fn summary_columns(table: &LatencyTable) -> Vec<SummaryColumn<'_>> {
    let Some(level) = representative_level(table) else { return Vec::new() };
    let alone = level.load == Load::AsPlanned;
    let at = if alone { String::new() } else { format!("at {level}") };
    let column = |title: &str, of: fn(&LatencyRow) -> &Distribution, quantile: f64, pick: Pick, rounds: OfRounds| {
        let cell = move |scheme: &str| {
            let row = table.rows.iter().find(|row| row.scheme == scheme && row.level == *level);
            let Some(found) = row.map(of) else { return Cell::new(NONE) };
            percentile(found, quantile, pick).with_note(of_rounds(rounds(found)))
        };
        SummaryColumn::new(Column::figure(title, at.clone()), cell)
    };
    let mut columns = vec![
        column("Response p50", |row| &row.response, 0.5, |found| found.p50, |found| found.p50_of_rounds),
        column("Response p99", |row| &row.response, 0.99, |found| found.p99, |found| found.p99_of_rounds),
    ];
    if alone {
        columns.push(column("Response p99.9", |row| &row.response, 0.999, |found| found.p99_9, |_| None));
        columns.push(column("Service p99", |row| &row.service, 0.99, |found| found.p99, |found| found.p99_of_rounds));
    }
    columns
}

/// Returns the most informative level: the highest equal rate, else the middle fraction of
/// capacity.
pub(super) fn representative_level(table: &LatencyTable) -> Option<&Level> {
    let levels = table.levels();
    let equal = levels.iter().copied().filter_map(|level| Some((level.load.equal_rate_rps()?, level)));
    let highest = equal.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, level)| level);
    highest.or_else(|| levels.get(levels.len() / 2).copied())
}
