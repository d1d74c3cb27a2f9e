//! The section on memory.

use engine::record::Record;
use evidence::statistics::{CONFIDENCE, Estimate, least_squares};
use evidence::{MemoryRow, MemoryTable, Slope, SlopeBasis, is_control};

use super::grouping::{Panel, SchemeText, list_schemes, names_or_count, panels};
use super::parts::{Show, SummaryColumn, method, paragraph};
use super::scheme::{name_cell, row_groups};
use crate::chart::{Chart, ChartData, MemorySeries, Subject};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, bracket, bytes, count, estimate, listed, plain};

impl Show for MemoryTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }

    fn columns<'table>(&'table self, _: &'table Record) -> Vec<SummaryColumn<'table>> {
        columns(self)
    }
}

fn blocks(record: &Record, table: &MemoryTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(
        "Memory that each additional live credential takes: the slope of memory over the number of live credentials, \
         for the server, for the store and for both. The fixed part is the memory without any credential.",
    )];
    blocks.extend(charts(record, table).into_iter().map(Block::Chart));
    blocks.push(Block::Table(memory_table(record, table)));
    blocks.extend(method(method_items(table), limitations()));
    blocks
}

fn sentence(record: &Record, table: &MemoryTable) -> Option<String> {
    let sloped = table.rows.iter().filter(|row| !is_control(&row.scheme));
    let totals =
        sloped.filter_map(|row| row.slope.as_ref().and_then(|slope| Some((&row.scheme, slope.basis, slope.total?))));
    let (flat, rising): (Vec<_>, Vec<_>) =
        totals.partition(|(_, _, total)| total.interval.is_some_and(|interval| interval.contains(0.0)));
    let rising = rising.iter().map(|(scheme, basis, total)| {
        let text = format!("{}{} with `{scheme}`", estimate(total, "B"), one_fill(*basis));
        SchemeText { scheme, figure: total.value, text }
    });
    let rising: Vec<SchemeText<'_>> = rising.collect();
    let flat: Vec<String> = flat.iter().map(|(scheme, ..)| format!("`{scheme}`")).collect();
    let some = (!rising.is_empty())
        .then(|| format!("takes{} in server and store together", list_schemes(record, rising, listed)));
    let none =
        (!flat.is_empty()).then(|| format!("takes nothing distinguishable from zero with {}", names_or_count(&flat)));
    let texts: Vec<String> = some.into_iter().chain(none).collect();
    (!texts.is_empty()).then(|| format!("Memory: one live credential {}.", texts.join(", and ")))
}

const fn one_fill(basis: SlopeBasis) -> &'static str {
    match basis {
        SlopeBasis::BetweenSeries => "",
        SlopeBasis::WithinSeries => " (one fill, so the interval is too narrow)",
    }
}

fn columns(table: &MemoryTable) -> Vec<SummaryColumn<'_>> {
    let cell = move |scheme: &str| {
        let slope = table.rows.iter().find(|row| row.scheme == scheme).and_then(|row| row.slope.as_ref());
        let found = slope.and_then(|slope| Some((slope.total?, slope.basis)));
        found.map_or(Cell::new(NONE), |(total, basis)| estimated(&total, basis))
    };
    vec![SummaryColumn::new(Column::figure("Memory", "bytes per credential"), cell)]
}

