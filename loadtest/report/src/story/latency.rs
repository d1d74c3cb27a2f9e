//! The section on response times.

use std::ops::RangeInclusive;

use engine::record::{Experiment, Level, Quantiles, Record};
use evidence::statistics::Estimate;
use evidence::{Distribution, LatencyRow, LatencyTable, level_name};

use super::cost::left_out;
use super::many::{Panel, panels};
use super::scheme::{name_cell, row_groups};
use super::{method, paragraph, workload};
use crate::chart::{Chart, ChartData, PercentileSeries, Points, Subject, ThroughputSeries};
use crate::document::{Block, Cell, Column, Section, Table};
use crate::figure::{NONE, grouped, time};
use crate::slug::level_slug;

pub(super) fn section(record: &Record, table: &LatencyTable) -> Section {
    let mut blocks = vec![paragraph(format!(
        "Requests arrive whether or not the server keeps up: {}. Response time counts from the moment a request was \
         due, so a stall is charged to every request that had to wait for it; service time counts from the actual send.",
        plan_words(record)
    ))];
    blocks.extend(throughput_charts(record, table).into_iter().map(Block::Chart));
    for level in table.levels() {
        let rows: Vec<&LatencyRow> = table.rows.iter().filter(|row| row.level == *level).collect();
        blocks.push(Block::Heading(heading(level)));
        blocks.extend(percentile_charts(record, table.experiment, &rows).into_iter().map(Block::Chart));
        blocks.push(Block::Table(response_table(record, &rows)));
    }
    blocks.extend(method(how(), limits()));
    super::section("latency", "Response times", blocks)
}

fn plan_words(record: &Record) -> String {
    let plan = record.experiments.iter().find_map(|experiment| match experiment {
        Experiment::Latency(load) => load.rounds.first().map(|round| workload::words(&round.plan)),
        _ => None,
    });
    plan.unwrap_or_else(|| "no round was measured".to_owned())
}

fn heading(level: &Level) -> String {
    match level {
        Level::EqualRate { .. } => format!("At {}, the same for every scheme", level_name(level)),
        Level::OfCapacity { fraction } => format!("At {:.0} % of each scheme's own capacity", fraction * 100.0),
        _ => format!("At {}", level_name(level)),
    }
}

/// Percentiles of response, service and lag.
pub(super) fn response_table(record: &Record, rows: &[&LatencyRow]) -> Table {
    let cells = rows.iter().map(|row| (row.scheme.clone(), cells(record, row))).collect();
    let titles = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let mut columns = vec![Column::text("Scheme"), Column::figure("Carried", "of planned requests/s")];
    columns.extend(titles.map(|title| Column::figure(title, "response")));
    columns.extend([Column::figure("p99", "service"), Column::figure("p99", "lag"), Column::figure("Rounds", "valid")]);
    Table {
        caption: "Response times".to_owned(),
        columns,
        groups: row_groups(record, cells),
        footnotes: vec![
            "† greyed: fewer than 100 samples lie above it. In brackets: the interval of the rounds' own percentiles about \
             their median; the percentile itself is that of all rounds merged."
                .to_owned(),
        ],
    }
}

fn cells(record: &Record, row: &LatencyRow) -> Vec<Cell> {
    let response = &row.response;
    let at = |quantile, pick: fn(&Quantiles) -> Option<u64>| percentile(response, quantile, pick);
    let mut cells = vec![name_cell(record, &row.scheme), carried(row)];
    cells.extend([
        at(0.5, |found| found.p50).with_note(of_rounds(response.p50_of_rounds)),
        at(0.9, |found| found.p90),
        at(0.99, |found| found.p99).with_note(of_rounds(response.p99_of_rounds)),
        at(0.999, |found| found.p99_9),
        at(0.9999, |found| found.p99_99),
        Cell::new(response.quantiles.max.map_or(NONE.to_owned(), |us| time(us as f64))),
        percentile(&row.service, 0.99, |found| found.p99),
        percentile(&row.lag, 0.99, |found| found.p99),
        Cell::new(row.rounds.used.to_string()).with_note(left_out(row.rounds.excluded)),
    ]);
    cells
}

/// A percentile, greyed where too few samples lie above it.
pub(super) fn percentile(of: &Distribution, quantile: f64, pick: fn(&Quantiles) -> Option<u64>) -> Cell {
    match pick(&of.quantiles) {
        Some(us) => Cell::new(time(us as f64)).weak_if(!of.quantiles.supports(quantile)),
        None => Cell::new(NONE),
    }
}

/// The interval of an estimate over rounds, as times; empty if there is none.
pub(super) fn of_rounds(found: Option<Estimate>) -> String {
    let interval = found.and_then(|found| found.interval);
    interval.map(|interval| format!("[{}, {}]", time(interval.low), time(interval.high))).unwrap_or_default()
}

fn carried(row: &LatencyRow) -> Cell {
    let Some(achieved) = row.achieved_rps else { return Cell::new(NONE).with_note("none valid") };
    let planned = row.planned_rps.map(|planned| format!("of {}", grouped(planned))).unwrap_or_default();
    Cell::new(grouped(achieved)).with_note(planned)
}

