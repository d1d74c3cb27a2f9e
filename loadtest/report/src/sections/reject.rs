//! The section on invalid requests.

use engine::record::{InvalidCredential, Record};
use evidence::{RejectRow, RejectTable, Rejection};

use super::grouping::{SchemeText, list_after_colon};
use super::parts::{Show, estimated, method, paragraph};
use super::scheme::{name_cell, row_groups};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, listed, two_decimals};

impl Show for RejectTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }
}

fn blocks(record: &Record, table: &RejectTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(
        "Invalid requests also take server resources. This section shows the CPU time of server and store to reject \
         a request, by the kind of defect, compared with accepting a valid request.",
    )];
    blocks.push(Block::Table(cost_table(record, table)));
    blocks.push(Block::Table(ratio_table(record, table)));
    blocks.extend(method(method_items(), limitations()));
    blocks
}

/// Returns the sentence about forged credentials, which take the most work to detect.
fn sentence(record: &Record, table: &RejectTable) -> Option<String> {
    let parts = table.rows.iter().filter_map(|row| {
        let ratio = row.rejection(InvalidCredential::Forged)?.over_accepting?.ratio?.value;
        let text = format!("{} times with `{}`", two_decimals(ratio), row.scheme);
        Some(SchemeText { scheme: &row.scheme, figure: ratio, text })
    });
    let parts: Vec<SchemeText<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Rejection: CPU time to reject {}, as a multiple of that to accept a valid one{}.",
            InvalidCredential::Forged,
            list_after_colon(record, parts, listed)
        )
    })
}

/// Formats the expected status of this kind, which is the same for every scheme.
fn expected_status(table: &RejectTable, invalid: InvalidCredential) -> String {
    let status = table.rows.iter().find_map(|row| row.rejection(invalid)).map(|rejection| rejection.status);
    status.map(|status| format!("status {status}")).unwrap_or_default()
}

/// Returns one cell per kind.
fn cells_by_kind(table: &RejectTable, row: &RejectRow, cell: impl Fn(&Rejection) -> Cell) -> Vec<Cell> {
    let of = |invalid: &InvalidCredential| match row.rejection(*invalid) {
        Some(rejection) if rejection.rounds.used == 0 => Cell::new(NONE).with_note("no valid round"),
        Some(rejection) => cell(rejection),
        None => Cell::new(NONE),
    };
    table.kinds().iter().map(of).collect()
}

fn cost_table(record: &Record, table: &RejectTable) -> Table {
    let mut columns = vec![Column::text("Scheme"), Column::figure("Valid request", "status 200")];
    let kinds = table.kinds().into_iter();
    columns.extend(kinds.map(|invalid| Column::figure(invalid.to_string(), expected_status(table, invalid))));
    let cells = |row: &RejectRow| {
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.push(estimated(row.accepting.as_ref().and_then(|accepting| accepting.total_us)));
        cells.extend(cells_by_kind(table, row, |rejection| estimated(rejection.total_us)));
        cells
    };
    Table {
        caption: "CPU time of server and store per request, in µs".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "A round in which any response has another status is invalid and excluded. The control rejects no \
             request because of its credential. With every scheme, a header that is too long is rejected before the \
             credential is looked for; the figure includes opening a connection for the next request."
                .to_owned(),
        ],
    }
}

fn ratio_table(record: &Record, table: &RejectTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    for invalid in table.kinds() {
        columns.push(Column::figure(invalid.to_string(), "ratio"));
        columns.push(Column::figure(invalid.to_string(), "additional µs"));
    }
    let cells = |row: &RejectRow| {
        let over = |rejection: &Rejection| rejection.over_accepting;
        let ratios = cells_by_kind(table, row, |rejection| estimated(over(rejection).and_then(|over| over.ratio)));
        let more = cells_by_kind(table, row, |rejection| estimated(over(rejection).and_then(|over| over.total_us)));
        let both = ratios.into_iter().zip(more).flat_map(|(ratio, more)| [ratio, more]);
        [name_cell(record, &row.scheme)].into_iter().chain(both).collect()
    };
    Table {
        caption: "Rejecting compared with accepting, within each block".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "A ratio below 1 and a difference below 0 mean that rejecting takes less than accepting. Brackets hold \
             95 % intervals."
                .to_owned(),
        ],
    }
}

fn method_items() -> Vec<String> {
    vec![
        "Saturated closed loops of `GET /me`, as in “CPU time per request”: each block measures valid requests and \
         each kind of invalid request once, in a new random order."
            .to_owned(),
        "Forged credentials are issued credentials with one character of the session id or the signature changed; \
         expired ones have expired by the server's own clock, which was moved forward."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "An expired session is still in the store here, because the store's clock was not moved forward. Once the \
         store has removed it, it is handled like an unknown session."
            .to_owned(),
        "A long header is sent over loopback: copying it is its only cost.".to_owned(),
    ]
}
