//! The section on requests across several servers.

use engine::record::Record;
use evidence::{DelayedLinks, FanoutRow, FanoutTable, HopFigures, HopSlope, LatencyRow, is_control};

use super::grouping::{Panel, SchemeText, list_after_colon, panels};
use super::parts::{Show, method, paragraph};
use super::response::{of_rounds, percentile};
use super::scheme::{name_cell, row_groups};
use crate::chart::{Chart, ChartData, LineAxis, LineSeries, LineUnit, Subject};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, bracket, grouped, listed, plain, time, two_decimals};

impl Show for FanoutTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }
}

fn blocks(record: &Record, table: &FanoutTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(format!(
        "In a service architecture a request crosses several servers, and each of them authenticates it. This \
         section shows what each server adds to the response time, at {} requests/s and without queueing, and to the \
         CPU time of all servers and the store.",
        rate(table)
    ))];
    blocks.extend(charts(record, table).into_iter().map(Block::Chart));
    blocks.push(Block::Table(cpu_table(record, table)));
    blocks.push(Block::Table(response_table(record, table)));
    blocks.extend(delayed_table(record, table).map(Block::Table));
    blocks.extend(method(method_items(), limitations()));
    blocks
}

/// Returns the CPU time per hop, and the round trips per hop with network latency.
fn sentence(record: &Record, table: &FanoutTable) -> Option<String> {
    let slopes = table.rows.iter().filter_map(|row| Some((&row.scheme, row.cpu_slope_over_control_us?)));
    let parts: Vec<SchemeText<'_>> = slopes
        .map(|(scheme, slope)| {
            let interval = slope.interval.as_ref().map(|found| format!(" {}", bracket(found))).unwrap_or_default();
            SchemeText {
                scheme,
                figure: slope.value,
                text: format!("{} µs{interval} with `{scheme}`", plain(slope.value)),
            }
        })
        .collect();
    let cost = (!parts.is_empty()).then(|| {
        format!(
            "Several servers: CPU time of servers and store that authentication adds per additional hop{}.",
            list_after_colon(record, parts, listed)
        )
    });
    let sentences: Vec<String> = cost.into_iter().chain(delayed_sentence(record, table)).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn delayed_sentence(record: &Record, table: &FanoutTable) -> Option<String> {
    let round_trips = table.rows.iter().filter_map(|row| Some((&row.scheme, row.delayed.as_ref()?.round_trips?.value)));
    let parts: Vec<SchemeText<'_>> = round_trips
        .map(|(scheme, round_trips)| SchemeText {
            scheme,
            figure: round_trips,
            text: format!("{} with `{scheme}`", two_decimals(round_trips)),
        })
        .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "With network latency between servers and store, each hop adds this number of round trips to a \
             request{}.",
            list_after_colon(record, parts, listed)
        )
    })
}

fn rate(table: &FanoutTable) -> String {
    let rate = table.latency.rows.iter().find_map(|row| row.level.load.equal_rate_rps());
    rate.map_or("no".to_owned(), grouped)
}

/// Returns the numbers of hops of all schemes, ascending.
fn all_hops(table: &FanoutTable) -> Vec<u32> {
    let mut hops: Vec<u32> = table.rows.iter().flat_map(|row| &row.by_hops).map(|figures| figures.hops).collect();
    hops.sort_unstable();
    hops.dedup();
    hops
}

fn hops_name(hops: u32) -> String {
    if hops == 1 { "1 hop".to_owned() } else { format!("{hops} hops") }
}

/// Returns one cell per number of hops.
fn cells_by_hops(table: &FanoutTable, row: &FanoutRow, cell: impl Fn(&HopFigures) -> Option<Cell>) -> Vec<Cell> {
    let at = |hops: &u32| row.by_hops.iter().find(|figures| figures.hops == *hops).and_then(&cell);
    all_hops(table).iter().map(|hops| at(hops).unwrap_or(Cell::new(NONE))).collect()
}

fn slope(found: Option<HopSlope>) -> Cell {
    found.map_or(Cell::new(NONE), |found| {
        Cell::new(plain(found.value)).with_note(found.interval.as_ref().map(bracket).unwrap_or_default())
    })
}

fn cpu_table(record: &Record, table: &FanoutTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    columns.extend(all_hops(table).into_iter().map(|hops| Column::figure(hops_name(hops), "µs")));
    columns.push(Column::figure("Each hop adds", "µs"));
    columns.push(Column::figure("Authentication per hop", "µs over the control"));
    let cells = |row: &FanoutRow| {
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.extend(cells_by_hops(table, row, |figures| figures.cpu_us.map(|us| Cell::new(plain(us)))));
        cells.push(slope(row.cpu_slope_us));
        let control = Cell::new("0").with_note("control");
        cells.push(if is_control(&row.scheme) { control } else { slope(row.cpu_slope_over_control_us) });
        cells
    };
    Table {
        caption: "CPU time per request of all servers and the store".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "Closed loops with few connections. The slope is that of the line through the medians of the blocks; \
             brackets hold 95 % bootstrap intervals over blocks."
                .to_owned(),
        ],
    }
}

