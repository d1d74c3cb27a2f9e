//! The section on the store round-trip time.

use engine::record::Record;
use evidence::{Crossover, CrossoverRtt, Distance, LatencyRow, RoundTrips, RttRow, RttTable, is_control};

use super::grouping::{Panel, SchemeText, list_after_colon, panels};
use super::parts::{Show, estimated, method, paragraph};
use super::response::{of_rounds, percentile};
use super::scheme::{name_cell, row_groups};
use crate::chart::{Chart, ChartData, LineAxis, LineSeries, LineUnit, Subject};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, grouped, listed, time, two_decimals};

/// The end of the chart, in microseconds: crossovers are at short round-trip times.
const CHART_US: u32 = 1_000;

impl Show for RttTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }
}

fn blocks(record: &Record, table: &RttTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(format!(
        "A network lies between server and store. This section shows the effect of its round-trip time on response \
         times, at {} requests/s and without queueing, and on the CPU time per request.",
        rate(table)
    ))];
    blocks.extend(charts(record, table).into_iter().map(Block::Chart));
    blocks.push(Block::Table(response_table(record, table)));
    if !table.crossovers.is_empty() {
        blocks.push(Block::Table(crossover_table(record, table)));
    }
    blocks.push(Block::Table(cost_table(record, table)));
    blocks.extend(method(method_items(), limitations()));
    blocks
}

fn sentence(record: &Record, table: &RttTable) -> Option<String> {
    let trips = table.rows.iter().filter_map(|row| Some((&row.scheme, row.round_trips?.value)));
    let parts: Vec<SchemeText<'_>> = trips
        .map(|(scheme, trips)| SchemeText {
            scheme,
            figure: trips,
            text: format!("{} with `{scheme}`", two_decimals(trips)),
        })
        .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Store round-trip time: number of round trips to the store that a request waits for{}.",
            list_after_colon(record, parts, listed)
        )
    })
}

fn rate(table: &RttTable) -> String {
    let rate = table.latency.rows.iter().find_map(|row| row.level.load.equal_rate_rps());
    rate.map_or("no".to_owned(), grouped)
}

/// Returns the store round-trip times of all schemes, ascending, in microseconds.
fn distances_us(table: &RttTable) -> Vec<u32> {
    let mut distances: Vec<u32> = table.rows.iter().flat_map(|row| &row.distances).map(|at| at.rtt_us).collect();
    distances.sort_unstable();
    distances.dedup();
    distances
}

fn rtt_name(rtt_us: u32) -> String {
    if rtt_us == 0 { "local".to_owned() } else { format!("RTT {}", time(f64::from(rtt_us))) }
}

/// Returns one cell per store round-trip time, ascending.
fn cells_by_distance(table: &RttTable, row: &RttRow, cell: impl Fn(&Distance) -> Cell) -> Vec<Cell> {
    let at = |rtt_us: &u32| row.distances.iter().find(|at| at.rtt_us == *rtt_us).map_or(Cell::new(NONE), &cell);
    distances_us(table).iter().map(at).collect()
}

fn response_table(record: &Record, table: &RttTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    columns.extend(distances_us(table).into_iter().map(|rtt_us| Column::figure(rtt_name(rtt_us), "p50")));
    columns.push(Column::figure("Round trips", "per request"));
    columns.extend(distances_us(table).into_iter().map(|rtt_us| Column::figure(rtt_name(rtt_us), "p99")));
    let p50 = |row: &LatencyRow| {
        percentile(&row.response, 0.5, |found| found.p50).with_note(of_rounds(row.response.p50_of_rounds))
    };
    let p99 = |row: &LatencyRow| percentile(&row.response, 0.99, |found| found.p99);
    let cells = |row: &RttRow| {
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.extend(cells_by_distance(table, row, |at| at.response.as_ref().map_or(Cell::new(NONE), p50)));
        cells.push(row.round_trips.map_or(Cell::new(NONE), trips_cell));
        cells.extend(cells_by_distance(table, row, |at| at.response.as_ref().map_or(Cell::new(NONE), p99)));
        cells
    };
    Table {
        caption: "Response times by store round-trip time".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            measured_delays(table),
            "Round trips: the rise of the median per network round trip, which is the number of sequential round \
             trips that a request waits for. † greyed: fewer than 100 samples above the percentile."
                .to_owned(),
        ],
    }
}