/// Steps of a percentile curve for a unit of its axis, log10(1 / (1 - p)). All curves share them,
/// so that a read-out finds every scheme at the same percentile.
pub(super) const STEPS_PER_DECADE: f64 = 20.0;

/// Percentile curves of all schemes at one level.
pub(super) fn percentile_charts(record: &Record, experiment: &str, rows: &[&LatencyRow]) -> Vec<Chart> {
    let rows = rows.iter().copied().filter(|row| row.response.quantiles.count > 0);
    let rows: Vec<(&str, &LatencyRow)> = rows.map(|row| (row.scheme.as_str(), row)).collect();
    panels(record, &rows).iter().filter_map(|panel| percentile_chart(record, experiment, panel)).collect()
}

fn percentile_chart(record: &Record, experiment: &str, panel: &Panel<&LatencyRow>) -> Option<Chart> {
    let rows = &panel.things;
    let level = rows.first().map(|row| &row.level)?;
    let p99 = |row: &&LatencyRow| row.response.quantiles.p99.map(|us| format!("{} {}", row.scheme, time(us as f64)));
    let said: Vec<String> = rows.iter().filter_map(p99).collect();
    Some(Chart {
        name: format!("{experiment}{}{}", level_slug(level), panel.suffix()),
        title: format!("{}{}", heading(level).replacen("At", "Percentiles at", 1), panel.subtitle()),
        alt: format!(
            "Percentile curves of response and service time at {}{}; response p99: {}.",
            level_name(level),
            panel.subtitle(),
            said.join("; ")
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
        // The axis is logarithmic: a time of zero is drawn at the clock's grain.
        (at, us.max(1) as f64)
    };
    steps.map(point).collect()
}

/// Response times against the rate carried: none where every scheme has one level only.
fn throughput_charts(record: &Record, table: &LatencyTable) -> Vec<Chart> {
    let mut rows: Vec<&LatencyRow> = table.rows.iter().filter(|row| row.response.quantiles.count > 0).collect();
    rows.sort_by(|left, right| left.achieved_rps.unwrap_or(0.0).total_cmp(&right.achieved_rps.unwrap_or(0.0)));
    let mut schemes: Vec<&str> = vec![];
    for row in &table.rows {
        if !schemes.contains(&row.scheme.as_str()) && rows.iter().any(|other| other.scheme == row.scheme) {
            schemes.push(&row.scheme);
        }
    }
    if schemes.iter().all(|scheme| rows.iter().filter(|row| row.scheme == *scheme).count() < 2) {
        return vec![];
    }
    let schemes: Vec<(&str, &str)> = schemes.into_iter().map(|scheme| (scheme, scheme)).collect();
    panels(record, &schemes).iter().map(|panel| throughput_chart(record, &rows, panel)).collect()
}

fn throughput_chart(record: &Record, rows: &[&LatencyRow], panel: &Panel<&str>) -> Chart {
    let series = panel.things.iter().map(|scheme| {
        let own: Vec<&LatencyRow> = rows.iter().copied().filter(|row| row.scheme == *scheme).collect();
        throughput(record, &own)
    });
    Chart {
        name: format!("throughput{}", panel.suffix()),
        title: format!("Throughput against response time{}", panel.subtitle()),
        alt: format!(
            "Median and 99th percentile of the response time against the rate carried{}, one line a scheme.",
            panel.subtitle()
        ),
        width: 860,
        height: 400,
        data: ChartData::Throughput { series: series.collect() },
    }
}

fn throughput(record: &Record, rows: &[&LatencyRow]) -> ThroughputSeries {
    let points = |pick: fn(&Quantiles) -> Option<u64>| -> Points {
        let point = |row: &&LatencyRow| Some((row.achieved_rps?.round(), pick(&row.response.quantiles)?.max(1) as f64));
        rows.iter().filter_map(point).collect()
    };
    ThroughputSeries {
        subject: Subject::of(record, &rows[0].scheme),
        p50: points(|found| found.p50),
        p99: points(|found| found.p99),
        levels: rows.iter().map(|row| level_name(&row.level)).collect(),
    }
}

fn how() -> Vec<String> {
    vec![
        "Open loop: a seeded schedule says when each request is due; the pacer keeps to it. Nothing is left out or \
         back-filled when the server stalls (no coordinated omission)."
            .to_owned(),
        "The histograms of all intervals inside the windows of valid rounds are merged, and the percentiles read from the \
         sum; percentiles are never averaged. The same intervals stand in `hdr/*.hlog`."
            .to_owned(),
        "Lag is the actual send minus the moment the request was due: the generator's own lateness and the wait for a \
         free connection."
            .to_owned(),
    ]
}

fn limits() -> Vec<String> {
    vec![
        "The 99th percentile of a round of a few seconds moves by tens of percent from round to round: small differences \
         in the tail mean nothing."
            .to_owned(),
        "At equal shares of their own capacity schemes run at different rates; at equal rates they are differently full. \
         Neither alone is the whole comparison."
            .to_owned(),
    ]
}
