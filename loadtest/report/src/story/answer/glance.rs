//! One table that says the most in the least room.

use engine::record::{Level, Quantiles, Record};
use evidence::statistics::Estimate;
use evidence::{
    CostTable, Distribution, Evidence, LatencyRow, LatencyTable, MemoryTable, WireRow, WireTable, is_control,
    level_name,
};

use crate::document::{Cell, Column, Table};
use crate::figure::{NONE, grouped};
use crate::story::cost::{estimated, store_cell};
use crate::story::latency::{of_rounds, percentile};
use crate::story::memory;
use crate::story::scheme::{described, name_cell, row_groups};

/// A column of the table: its head, and its cell for a scheme.
type Filled<'evidence> = (Column, Box<dyn Fn(&str) -> Cell + 'evidence>);

/// A percentile of merged histograms.
type Pick = fn(&Quantiles) -> Option<u64>;
/// What the rounds by themselves say about it.
type OfRounds = fn(&Distribution) -> Option<Estimate>;

/// The table; none where nothing was measured of any scheme.
pub(crate) fn glance(record: &Record, evidence: &Evidence) -> Option<Table> {
    let latency = evidence.latency.as_ref().or(evidence.load.as_ref());
    let columns: Vec<Filled<'_>> = [
        evidence.cost.as_ref().map(cost),
        latency.and_then(self::latency),
        evidence.memory.as_ref().map(self::memory),
        evidence.wire.as_ref().and_then(|table| wire(record, table)),
    ]
    .into_iter()
    .flatten()
    .flatten()
    .collect();
    let row = |scheme: &str| {
        let cells = columns.iter().map(|(_, cell)| cell(scheme));
        std::iter::once(name_cell(record, scheme)).chain(cells).collect()
    };
    let rows = record.schemes.iter().map(|each| (each.scheme.clone(), row(&each.scheme))).collect();
    let groups = row_groups(record, rows);
    let mut heads = vec![Column::text("Scheme")];
    heads.extend(columns.into_iter().map(|(column, _)| column));
    (heads.len() > 1 && !groups.is_empty()).then(|| Table {
        caption: "At a glance".to_owned(),
        columns: heads,
        groups,
        footnotes: vec!["In brackets: intervals, at least 95 %, so that of twenty one may miss the truth; those of response times say how much the rounds differ among themselves. † fewer than 100 samples above.".to_owned()],
    })
}

fn cost(table: &CostTable) -> Vec<Filled<'_>> {
    let row = |scheme: &str| table.rows.iter().find(|row| row.scheme == scheme);
    let server = move |scheme: &str| match row(scheme) {
        Some(row) if row.is_control => Cell::new("0").with_note("control"),
        Some(row) => row.over_control.map_or(Cell::new(NONE), |over| estimated(&over.server_us)),
        None => Cell::new(NONE),
    };
    let store = move |scheme: &str| match row(scheme) {
        Some(row) if row.is_control => Cell::new("0").with_note("control"),
        Some(row) => row.over_control.map_or(Cell::new(NONE), |over| store_cell(row, &over)),
        None => Cell::new(NONE),
    };
    vec![
        (Column::figure("Server CPU", "µs over control"), Box::new(server)),
        (Column::figure("Store CPU", "µs over control"), Box::new(store)),
    ]
}

fn latency(table: &LatencyTable) -> Option<Vec<Filled<'_>>> {
    let level = telling_level(table)?;
    let at = if *level == Level::AsPlanned { String::new() } else { format!("at {}", level_name(level)) };
    let column = |title: &str, of: Part, quantile: f64, pick: Pick, rounds: OfRounds| -> Filled<'_> {
        let cell = move |scheme: &str| {
            let row = table.rows.iter().find(|row| row.scheme == scheme && row.level == *level);
            let Some(found) = row.map(|row| of.distribution(row)) else { return Cell::new(NONE) };
            percentile(found, quantile, pick).with_note(of_rounds(rounds(found)))
        };
        (Column::figure(format!("{} {title}", of.name()), at.clone()), Box::new(cell))
    };
    let mut columns = vec![
        column("p50", Part::Response, 0.5, |found| found.p50, |found| found.p50_of_rounds),
        column("p99", Part::Response, 0.99, |found| found.p99, |found| found.p99_of_rounds),
    ];
    if *level == Level::AsPlanned {
        columns.push(column("p99.9", Part::Response, 0.999, |found| found.p99_9, |_| None));
        columns.push(column("p99", Part::Service, 0.99, |found| found.p99, |found| found.p99_of_rounds));
    }
    Some(columns)
}

/// A part of the time that a request takes.
#[derive(Clone, Copy)]
enum Part {
    Response,
    Service,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Response => "Response",
            Self::Service => "Service",
        }
    }

    const fn distribution(self, row: &LatencyRow) -> &Distribution {
        match self {
            Self::Response => &row.response,
            Self::Service => &row.service,
        }
    }
}

/// The level that says most about all schemes at once: the highest equal rate, else the middle share.
pub(super) fn telling_level(table: &LatencyTable) -> Option<&Level> {
    let levels = table.levels();
    let equal = levels.iter().copied().filter(|level| matches!(level, Level::EqualRate { .. }));
    let highest = equal.max_by(|left, right| rate(left).total_cmp(&rate(right)));
    highest.or_else(|| levels.get(levels.len() / 2).copied())
}

const fn rate(level: &Level) -> f64 {
    if let Level::EqualRate { rate_rps } = level { *rate_rps } else { 0.0 }
}

fn memory(table: &MemoryTable) -> Vec<Filled<'_>> {
    let cell = move |scheme: &str| {
        let slope = table.rows.iter().find(|row| row.scheme == scheme).and_then(|row| row.slope.as_ref());
        let found = slope.and_then(|slope| Some((slope.total?, slope.basis)));
        found.map_or(Cell::new(NONE), |(total, basis)| memory::estimated(&total, basis))
    };
    vec![(Column::figure("Memory", "bytes a credential"), Box::new(cell))]
}

fn wire<'evidence>(record: &'evidence Record, table: &'evidence WireTable) -> Option<Vec<Filled<'evidence>>> {
    let roles = telling_roles(&table.rows)?;
    let cell = move |scheme: &str| {
        let row = telling_rows(record, table, roles).find(|row| row.point.scheme == scheme);
        match row.and_then(|row| row.request_over_control) {
            Some(bytes) => Cell::new(grouped(bytes as f64)).with_note(format!("{roles} roles")),
            None if is_control(scheme) && row.is_some() => Cell::new("0").with_note("control"),
            None => Cell::new(NONE),
        }
    };
    Some(vec![(Column::figure("Request", "bytes over control"), Box::new(cell))])
}

/// The rows with this number of roles and the carrier with which everything else was measured.
pub(super) fn telling_rows<'evidence>(
    record: &'evidence Record,
    table: &'evidence WireTable,
    roles: u16,
) -> impl Iterator<Item = &'evidence WireRow> {
    let same_carrier = |row: &&WireRow| {
        described(record, &row.point.scheme).is_none_or(|described| described.carrier == row.point.carrier)
    };
    table.rows.iter().filter(move |row| row.point.roles == roles).filter(same_carrier)
}

/// The middle number of roles.
pub(super) fn telling_roles(rows: &[WireRow]) -> Option<u16> {
    let mut roles: Vec<u16> = rows.iter().map(|row| row.point.roles).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.get(roles.len() / 2).copied()
}