fn trips_cell(found: RoundTrips) -> Cell {
    let interval =
        found.interval.map(|interval| format!("[{}, {}]", two_decimals(interval.low), two_decimals(interval.high)));
    Cell::new(two_decimals(found.value)).with_note(interval.unwrap_or_default())
}

/// Formats the measured delay of the proxy for every configured round-trip time.
fn measured_delays(table: &RttTable) -> String {
    let of = |rtt_us: u32| {
        let all = table.rows.iter().flat_map(|row| &row.distances).filter(|at| at.rtt_us == rtt_us);
        let delays: Vec<f64> = all.filter_map(|at| at.measured_rtt_us).collect();
        let (low, high) = delays.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), us| (low.min(*us), high.max(*us)));
        (!delays.is_empty()).then(|| format!("{}: {:.0} to {:.0} µs", time(f64::from(rtt_us)), low, high))
    };
    let texts: Vec<String> = distances_us(table).into_iter().filter_map(of).collect();
    format!("Median delay measured at the delay proxy: {}.", texts.join("; "))
}

fn crossover_table(record: &Record, table: &RttTable) -> Table {
    let mut storeless: Vec<&str> = Vec::new();
    for crossover in &table.crossovers {
        if !storeless.contains(&crossover.storeless.as_str()) {
            storeless.push(&crossover.storeless);
        }
    }
    let mut columns = vec![Column::text("Scheme with a store")];
    columns.extend(
        storeless
            .iter()
            .map(|storeless| Column::figure(format!("Faster than {storeless}"), "up to this round-trip time")),
    );
    let cells = |row: &RttRow| {
        let of = |storeless: &&str| {
            let found =
                table.crossovers.iter().find(|each| each.querying == row.scheme && each.storeless == *storeless);
            found.map_or(Cell::new(NONE), crossover_cell)
        };
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.extend(storeless.iter().map(of));
        cells
    };
    let querying = table.rows.iter().filter(|row| table.crossovers.iter().any(|each| each.querying == row.scheme));
    Table {
        caption: "Round-trip time up to which querying a store is faster".to_owned(),
        columns,
        groups: row_groups(record, querying.map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "The difference of the medians with a local store, divided by the round trips per request. Brackets hold 95 % bootstrap \
             intervals over blocks; an interval from 0 means that the other scheme may be faster even with a local \
             store."
                .to_owned(),
        ],
    }
}

fn crossover_cell(crossover: &Crossover) -> Cell {
    let CrossoverRtt { rtt_us, interval } = crossover.at;
    let rtt_text = |us: f64| if us.is_finite() { time(us) } else { "any RTT".to_owned() };
    let value = if rtt_us > 0.0 { rtt_text(rtt_us) } else { "never faster".to_owned() };
    let note = match interval {
        Some(interval) if interval.low <= 0.0 && interval.high.is_infinite() => return Cell::new("inconclusive"),
        Some(interval) if interval.low.total_cmp(&interval.high).is_eq() => String::new(),
        Some(interval) => format!("[{}, {}]", rtt_text(interval.low), rtt_text(interval.high)),
        None => "too few blocks for an interval".to_owned(),
    };
    Cell::new(value).with_note(note)
}

