//! The section on bytes on the wire.

use contract::Carrier;
use engine::record::Record;
use evidence::{COOKIE_LIMIT_BYTES, WireRow, WireTable, is_control};

use super::grouping::{SchemeText, list_schemes};
use super::parts::{Show, SummaryColumn, method, paragraph};
use super::scheme::{by_class, described, name_cell, row_groups};
use crate::chart::{Chart, ChartData, Group, Subject, WireBar};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, grouped, listed};

impl Show for WireTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }

    fn columns<'table>(&'table self, record: &'table Record) -> Vec<SummaryColumn<'table>> {
        column(record, self).into_iter().collect()
    }
}

fn blocks(record: &Record, table: &WireTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(
        "Bytes of the credential, of the `GET /me` request that carries it, of its response, and of the login \
         response that issued it, for users with few and with many roles.",
    )];
    for carrier in [Carrier::Cookie, Carrier::Bearer] {
        let rows: Vec<&WireRow> = table.rows.iter().filter(|row| row.point.carrier == carrier).collect();
        if !rows.is_empty() {
            blocks.extend(chart(record, carrier, &rows).map(Block::Chart));
            blocks.push(Block::Table(wire_table(record, carrier, &rows)));
        }
    }
    blocks.extend(method(method_items(), limitations()));
    blocks
}

fn sentence(record: &Record, table: &WireTable) -> Option<String> {
    let roles = representative_roles(&table.rows)?;
    let rows = representative_rows(record, table, roles);
    let parts: Vec<SchemeText<'_>> =
        rows.filter_map(|row| row.request_over_control.map(|bytes| wire_of(row, bytes as f64))).collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Bytes: for a user with {roles} roles, the request headers exceed those of the control by{}.",
            list_schemes(record, parts, listed)
        )
    })
}

fn wire_of(row: &WireRow, bytes: f64) -> SchemeText<'_> {
    let text = format!("{} B with `{}` ({})", grouped(bytes), row.point.scheme, row.point.carrier);
    SchemeText { scheme: &row.point.scheme, figure: bytes, text }
}

fn column<'table>(record: &'table Record, table: &'table WireTable) -> Option<SummaryColumn<'table>> {
    let roles = representative_roles(&table.rows)?;
    let cell = move |scheme: &str| {
        let row = representative_rows(record, table, roles).find(|row| row.point.scheme == scheme);
        match row.and_then(|row| row.request_over_control) {
            Some(bytes) => Cell::new(grouped(bytes as f64)).with_note(format!("{roles} roles")),
            None if is_control(scheme) && row.is_some() => Cell::new("0").with_note("control"),
            None => Cell::new(NONE),
        }
    };
    Some(SummaryColumn::new(Column::figure("Request", "bytes over control"), cell))
}

/// Returns the rows with this number of roles and the carrier of all other measurements.
fn representative_rows<'table>(
    record: &'table Record,
    table: &'table WireTable,
    roles: u16,
) -> impl Iterator<Item = &'table WireRow> {
    let same_carrier = |row: &&WireRow| {
        described(record, &row.point.scheme).is_none_or(|described| described.carrier == row.point.carrier)
    };
    table.rows.iter().filter(move |row| row.point.roles == roles).filter(same_carrier)
}

/// Returns the middle number of roles.
fn representative_roles(rows: &[WireRow]) -> Option<u16> {
    let mut roles: Vec<u16> = rows.iter().map(|row| row.point.roles).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.get(roles.len() / 2).copied()
}

fn wire_table(record: &Record, carrier: Carrier, rows: &[&WireRow]) -> Table {
    let repeats = |at: usize| at > 0 && rows[at - 1].point.scheme == rows[at].point.scheme;
    let cells =
        rows.iter().enumerate().map(|(at, row)| (row.point.scheme.clone(), cells(record, row, repeats(at)))).collect();
    Table {
        caption: format!("Bytes with the carrier {carrier}"),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Roles", ""),
            Column::figure("Credential", "bytes"),
            Column::figure("Request headers", "bytes"),
            Column::figure("Request headers", "bytes over control"),
            Column::figure("Response headers", "bytes"),
            Column::figure("Response body", "bytes"),
            Column::figure("Login response", "bytes"),
        ],
        groups: row_groups(record, cells),
        footnotes: Vec::new(),
    }
}

fn cells(record: &Record, row: &WireRow, repeats: bool) -> Vec<Cell> {
    let point = &row.point;
    // The properties of a scheme are shown in its first row.
    let name = name_cell(record, &point.scheme);
    let name = if repeats { name.with_note("") } else { name };
    let number = |bytes: u64| Cell::new(grouped(bytes as f64));
    let validity = if point.validity.valid { String::new() } else { "invalid".to_owned() };
    vec![
        name,
        Cell::new(point.roles.to_string()).with_note(validity),
        number(point.credential_bytes),
        number(point.request_header_bytes),
        Cell::new(row.request_over_control.map_or(NONE.to_owned(), |bytes| grouped(bytes as f64))),
        number(point.response_header_bytes),
        number(point.response_body_bytes),
        number(point.login_response_bytes),
    ]
}

fn method_items() -> Vec<String> {
    vec![
        "Counted on the TCP connection of one login and one `GET /me` over HTTP/1.1 without TLS. A request has the same \
         bytes every time, so there is nothing to estimate and there are no intervals."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "HTTP/2 and HTTP/3 compress headers that repeat on a connection, so there a large credential is sent once \
         per connection rather than once per request."
            .to_owned(),
        "A token grows with its claims. A session id does not: its roles stay in the store.".to_owned(),
    ]
}

fn chart(record: &Record, carrier: Carrier, rows: &[&WireRow]) -> Option<Chart> {
    let mut roles: Vec<u16> = rows.iter().map(|row| row.point.roles).collect();
    roles.sort_unstable();
    roles.dedup();
    let mut schemes: Vec<&str> = rows.iter().map(|row| row.point.scheme.as_str()).collect();
    schemes.dedup();
    let bars = schemes.iter().map(|scheme| ((*scheme).to_owned(), bar(record, scheme, &roles, rows))).collect();
    let groups: Vec<Group<WireBar>> =
        by_class(record, bars).into_iter().map(|(title, rows)| Group { title, rows }).collect();
    let largest = rows.iter().map(|row| row.point.credential_bytes).max()?;
    let limit = carrier == Carrier::Cookie && largest * 4 > COOKIE_LIMIT_BYTES;
    Some(Chart {
        name: format!("wire-{carrier}"),
        title: format!("Request header bytes, carrier {carrier}"),
        alt: format!(
            "Bar chart of request header bytes of GET /me by scheme and number of roles, carrier {carrier}; the \
             figures are in the table."
        ),
        width: 860,
        height: 110 + 22 * (groups.len() + schemes.len() * roles.len()) as u32,
        data: ChartData::Wire { roles, limit_bytes: limit.then_some(COOKIE_LIMIT_BYTES), groups },
    })
}

fn bar(record: &Record, scheme: &str, roles: &[u16], rows: &[&WireRow]) -> WireBar {
    let bytes = |wanted: &u16| {
        let points = rows.iter().map(|row| &row.point).filter(|point| point.validity.valid);
        let found = points.into_iter().find(|point| point.scheme == scheme && point.roles == *wanted);
        found.map(|point| point.request_header_bytes)
    };
    WireBar { subject: Subject::of(record, scheme), bytes: roles.iter().map(bytes).collect() }
}
