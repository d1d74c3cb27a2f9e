//! The section of `authbench load`: one load on one target.

use engine::record::{LoadExperiment, Record, Round};
use evidence::{LatencyRow, LatencyTable, LoadTable, Timeline};

use super::parts::{Show, SummaryColumn, paragraph};
use super::response::{percentile_charts, response_table, summary_columns};
use super::workload;
use crate::chart::{Chart, ChartData, TimelinePoint};
use crate::document::{Block, Cell, Column, RowGroup, Table};
use crate::figure::{NONE, grouped, plain, time};

/// The most loads of a record that are drawn: drawing hundreds takes too long.
const MOST_TIMELINES: usize = 12;

impl Show for LoadTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, _: &Record) -> Option<String> {
        Some(sentence(&self.latency))
    }

    fn columns<'table>(&'table self, _: &'table Record) -> Vec<SummaryColumn<'table>> {
        summary_columns(&self.latency)
    }
}

fn blocks(record: &Record, table: &LoadTable) -> Vec<Block> {
    let plan = rounds(record)
        .first()
        .map_or_else(|| "no round was measured".to_owned(), |round| workload::describe(&round.plan));
    let mut blocks = vec![paragraph(format!(
        "The load: {plan}. Response time is measured from the intended start of a request, service time from its \
         actual send."
    ))];
    let drawn = &table.timelines[..table.timelines.len().min(MOST_TIMELINES)];
    blocks.extend(drawn.iter().enumerate().filter_map(|(place, line)| timeline(record, line, place)).map(Block::Chart));
    blocks.extend(drawn.iter().find_map(merged).map(paragraph));
    if drawn.len() < table.timelines.len() {
        let all = grouped(table.timelines.len() as f64);
        blocks.push(paragraph(format!("The charts over time show the first {MOST_TIMELINES} of {all} rounds.")));
    }
    let rows: Vec<&LatencyRow> = table.latency.rows.iter().collect();
    blocks.extend(percentile_charts(record, table.latency.experiment, &rows).into_iter().map(Block::Chart));
    blocks.push(Block::Table(response_table(record, &rows)));
    blocks.push(Block::Table(requests_table(record, &table.latency)));
    blocks
}

fn sentence(table: &LatencyTable) -> String {
    table.rows.iter().map(load_of).collect::<Vec<_>>().join(" ")
}

fn load_of(row: &LatencyRow) -> String {
    let scheme = &row.scheme;
    let (Some(p50), Some(p99)) = (row.response.quantiles.p50, row.response.quantiles.p99) else {
        return format!(
            "`{scheme}` has no valid round, so no result is reported for it; the tables below show its figures as \
             invalid."
        );
    };
    let planned = row.planned_rps.map(|planned| format!(" of {} planned", grouped(planned))).unwrap_or_default();
    let achieved = grouped(row.achieved_rps.unwrap_or(0.0));
    let (p50, p99) = (time(p50 as f64), time(p99 as f64));
    let service = row.service.quantiles.p99.map(|us| time(us as f64)).unwrap_or_default();
    format!(
        "`{scheme}` achieved {achieved} requests/s{planned}. Half of the requests completed within {p50} of their \
         intended start, 99 % within {p99}; measured from the actual send, 99 % completed within {service}."
    )
}

fn rounds(record: &Record) -> &[Round] {
    record.data::<LoadExperiment>().map_or(&[], |load| &load.rounds)
}

/// Explains the points of the chart over time if they cover more than one interval.
fn merged(line: &Timeline) -> Option<String> {
    (line.intervals_per_point > 1).then(|| {
        format!(
            "There are more intervals than the chart can show. Each point covers up to {} intervals: their \
             histograms are merged, and its percentiles are those of all their requests.",
            line.intervals_per_point
        )
    })
}

fn timeline(record: &Record, line: &Timeline, place: usize) -> Option<Chart> {
    let window = rounds(record).get(place)?.window;
    let point = |point: &evidence::TimelinePoint| TimelinePoint {
        start_s: point.start_s,
        rate_rps: point.rate_rps.round(),
        failed: point.failed,
        response_us_p50: point.response_us_p50,
        response_us_p99: point.response_us_p99,
        service_us_p99: point.service_us_p99,
    };
    let suffix = if place == 0 { String::new() } else { format!("-{}", place + 1) };
    (!line.points.is_empty()).then(|| Chart {
        name: format!("timeline{suffix}"),
        title: "Load over time".to_owned(),
        alt: "Response p50 and p99, service p99 and the rate of requests due, for every interval of the round."
            .to_owned(),
        width: 860,
        height: 460,
        data: ChartData::Timeline {
            window: (window.start_s, window.end_s),
            points: line.points.iter().map(point).collect(),
        },
    })
}

fn requests_table(record: &Record, table: &LatencyTable) -> Table {
    let rounds = rounds(record).iter().map(requests_cells).collect();
    let cpu = table.rows.iter().filter_map(|row| row.cpu).map(|cpu| {
        let store = cpu.store_us.map(|us| format!(", store {} µs", plain(us))).unwrap_or_default();
        format!(
            "CPU time per request in the valid rounds: server {} µs{store}, generator {} µs. At low rates CPU time \
             varies widely; use the cost experiment of `authbench compare` to measure it.",
            plain(cpu.server_us),
            plain(cpu.generator_us)
        )
    });
    Table {
        caption: "Requests of the whole round, including warm-up".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Planned", "requests"),
            Column::figure("Successful", "requests"),
            Column::figure("Failed", "requests"),
            Column::figure("Not sent", "requests"),
            Column::figure("Warm-up", "s"),
            Column::text("Validity"),
        ],
        groups: vec![RowGroup { title: String::new(), rows: rounds }],
        footnotes: cpu.collect(),
    }
}

fn requests_cells(round: &Round) -> Vec<Cell> {
    let counts = &round.counts;
    let number = |count: u64| grouped(count as f64);
    let kinds: Vec<String> = counts.errors.iter().map(|(kind, count)| format!("{kind}: {}", number(*count))).collect();
    let validity = if round.validity.valid { "valid".to_owned() } else { "invalid".to_owned() };
    vec![
        Cell::new(format!("`{}`", round.scheme)),
        Cell::new(counts.planned.map_or(NONE.to_owned(), number)),
        Cell::new(number(counts.ok)),
        Cell::new(number(counts.failed())).with_note(kinds.join(", ")),
        Cell::new(number(counts.unsent)),
        Cell::new(plain(round.window.start_s)).with_note(if round.window.warmup_detected { "detected" } else { "set" }),
        Cell::new(validity).with_note(round.validity.reasons.join("; ")),
    ]
}
