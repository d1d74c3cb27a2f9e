//! The section on work that is counted instead of timed.

use engine::record::Record;
use evidence::{Count, CountersRow, CountersTable};

use super::parts::{Show, method, paragraph};
use super::scheme::{name_cell, row_groups};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, count, grouped, two_decimals};

/// The caveat that stands wherever instructions are shown.
pub(super) const NOT_ALGORITHMS: &str = "Instructions compare versions of a scheme, not algorithms: valgrind shows the server a \
                              processor without SHA extensions.";

impl Show for CountersTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        let mut blocks = vec![
            paragraph(
                "What one `GET /me` makes the server do, counted instead of timed. The counts hardly depend on the \
                 machine's speed and load: the same binaries give nearly the same figures on all machines with the same \
                 kind of processor.",
            ),
            Block::Table(counters_table(record, self)),
        ];
        blocks.extend(method(method_items(self), limitations()));
        blocks
    }

    fn sentence(&self, _: &Record) -> Option<String> {
        let worst =
            self.rows.iter().max_by(|one, other| one.instructions.scatter.total_cmp(&other.instructions.scatter))?;
        Some(format!(
            "Counters: the instructions of a request repeat within {} between segments and processes (worst: `{}`). \
             {NOT_ALGORITHMS}",
            percent(worst.instructions.scatter),
            worst.scheme
        ))
    }
}

fn counters_table(record: &Record, table: &CountersTable) -> Table {
    Table {
        caption: "Counts per request".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Instructions", "user space"),
            Column::figure("Instructions", "times control"),
            Column::figure("Allocator", "instructions"),
            Column::figure("Allocations", ""),
            Column::figure("Allocated", "bytes"),
            Column::figure("System calls", ""),
            Column::figure("Store commands", ""),
            Column::figure("Wire", "bytes"),
        ],
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(record, row))).collect()),
        footnotes: vec![format!(
            "Medians of the segments of all processes. Scatter: the difference between the highest and the lowest \
             segment, in per cent of the median. The instructions of the allocator depend on what the heap went through \
             before, so they are separate. Allocated bytes are counted once per scheme, so their scatter is not known. On the wire: request and response. {NOT_ALGORITHMS}"
        )],
    }
}

fn cells(record: &Record, row: &CountersRow) -> Vec<Cell> {
    let times = row.instructions_over_control.map_or(NONE.to_owned(), two_decimals);
    vec![
        name_cell(record, &row.scheme),
        scattering(row.instructions),
        Cell::new(times),
        scattering(row.allocator_instructions),
        small(row.allocations),
        Cell::new(row.allocated_bytes.map_or(NONE.to_owned(), |bytes| grouped(bytes.value))),
        small(row.system_calls),
        row.store_commands.map_or(Cell::new(NONE), small),
        wire(row.request_bytes, row.response_bytes),
    ]
}

/// Shows a large count, and its scatter if there is any.
fn scattering(found: Count) -> Cell {
    let scatter = (found.scatter > 0.0).then(|| format!("scatter {}", percent(found.scatter)));
    Cell::new(grouped(found.value)).with_note(scatter.unwrap_or_default())
}

/// Shows a count of a few.
fn small(found: Count) -> Cell {
    Cell::new(two_decimals(found.value))
}

/// Shows the bytes of a request and its response.
fn wire(request: Count, response: Count) -> Cell {
    let parts = format!("{} + {}", grouped(request.value), grouped(response.value));
    Cell::new(grouped(request.value + response.value)).with_note(parts)
}

/// Formats a small share.
fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn method_items(table: &CountersTable) -> Vec<String> {
    let most = |of: fn(&CountersRow) -> usize| table.rows.iter().map(of).max().unwrap_or(0);
    vec![
        format!(
            "The server runs with one worker under valgrind (callgrind, and DHAT for bytes) and receives one request at a \
             time over one connection, each of the credentials in turn: up to {} per scheme, from {}.",
            count(most(|row| row.segments), "segment"),
            count(most(|row| row.processes), "server")
        ),
        "A proxy delays the store's answers by 4 ms, so that the server always waits for them: without it an answer may \
         come before or after the server waits, and these are different paths. A cluster and an external store have no \
         proxy."
            .to_owned(),
        "Reading the clock, sleeping and waiting for events are not counted as system calls: without valgrind the first is \
         none, and how often a thread waits depends on the moments at which events come, not on the requests."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        NOT_ALGORITHMS.to_owned(),
        "The kernel's work is not counted, and a server that has several requests at hand handles several events for one \
         system call: the experiment `cost` measures both."
            .to_owned(),
    ]
}