fn cost_table(record: &Record, table: &RttTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    columns
        .extend(distances_us(table).into_iter().map(|rtt_us| Column::figure(rtt_name(rtt_us), "µs over the control")));
    let cost = |at: &Distance| estimated(at.cost.as_ref().and_then(|over| over.total_us));
    let cells = |row: &RttRow| {
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.extend(cells_by_distance(table, row, cost));
        cells
    };
    let others = table.rows.iter().filter(|row| !is_control(&row.scheme));
    Table {
        caption: "CPU time of server and store per request, by store round-trip time".to_owned(),
        columns,
        groups: row_groups(record, others.map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "Closed loops with few connections, so that the delay proxy is never saturated. With a longer round \
             trip, a server sleeps longer between two replies, and each wake-up is more expensive: the cost comes \
             from idling, not from the distance. With many waiting requests, as in “CPU time per request”, one \
             wake-up serves several."
                .to_owned(),
        ],
    }
}

fn method_items() -> Vec<String> {
    vec![
        "Each scheme with a store runs twice: with a local store, and with a delay proxy in between, which is set to \
         another round-trip time for each round. Each block measures all of them once, in a new random order."
            .to_owned(),
        "Without a store, the round-trip time changes nothing, so one round per block covers all of them.".to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "In addition to the delay, the proxy adds some tens of microseconds for its own two sockets, which the delay \
         that it reports does not include; round trips are therefore computed only from rounds with the proxy."
            .to_owned(),
        "Requests do not extend the idle timeout of a session here. Where they do, an occasional request waits for \
         one more round trip."
            .to_owned(),
        "No packets are lost, and opening a connection is not delayed: a real network performs worse.".to_owned(),
    ]
}

fn charts(record: &Record, table: &RttTable) -> Vec<Chart> {
    let rows: Vec<(&str, &RttRow)> = table.rows.iter().map(|row| (row.scheme.as_str(), row)).collect();
    panels(record, &rows).iter().map(|panel| chart(record, panel)).collect()
}

fn chart(record: &Record, panel: &Panel<&RttRow>) -> Chart {
    let series: Vec<LineSeries> = panel.items.iter().map(|row| line(record, row)).collect();
    let texts: Vec<String> = panel.items.iter().filter_map(|row| range_text(row)).collect();
    Chart {
        name: format!("rtt{}", panel.suffix()),
        title: format!("Median response time by store round-trip time{}", panel.subtitle()),
        alt: format!("Median response times by store round-trip time{}: {}.", panel.subtitle(), texts.join("; ")),
        width: 860,
        height: 400,
        data: ChartData::Lines {
            x: LineAxis {
                name: "round-trip time to the store, µs".to_owned(),
                word: "round trip in µs".to_owned(),
                step: 200.0,
            },
            y: LineUnit::Time,
            series,
        },
    }
}

/// Returns the medians up to the end of the chart, in microseconds.
fn medians(row: &RttRow) -> impl Iterator<Item = (&Distance, &LatencyRow, f64)> {
    let near = row.distances.iter().filter(|at| at.rtt_us <= CHART_US);
    near.filter_map(|at| {
        let response = at.response.as_ref()?;
        Some((at, response, response.response.p50_of_rounds?.value))
    })
}

fn range_text(row: &RttRow) -> Option<String> {
    let (first, last) = (medians(row).next()?, medians(row).last()?);
    Some(if first.0.rtt_us == last.0.rtt_us {
        format!("{} {}", row.scheme, time(first.2))
    } else {
        format!("{} {} to {}", row.scheme, time(first.2), time(last.2))
    })
}

fn line(record: &Record, row: &RttRow) -> LineSeries {
    let points: Vec<(f64, f64)> = medians(row).map(|(at, _, us)| (f64::from(at.rtt_us), us)).collect();
    let intervals = medians(row).map(|(_, response, _)| of_rounds(response.response.p50_of_rounds)).collect();
    let line = match points.as_slice() {
        // The round-trip time has no effect.
        [(_, us)] => vec![(0.0, *us), (f64::from(CHART_US), *us)],
        _ => points.clone(),
    };
    LineSeries { subject: Subject::of(record, &row.scheme), points, line, intervals }
}
