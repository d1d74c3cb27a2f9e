//! The section on garbage.

use engine::record::{Garbage, Record};
use evidence::{Refusal, RejectRow, RejectTable};

use super::many::{Said, told_of_each};
use super::parts::{Show, estimated, method, paragraph};
use super::scheme::{name_cell, row_groups};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, hundredths, listed};

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
        "Whoever sends garbage makes a server work as well. This is the CPU time of server and store that it takes to refuse a \
         request, by what is wrong with it, against accepting a good one.",
    )];
    blocks.push(Block::Table(cost_table(record, table)));
    blocks.push(Block::Table(against_table(record, table)));
    blocks.extend(method(how(), limits()));
    blocks
}

/// A forged credential is what takes a scheme the most to find out.
fn sentence(record: &Record, table: &RejectTable) -> Option<String> {
    let parts = table.rows.iter().filter_map(|row| {
        let ratio = row.refusal(Garbage::Forged)?.over_accepting?.ratio?.value;
        let text = format!("{} times with `{}`", hundredths(ratio), row.scheme);
        Some(Said { scheme: &row.scheme, figure: ratio, text })
    });
    let parts: Vec<Said<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Garbage: refusing {} took so many times the CPU time of accepting a good one{}.",
            Garbage::Forged,
            told_of_each(record, parts, listed)
        )
    })
}

/// The status that the garbage has to be answered with, the same for every scheme.
fn answered(table: &RejectTable, garbage: Garbage) -> String {
    let status = table.rows.iter().find_map(|row| row.refusal(garbage)).map(|refusal| refusal.status);
    status.map(|status| format!("answered {status}")).unwrap_or_default()
}

/// One cell for each kind.
fn over_kinds(table: &RejectTable, row: &RejectRow, cell: impl Fn(&Refusal) -> Cell) -> Vec<Cell> {
    let of = |garbage: &Garbage| match row.refusal(*garbage) {
        Some(refusal) if refusal.rounds.used == 0 => Cell::new(NONE).with_note("none valid"),
        Some(refusal) => cell(refusal),
        None => Cell::new(NONE),
    };
    table.kinds().iter().map(of).collect()
}

fn cost_table(record: &Record, table: &RejectTable) -> Table {
    let mut columns = vec![Column::text("Scheme"), Column::figure("A good request", "answered 200")];
    let kinds = table.kinds().into_iter();
    columns.extend(kinds.map(|garbage| Column::figure(garbage.to_string(), answered(table, garbage))));
    let cells = |row: &RejectRow| {
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.push(estimated(row.accepting.as_ref().and_then(|accepting| accepting.total_us)));
        cells.extend(over_kinds(table, row, |refusal| estimated(refusal.total_us)));
        cells
    };
    Table {
        caption: "CPU time of server and store a request, in µs".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "A round in which any request was answered with another status is invalid and feeds nothing. The control refuses nobody \
             for his credential; a header that is too long is refused before a credential is looked for, with any scheme alike, and \
             what it takes to open a connection for the next request is in it."
                .to_owned(),
        ],
    }
}

fn against_table(record: &Record, table: &RejectTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    for garbage in table.kinds() {
        columns.push(Column::figure(garbage.to_string(), "so many times"));
        columns.push(Column::figure(garbage.to_string(), "µs more"));
    }
    let cells = |row: &RejectRow| {
        let over = |refusal: &Refusal| refusal.over_accepting;
        let ratios = over_kinds(table, row, |refusal| estimated(over(refusal).and_then(|over| over.ratio)));
        let more = over_kinds(table, row, |refusal| estimated(over(refusal).and_then(|over| over.total_us)));
        let both = ratios.into_iter().zip(more).flat_map(|(ratio, more)| [ratio, more]);
        [name_cell(record, &row.scheme)].into_iter().chain(both).collect()
    };
    Table {
        caption: "Refusing against accepting, inside each block".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "Below 1, and below 0, refusing takes less than accepting. In brackets: 95 % intervals.".to_owned(),
        ],
    }
}

fn how() -> Vec<String> {
    vec![
        "Saturated closed loops of `GET /me`, as in “CPU time of a request”: good requests, and each kind of garbage, once in each \
         block and in an order drawn anew."
            .to_owned(),
        "Forged credentials are those the server handed out, with a character of the session id or the signature exchanged; expired \
         ones have outlived their time by the server's own clock, which was put forward."
            .to_owned(),
    ]
}

fn limits() -> Vec<String> {
    vec![
        "An expired session still lies in the store here, whose clock was not put forward; where the store has forgotten it, it is \
         like one that is not known."
            .to_owned(),
        "A long header travels over loopback: copying it is all that it takes.".to_owned(),
    ]
}