fn memory_table(record: &Record, table: &MemoryTable) -> Table {
    let rows = table.rows.iter().map(|row| (row.scheme.clone(), cells(record, row))).collect();
    Table {
        caption: "Bytes per live credential".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Server", "bytes, by PSS"),
            Column::figure("Store", "bytes, as reported"),
            Column::figure("Store", "bytes, by RSS"),
            Column::figure("Server and store", "bytes"),
            Column::figure("Fixed part", "server and store"),
            Column::figure("Fills", "sizes per fill"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![
            "A slope whose interval contains 0 cannot be distinguished from zero: the memory of the server changes \
             by pages even if the scheme stores nothing. The RSS of the store includes memory that its allocator \
             holds but does not use."
                .to_owned(),
        ],
    }
}

fn cells(record: &Record, row: &MemoryRow) -> Vec<Cell> {
    let name = name_cell(record, &row.scheme);
    let fills = Cell::new(row.series.to_string()).with_note(sizes(row));
    let Some(slope) = &row.slope else {
        let none = || Cell::new(NONE);
        return vec![name, none(), none(), none(), none().with_note("too few sizes"), none(), fills];
    };
    let of = |found: Option<Estimate>| found.map_or(Cell::new(NONE), |found| estimated(&found, slope.basis));
    vec![
        name,
        of(Some(slope.server)),
        of(slope.store),
        of(slope.store_rss),
        of(slope.total),
        Cell::new(bytes(slope.fixed_bytes)),
        fills,
    ]
}

/// Formats an estimate, its interval, and whether that rests on one fill only.
pub(super) fn estimated(found: &Estimate, basis: SlopeBasis) -> Cell {
    let interval = found.interval.as_ref().map(bracket).unwrap_or_default();
    let note = if basis == SlopeBasis::WithinSeries { format!("{interval} one fill") } else { interval };
    Cell::new(plain(found.value)).with_note(note)
}

fn sizes(row: &MemoryRow) -> String {
    let excluded =
        if row.excluded > 0 { format!(", {} excluded", count(row.excluded, "point")) } else { String::new() };
    format!("{}{excluded}", count(row.populations, "size"))
}

fn method_items(table: &MemoryTable) -> Vec<String> {
    let slopes = || table.rows.iter().filter_map(|row| row.slope.as_ref());
    let between = slopes().any(|slope| slope.basis == SlopeBasis::BetweenSeries);
    let basis = if between {
        "The sample is the fill: the interval is Student's t over the slopes of the fills. Points of one fill share \
         an allocator and are correlated, so they do not count as independent."
    } else {
        "There was one fill per scheme, so the interval is Student's t over the points' distances from the line; it \
         does not include the variation between processes."
    };
    vec![
        "A fresh server and a fresh store are filled step by step, and memory is read at every step: for the server \
         its proportional set size (PSS), for the store the memory that it reports as used."
            .to_owned(),
        format!(
            "A line is fitted to each fill by least squares, with at least {} sizes per fill. {basis}",
            evidence::MIN_POPULATIONS
        ),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "Hash tables grow by doubling and allocators by pages: between two sizes the true curve has steps, and the slope is \
         their average."
            .to_owned(),
        "A stateless credential takes no memory here; the refresh tokens and denylists that it may need in practice \
         do."
            .to_owned(),
    ]
}

fn charts(record: &Record, table: &MemoryTable) -> Vec<Chart> {
    let sloped = table.rows.iter().filter_map(|row| Some((row.scheme.as_str(), (row, row.slope.as_ref()?))));
    panels(record, &sloped.collect::<Vec<_>>())
        .iter()
        .map(|panel| chart(record, panel, "memory", "Memory beyond the fixed part, server and store"))
        .collect()
}

/// Returns a chart with points and a line per scheme.
pub(super) fn chart(record: &Record, panel: &Panel<(&MemoryRow, &Slope)>, name: &str, title: &str) -> Chart {
    let series: Vec<MemorySeries> = panel.items.iter().map(|(row, slope)| line(record, row, slope)).collect();
    let texts: Vec<String> = series.iter().map(|each| format!("{} {}", each.subject.scheme, each.label)).collect();
    Chart {
        name: format!("{name}{}", panel.suffix()),
        title: format!("{title}{}", panel.subtitle()),
        alt: format!(
            "Memory beyond the fixed part by number of live credentials{}, with lines. Per credential: {}.",
            panel.subtitle(),
            texts.join("; ")
        ),
        width: 860,
        height: 380,
        data: ChartData::Memory { series },
    }
}

fn line(record: &Record, row: &MemoryRow, slope: &Slope) -> MemorySeries {
    let total = slope.total.unwrap_or(slope.server);
    let most = row.points.iter().map(|point| point.population).max().unwrap_or(0) as f64;
    MemorySeries {
        subject: Subject::of(record, &row.scheme),
        points: growth(row, slope.total.is_some()),
        line: vec![(0.0, 0.0), (most, (total.value * most).round())],
        label: estimate(&total, "B"),
    }
}

/// Returns every point minus the fixed part of its own fill, so that fills can be overlaid.
fn growth(row: &MemoryRow, with_store: bool) -> Vec<(f64, f64)> {
    let whole = |point: &engine::record::MemoryPoint| {
        let store = if with_store { point.store_used_bytes.unwrap_or(0) } else { 0 };
        (point.population as f64, (point.server_pss_bytes + store) as f64)
    };
    let mut series: Vec<u32> = row.points.iter().map(|point| point.series).collect();
    series.dedup();
    let of_fill = |number: u32| {
        let points: Vec<(f64, f64)> = row.points.iter().filter(|point| point.series == number).map(whole).collect();
        let fixed = least_squares(&points, CONFIDENCE).map_or(0.0, |line| line.intercept);
        points.into_iter().map(move |(population, bytes)| (population, (bytes - fixed).round()))
    };
    series.into_iter().flat_map(of_fill).collect()
}
