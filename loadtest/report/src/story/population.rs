//! The section on more and more live credentials.

use engine::record::{MemoryPoint, Record};
use evidence::statistics::Estimate;
use evidence::{Freed, MemoryRow, PopulationRow, PopulationSize, PopulationTable, Predicted, is_control};

use super::many::{Said, panels, told_of_each};
use super::memory::{self, estimated};
use super::parts::{Show, method, paragraph};
use super::response::{of_rounds, percentile};
use super::scheme::{name_cell, row_groups};
use crate::chart::Chart;
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, bytes, grouped, hundredths, listed, signed_percent};

impl Show for PopulationTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }
}

fn blocks(record: &Record, table: &PopulationTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(
        "One server and its store are filled further and further. This is what that does to requests, to memory, and to what \
         a small fill would have foretold.",
    )];
    blocks.extend(charts(record, table).into_iter().map(Block::Chart));
    if table.rows.iter().any(|row| !row.sizes.is_empty()) {
        blocks.push(Block::Table(request_table(record, table)));
    }
    blocks.push(Block::Table(byte_table(record, table)));
    if table.rows.iter().any(|row| row.predicted.is_some() || row.freed.is_some()) {
        blocks.push(Block::Table(large_table(record, table)));
    }
    blocks.extend(method(how(), limits()));
    blocks
}

fn sentence(record: &Record, table: &PopulationTable) -> Option<String> {
    let most = table.rows.iter().filter_map(|row| row.sizes.last()).map(|size| size.live).max()?;
    let parts = table.rows.iter().filter(|row| !is_control(&row.scheme)).filter_map(|row| {
        let ratio = row.sizes.last().filter(|size| size.live == most)?.capacity_ratio?;
        let interval = ratio.interval.map(|at| format!(" [{}, {}]", hundredths(at.low), hundredths(at.high)));
        let text = format!("{}{} with `{}`", hundredths(ratio.value), interval.unwrap_or_default(), row.scheme);
        Some(Said { scheme: &row.scheme, figure: ratio.value, text })
    });
    let parts: Vec<Said<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "More live credentials: with {} of them a server carried so many times what it carried with the fewest{}.",
            grouped(most as f64),
            told_of_each(record, parts, listed)
        )
    })
}

fn request_table(record: &Record, table: &PopulationTable) -> Table {
    let rows = table.rows.iter().flat_map(|row| {
        row.sizes.iter().map(|size| (row.scheme.clone(), request_cells(record, row, size))).collect::<Vec<_>>()
    });
    Table {
        caption: "Requests among more and more live credentials".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Live", "credentials"),
            Column::figure("p50", "response"),
            Column::figure("p99", "response"),
            Column::figure("p99", "times that of the fewest"),
            Column::figure("Capacity", "requests/s"),
            Column::figure("Capacity", "times that with the fewest"),
        ],
        groups: row_groups(record, rows.collect()),
        footnotes: vec![
            "The ratios are those of neighbouring rounds, one with so many and one with the fewest credentials, in the typical \
             block: a ratio whose interval holds 1 cannot be told from no change. † greyed: fewer than 100 samples lie above it."
                .to_owned(),
        ],
    }
}

fn request_cells(record: &Record, row: &PopulationRow, size: &PopulationSize) -> Vec<Cell> {
    let response = size.response.as_ref().map(|row| &row.response);
    let p50 = response.map_or(Cell::new(NONE), |response| {
        percentile(response, 0.5, |found| found.p50).with_note(of_rounds(response.p50_of_rounds))
    });
    let p99 = response.map_or(Cell::new(NONE), |response| {
        percentile(response, 0.99, |found| found.p99).with_note(of_rounds(response.p99_of_rounds))
    });
    vec![
        name_cell(record, &row.scheme),
        Cell::new(grouped(size.live as f64)),
        p50,
        p99,
        size.p99_ratio.as_ref().map_or(Cell::new(NONE), ratio),
        size.capacity_rps.map_or(Cell::new(NONE), |found| Cell::new(grouped(found.value))),
        size.capacity_ratio.as_ref().map_or(Cell::new(NONE), ratio),
    ]
}

fn ratio(found: &Estimate) -> Cell {
    let note = found.interval.as_ref().map_or("too few blocks for an interval".to_owned(), |interval| {
        format!("[{}, {}]", hundredths(interval.low), hundredths(interval.high))
    });
    Cell::new(hundredths(found.value)).with_note(note)
}

