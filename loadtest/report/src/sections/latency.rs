//! The section on response times.

use engine::record::{LatencyExperiment, Quantiles, Record};
use evidence::{LatencyRow, LatencyTable};

use super::grouping::{Panel, SchemeText, list_schemes, panels};
use super::parts::{Show, SummaryColumn, method, paragraph};
use super::response::{heading, of_rounds, percentile_charts, representative_level, response_table, summary_columns};
use super::workload;
use crate::chart::{Chart, ChartData, Points, Subject, ThroughputSeries};
use crate::document::Block;
use crate::figure::{listed, time};

impl Show for LatencyTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }

    fn columns<'table>(&'table self, _: &'table Record) -> Vec<SummaryColumn<'table>> {
        summary_columns(self)
    }
}

fn blocks(record: &Record, table: &LatencyTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(format!(
        "Requests arrive whether or not the server keeps up: {}. Response time is measured from the intended start \
         of a request, so a stall counts for every request that had to wait for it; service time is measured from \
         the actual send.",
        plan_text(record)
    ))];
    blocks.extend(throughput_charts(record, table).into_iter().map(Block::Chart));
    for level in table.levels() {
        let rows: Vec<&LatencyRow> = table.rows.iter().filter(|row| row.level == *level).collect();
        blocks.push(Block::Heading(heading(level)));
        blocks.extend(percentile_charts(record, table.experiment, &rows).into_iter().map(Block::Chart));
        blocks.push(Block::Table(response_table(record, &rows)));
    }
    blocks.extend(method(method_items(), limitations()));
    blocks
}

fn sentence(record: &Record, table: &LatencyTable) -> Option<String> {
    let level = representative_level(table)?;
    let rows = table.rows.iter().filter(|row| row.level == *level);
    let parts = rows.filter_map(|row| {
        let us = row.response.quantiles.p99?;
        let caveat = if row.response.quantiles.supports(0.99) { "" } else { " (too few samples to rely on)" };
        let interval = of_rounds(row.response.p99_of_rounds);
        let spread = if interval.is_empty() { String::new() } else { format!(" {interval}") };
        let text = format!("{}{spread} with `{}`{caveat}", time(us as f64), row.scheme);
        Some(SchemeText { scheme: &row.scheme, figure: us as f64, text })
    });
    let parts: Vec<SchemeText<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!("Latency: at {}, 99 % of the requests completed within{}.", level, list_schemes(record, parts, listed))
    })
}

fn plan_text(record: &Record) -> String {
    let plan = record
        .data::<LatencyExperiment>()
        .and_then(|data| data.rounds.first())
        .map(|round| workload::describe(&round.plan));
    plan.unwrap_or_else(|| "no round was measured".to_owned())
}

/// Returns charts of response time by achieved rate; none if every scheme has only one level.
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
    let series = panel.items.iter().map(|scheme| {
        let of_scheme: Vec<&LatencyRow> = rows.iter().copied().filter(|row| row.scheme == *scheme).collect();
        throughput(record, &of_scheme)
    });
    Chart {
        name: format!("throughput{}", panel.suffix()),
        title: format!("Response time by throughput{}", panel.subtitle()),
        alt: format!(
            "Median and 99th percentile of the response time by achieved rate{}, one line per scheme.",
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
        levels: rows.iter().map(|row| row.level.to_string()).collect(),
    }
}

fn method_items() -> Vec<String> {
    vec![
        "Open loop: a seeded schedule sets the intended start of each request, and the pacer keeps to it. When the \
         server stalls, no request is skipped or back-filled (no coordinated omission)."
            .to_owned(),
        "The histograms of all intervals inside the windows of valid rounds are merged, and the percentiles are read \
         from the merged histogram; percentiles are never averaged. `hdr/*.hlog` contains the same intervals."
            .to_owned(),
        "Lag is the actual send minus the intended start: the lateness of the generator itself plus the wait for a \
         free connection."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "In rounds of a few seconds, the 99th percentile varies by tens of percent from round to round: small \
         differences in the tail are not meaningful."
            .to_owned(),
        "At equal fractions of their own capacity, schemes run at different rates; at equal rates, they run at \
         different utilization. A comparison needs both views."
            .to_owned(),
    ]
}
