//! The section on a growing number of live credentials.

use engine::record::{MemoryPoint, Record};
use evidence::statistics::Estimate;
use evidence::{Freed, MemoryRow, PopulationRow, PopulationSize, PopulationTable, Predicted, is_control};

use super::grouping::{SchemeText, list_after_colon, panels};
use super::memory::{self, estimated};
use super::parts::{Show, method, paragraph};
use super::response::{of_rounds, percentile};
use super::scheme::{name_cell, row_groups};
use crate::chart::Chart;
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, bytes, grouped, listed, signed_percent, two_decimals};

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
        "A server and its store are filled with more and more live credentials. This section shows the effect on \
         requests and on memory, and compares the measured memory with a prediction from small fills.",
    )];
    blocks.extend(charts(record, table).into_iter().map(Block::Chart));
    if table.rows.iter().any(|row| !row.sizes.is_empty()) {
        blocks.push(Block::Table(request_table(record, table)));
    }
    blocks.push(Block::Table(byte_table(record, table)));
    if table.rows.iter().any(|row| row.predicted.is_some() || row.freed.is_some()) {
        blocks.push(Block::Table(large_table(record, table)));
    }
    blocks.extend(method(method_items(), limitations()));
    blocks
}

fn sentence(record: &Record, table: &PopulationTable) -> Option<String> {
    let most = table.rows.iter().filter_map(|row| row.sizes.last()).map(|size| size.live).max()?;
    let parts = table.rows.iter().filter(|row| !is_control(&row.scheme)).filter_map(|row| {
        let ratio = row.sizes.last().filter(|size| size.live == most)?.capacity_ratio?;
        let interval = ratio.interval.map(|at| format!(" [{}, {}]", two_decimals(at.low), two_decimals(at.high)));
        let text = format!("{}{} with `{}`", two_decimals(ratio.value), interval.unwrap_or_default(), row.scheme);
        Some(SchemeText { scheme: &row.scheme, figure: ratio.value, text })
    });
    let parts: Vec<SchemeText<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "More live credentials: capacity with {} live credentials, as a multiple of the capacity with the \
             fewest{}.",
            grouped(most as f64),
            list_after_colon(record, parts, listed)
        )
    })
}

fn request_table(record: &Record, table: &PopulationTable) -> Table {
    let rows = table.rows.iter().flat_map(|row| {
        row.sizes.iter().map(|size| (row.scheme.clone(), request_cells(record, row, size))).collect::<Vec<_>>()
    });
    Table {
        caption: "Requests by number of live credentials".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Live", "credentials"),
            Column::figure("p50", "response"),
            Column::figure("p99", "response"),
            Column::figure("p99", "ratio to the fewest credentials"),
            Column::figure("Capacity", "requests/s"),
            Column::figure("Capacity", "ratio to the fewest credentials"),
        ],
        groups: row_groups(record, rows.collect()),
        footnotes: vec![
            "A ratio compares a round with this number of credentials and the round of the same block with the \
             fewest; it is the Hodges-Lehmann estimate over the blocks. A ratio whose interval contains 1 cannot be distinguished from no change. \
             † greyed: fewer than 100 samples above the percentile."
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
        format!("[{}, {}]", two_decimals(interval.low), two_decimals(interval.high))
    });
    Cell::new(two_decimals(found.value)).with_note(note)
}

fn byte_table(record: &Record, table: &PopulationTable) -> Table {
    let rows = table.rows.iter().map(|row| (row.scheme.clone(), byte_cells(record, row))).collect();
    Table {
        caption: "Bytes per additional credential, live and revoked".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Server", "per live credential"),
            Column::figure("Store", "per live credential"),
            Column::figure("Fixed part", "server and store"),
            Column::figure("Server", "per revoked credential"),
            Column::figure("Store", "per revoked credential"),
            Column::figure("Created", "credentials/s"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![
            "For a live credential a store holds the session or the refresh token family; for a revoked one it holds \
             what is needed until the credential would have expired: a denylist entry or an epoch. Each slope is \
             that of one fill; the interval does not include the variation between processes."
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
        row.created_per_s.map_or(Cell::new(NONE), |made| Cell::new(grouped(made))),
    ]
}

fn large_table(record: &Record, table: &PopulationTable) -> Table {
    let rows = table.rows.iter().map(|row| (row.scheme.clone(), large_cells(record, row))).collect();
    Table {
        caption: "The largest fill: memory predicted, measured and freed".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Live", "credentials"),
            Column::figure("Predicted", "store, or server"),
            Column::figure("Measured", "store, or server"),
            Column::figure("Error", "of the prediction"),
            Column::figure("Store before fill", "used, resident"),
            Column::figure("Store filled", "used, resident"),
            Column::figure("Store freed", "used, resident"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![
            "Predicted: the bytes of the store, or of the server if there is no separate store, from a line through \
             sizes that are the largest one divided by powers of two, because hash tables that grow by doubling have \
             the same load factor at these sizes; no error is given where nothing is stored per credential. Freed: after every key \
             was removed; the store's allocator has not returned the memory that is still resident then."
                .to_owned(),
        ],
    }
}

fn large_cells(record: &Record, row: &PopulationRow) -> Vec<Cell> {
    let mut cells = vec![name_cell(record, &row.scheme)];
    let most = row.live.points.iter().map(|point| point.population).max();
    cells.push(most.map_or(Cell::new(NONE), |most| Cell::new(grouped(most as f64))));
    cells.extend(match &row.predicted {
        Some(found) => prediction_cells(found),
        None => [Cell::new(NONE), Cell::new(NONE), Cell::new(NONE)],
    });
    let of = |pick: fn(&Freed) -> &MemoryPoint| row.freed.as_ref().map_or(Cell::new(NONE), |freed| store(pick(freed)));
    cells.extend([of(|freed| &freed.empty), of(|freed| &freed.full), of(|freed| &freed.freed)]);
    cells
}

fn prediction_cells(found: &Predicted) -> [Cell; 3] {
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

fn method_items() -> Vec<String> {
    vec![
        "The server's own code creates the credentials in bulk and without password hashing, one for each user. The \
         memory of the server (proportional set size) and of the store (as it reports it) is read at every size."
            .to_owned(),
        "A second server of the same scheme holds the fewest credentials, over a separate store. Each block measures \
         both, saturated and at a rate that is the same for all schemes, in a new random order."
            .to_owned(),
        "Requests use credentials chosen uniformly from at most 200,000, which are spread evenly over all. Requests \
         do not extend the idle timeout of a session."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "Hash tables grow by doubling: just after a doubling, a store takes more memory per credential than just \
         before."
            .to_owned(),
        "The store does not persist to disk here. A store that writes snapshots copies pages meanwhile and needs up \
         to twice the memory."
            .to_owned(),
    ]
}

fn charts(record: &Record, table: &PopulationTable) -> Vec<Chart> {
    let sloped = table.rows.iter().filter_map(|row| Some((row.scheme.as_str(), (&row.live, row.live.slope.as_ref()?))));
    let title = "Memory by number of live credentials, beyond the fixed part";
    panels(record, &sloped.collect::<Vec<_>>())
        .iter()
        .map(|panel| memory::chart(record, panel, "population", title))
        .collect()
}