fn byte_table(record: &Record, table: &PopulationTable) -> Table {
    let rows = table.rows.iter().map(|row| (row.scheme.clone(), byte_cells(record, row))).collect();
    Table {
        caption: "Bytes of one more credential, live and revoked".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Server", "a live one"),
            Column::figure("Store", "a live one"),
            Column::figure("Fixed part", "server and store"),
            Column::figure("Server", "a revoked one"),
            Column::figure("Store", "a revoked one"),
            Column::figure("Made", "credentials/s"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![
            "Of a live credential a store holds the session, or the family of refresh tokens; of a revoked one what has to be \
             remembered until it would have expired: an entry of a denylist, an epoch. Each slope is that of one fill; the interval \
             does not hold the difference between one process and the next."
                .to_owned(),
        ],
    }
}

fn byte_cells(record: &Record, row: &PopulationRow) -> Vec<Cell> {
    let live = row.live.slope.as_ref();
    let cell = |memory: &MemoryRow, found: Option<Estimate>| match (&memory.slope, found) {
        (Some(slope), Some(found)) => estimated(&found, slope.basis),
        _ => Cell::new(NONE),
    };
    let server = |memory: &MemoryRow| cell(memory, memory.slope.as_ref().map(|slope| slope.server));
    let store = |memory: &MemoryRow| cell(memory, memory.slope.as_ref().and_then(|slope| slope.store));
    vec![
        name_cell(record, &row.scheme),
        server(&row.live),
        store(&row.live),
        live.map_or(Cell::new(NONE), |slope| Cell::new(bytes(slope.fixed_bytes))),
        server(&row.revoked),
        store(&row.revoked),
        row.made_per_s.map_or(Cell::new(NONE), |made| Cell::new(grouped(made))),
    ]
}

fn large_table(record: &Record, table: &PopulationTable) -> Table {
    let rows = table.rows.iter().map(|row| (row.scheme.clone(), large_cells(record, row))).collect();
    Table {
        caption: "The largest fill, foretold, measured, and freed".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Live", "credentials"),
            Column::figure("Foretold", "store, or server"),
            Column::figure("Measured", "store, or server"),
            Column::figure("Error", "of the foretold"),
            Column::figure("Store before", "used, resident"),
            Column::figure("Store full", "used, resident"),
            Column::figure("Store freed", "used, resident"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![
            "Foretold: the bytes of the store, or of the server where no store is apart, by a line through the largest size halved \
             several times, because tables that grow by doubling are as full there; no error where nothing is kept of a credential. \
             Freed: after every key was removed; what \
             is still resident then, the store's allocator has not given back."
                .to_owned(),
        ],
    }
}

fn large_cells(record: &Record, row: &PopulationRow) -> Vec<Cell> {
    let mut cells = vec![name_cell(record, &row.scheme)];
    let most = row.live.points.iter().map(|point| point.population).max();
    cells.push(most.map_or(Cell::new(NONE), |most| Cell::new(grouped(most as f64))));
    cells.extend(match &row.predicted {
        Some(found) => foretold(found),
        None => [Cell::new(NONE), Cell::new(NONE), Cell::new(NONE)],
    });
    let of = |pick: fn(&Freed) -> &MemoryPoint| row.freed.as_ref().map_or(Cell::new(NONE), |freed| store(pick(freed)));
    cells.extend([of(|freed| &freed.empty), of(|freed| &freed.full), of(|freed| &freed.freed)]);
    cells
}

fn foretold(found: &Predicted) -> [Cell; 3] {
    let (from, to) = found.fitted;
    [
        Cell::new(bytes(found.predicted_bytes)).with_note(format!(
            "{} to {}",
            grouped(from as f64),
            grouped(to as f64)
        )),
        Cell::new(bytes(found.measured_bytes as f64)),
        Cell::new(if found.grows { signed_percent(found.error()) } else { NONE.to_owned() }),
    ]
}

fn store(point: &MemoryPoint) -> Cell {
    let Some(used) = point.store_used_bytes else { return Cell::new(NONE) };
    let resident = point.store_rss_bytes.map(|rss| bytes(rss as f64)).unwrap_or_default();
    Cell::new(bytes(used as f64)).with_note(resident)
}

fn how() -> Vec<String> {
    vec![
        "Credentials are made by the server's own code, many at a time and without hashing a password, one for each user. Memory \
         of server (proportional set size) and store (what it says it uses) is read at every size."
            .to_owned(),
        "Beside the server with many runs one of the same scheme with the fewest, over a store of its own; both are visited in \
         each block, saturated and at a rate that is the same for all, in an order drawn anew."
            .to_owned(),
        "Requests ask for users drawn evenly from at most 200,000 credentials, which lie evenly among all. No \
         session's idle limit is pushed back."
            .to_owned(),
    ]
}

fn limits() -> Vec<String> {
    vec![
        "Hash tables grow by doubling: just after a doubling a store takes more a credential than just before.".to_owned(),
        "The store keeps nothing on disk here. One that writes snapshots copies pages meanwhile, and needs up to twice the memory."
            .to_owned(),
    ]
}

fn charts(record: &Record, table: &PopulationTable) -> Vec<Chart> {
    let sloped = table.rows.iter().filter_map(|row| Some((row.scheme.as_str(), (&row.live, row.live.slope.as_ref()?))));
    let title = "Memory with more and more live credentials, beyond the fixed part";
    panels(record, &sloped.collect::<Vec<_>>())
        .iter()
        .map(|panel| memory::chart(record, panel, "population", title))
        .collect()
}