fn response_table(record: &Record, table: &FanoutTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    columns.extend(all_hops(table).into_iter().map(|hops| Column::figure(hops_name(hops), "p50")));
    columns.push(Column::figure("Each hop adds", "µs at p50"));
    columns.extend(all_hops(table).into_iter().map(|hops| Column::figure(hops_name(hops), "p99")));
    let p99 = |figures: &HopFigures| Some(percentile(&figures.response.as_ref()?.response, 0.99, |found| found.p99));
    let cells = |row: &FanoutRow| {
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.extend(cells_by_hops(table, row, |figures| figures.response.as_ref().map(p50)));
        cells.push(slope(row.response_slope_us));
        cells.extend(cells_by_hops(table, row, p99));
        cells
    };
    Table {
        caption: "Response times by number of hops".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec!["† greyed: fewer than 100 samples above the percentile.".to_owned()],
    }
}

fn p50(times: &LatencyRow) -> Cell {
    let response = &times.response;
    percentile(response, 0.5, |found| found.p50).with_note(of_rounds(response.p50_of_rounds))
}

/// Returns the table with network latency; none if only local servers were measured.
fn delayed_table(record: &Record, table: &FanoutTable) -> Option<Table> {
    let rows: Vec<(&FanoutRow, &DelayedLinks)> =
        table.rows.iter().filter_map(|row| Some((row, row.delayed.as_ref()?))).collect();
    let link_ms = f64::from(rows.first()?.1.link_rtt_us) / 1e3;
    let mut columns = vec![Column::text("Scheme")];
    columns.extend(all_hops(table).into_iter().map(|hops| Column::figure(hops_name(hops), "p50")));
    columns.push(Column::figure("Each hop adds", "round trips"));
    columns.push(Column::figure("Link", "measured round trip"));
    let cells = |row: &FanoutRow, delayed: &DelayedLinks| {
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.extend(cells_by_hops(table, row, |figures| figures.delayed.as_ref().map(p50)));
        let control = Cell::new("1").with_note("control");
        cells.push(if is_control(&row.scheme) { control } else { slope(delayed.round_trips) });
        cells.push(delayed.measured_rtt_us.map_or(Cell::new(NONE), |us| Cell::new(time(us))));
        cells
    };
    let rows = rows.into_iter().map(|(row, delayed)| (row.scheme.clone(), cells(row, delayed))).collect();
    Some(Table {
        caption: format!("Response times with {link_ms} ms round trips between servers and store"),
        columns,
        groups: row_groups(record, rows),
        footnotes: vec![
            "Round trips: the rise of the median per hop beyond that with local servers, divided by the same figure \
             of the control, which waits only for the link to the next server. Brackets hold 95 % bootstrap \
             intervals over blocks."
                .to_owned(),
        ],
    })
}

fn method_items() -> Vec<String> {
    vec![
        "Each server forwards `GET /chain` to the next, and the last one responds; every server is a separate \
         process. With a session, each server looks it up; with a JWT, each server verifies the signature; with the \
         hybrid, the first server looks up the session and the servers behind it verify a short-lived token."
            .to_owned(),
        "Each block measures every scheme with every number of hops once, in a new random order: in an open loop for \
         response times, in a closed loop with few connections for CPU time."
            .to_owned(),
        "In a second chain, a delay proxy sits between each server and the next, and another between all servers and \
         the store, so that every remote call takes a round trip. No CPU time is reported there, because the proxies \
         share CPUs with the generator."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "The servers share CPUs. With local servers, the time per hop is a lower bound. With delay proxies, every \
         link has the same delay, and opening a connection is not delayed."
            .to_owned(),
        "An edge server reuses the downstream token of a session for most of its lifetime, so it rarely signs here, \
         as with users who send many requests."
            .to_owned(),
    ]
}

fn charts(record: &Record, table: &FanoutTable) -> Vec<Chart> {
    let rows: Vec<(&str, &FanoutRow)> = table.rows.iter().map(|row| (row.scheme.as_str(), row)).collect();
    panels(record, &rows).iter().map(|panel| chart(record, panel)).collect()
}

fn chart(record: &Record, panel: &Panel<&FanoutRow>) -> Chart {
    let series: Vec<LineSeries> = panel.items.iter().map(|row| line(record, row)).collect();
    let texts: Vec<String> = panel.items.iter().filter_map(|row| range_text(row)).collect();
    Chart {
        name: format!("fanout{}", panel.suffix()),
        title: format!("CPU time per request of all servers and the store{}", panel.subtitle()),
        alt: format!("CPU time per request by number of hops{}: {}.", panel.subtitle(), texts.join("; ")),
        width: 860,
        height: 400,
        data: ChartData::Lines {
            x: LineAxis { name: "servers behind the first one".to_owned(), word: "hops".to_owned(), step: 1.0 },
            y: LineUnit::Time,
            series,
        },
    }
}

fn points(row: &FanoutRow) -> Vec<(f64, f64)> {
    row.by_hops.iter().filter_map(|figures| Some((f64::from(figures.hops), figures.cpu_us?))).collect()
}

fn range_text(row: &FanoutRow) -> Option<String> {
    let points = points(row);
    Some(format!("{} {} to {}", row.scheme, time(points.first()?.1), time(points.last()?.1)))
}

fn line(record: &Record, row: &FanoutRow) -> LineSeries {
    let points = points(row);
    let intervals = vec![String::new(); points.len()];
    LineSeries { subject: Subject::of(record, &row.scheme), line: points.clone(), points, intervals }
}
