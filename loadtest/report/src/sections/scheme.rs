//! The schemes: their properties, and how rows are grouped by revocation class.

use contract::{RevocationClass, SchemeDescriptor, StoreDown, StoreKind};
use engine::record::Record;

use super::parts::{self, paragraph};
use crate::document::{Block, Cell, Column, RowGroup, Section, Table};
use crate::figure::{NONE, duration};

/// Returns the server's description of a scheme.
pub(super) fn described<'record>(record: &'record Record, scheme: &str) -> Option<&'record SchemeDescriptor> {
    record.schemes.iter().find(|described| described.scheme == scheme)
}

/// Returns the cell that names a row: the scheme, and below it what must be equal in a comparison.
pub(super) fn name_cell(record: &Record, scheme: &str) -> Cell {
    let note = described(record, scheme).map(semantics).unwrap_or_default();
    Cell::new(format!("`{scheme}`")).with_note(note)
}

fn semantics(described: &SchemeDescriptor) -> String {
    let class = match described.revocation_class {
        None => "control".to_owned(),
        Some(class) => format!("{class}, {}", window(described)),
    };
    let down = match described.store_down {
        StoreDown::NotNeeded => "keeps serving",
        StoreDown::FailClosed => "rejects all requests",
        StoreDown::ServeCached => "serves cached credentials until the revocation window has passed, then rejects",
        StoreDown::VerifyOnly => "keeps verifying; no login, refresh or logout",
    };
    format!("{class} · {} · {} · store down: {down}", described.carrier, store(described.store))
}

/// Returns the store's name in a sentence.
pub(super) const fn store(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::None => "no store",
        StoreKind::Memory => "the server's memory",
        StoreKind::Redis => "Redis",
        StoreKind::RedisCluster => "a Redis Cluster",
        StoreKind::Postgres => "PostgreSQL",
    }
}

fn window(described: &SchemeDescriptor) -> String {
    match described.revocation_window_s {
        Some(0) => "0 s".to_owned(),
        Some(seconds) => format!("≤ {}", duration(seconds)),
        None => "no bound".to_owned(),
    }
}

/// Groups items by revocation class: the control first, then from the strictest to the most
/// lenient.
pub(super) fn by_class<T>(record: &Record, items: Vec<(String, T)>) -> Vec<(String, Vec<T>)> {
    let mut sorted: Vec<(u8, T)> = items.into_iter().map(|(scheme, item)| (rank(record, &scheme), item)).collect();
    sorted.sort_by_key(|(rank, _)| *rank);
    let mut classes: Vec<(u8, Vec<T>)> = Vec::new();
    for (rank, item) in sorted {
        match classes.last_mut().filter(|(last, _)| *last == rank) {
            Some((_, items)) => items.push(item),
            None => classes.push((rank, vec![item])),
        }
    }
    classes.into_iter().map(|(rank, items)| (TITLES[usize::from(rank)].to_owned(), items)).collect()
}

/// Does the same for the rows of a table.
pub(super) fn row_groups(record: &Record, rows: Vec<(String, Vec<Cell>)>) -> Vec<RowGroup> {
    by_class(record, rows).into_iter().map(|(title, rows)| RowGroup { title, rows }).collect()
}

const TITLES: [&str; 6] = [
    "Control: no authentication",
    "Immediate: a revoked credential is rejected at once",
    "Propagation: rejected once a push has arrived",
    "TTL: rejected when a cached result or short-lived token expires",
    "Expiry: accepted until it expires",
    "Unknown revocation class",
];

fn rank(record: &Record, scheme: &str) -> u8 {
    if evidence::is_control(scheme) {
        return 0;
    }
    match described(record, scheme).and_then(|described| described.revocation_class) {
        Some(RevocationClass::Immediate) => 1,
        Some(RevocationClass::Propagation) => 2,
        Some(RevocationClass::Ttl) => 3,
        Some(RevocationClass::Expiry) => 4,
        None => 5,
    }
}

fn blocks(record: &Record) -> Vec<Block> {
    let columns = [
        "Scheme",
        "Revocation class",
        "Revocation window",
        "Carrier",
        "Store",
        "Store down",
        "Credential lifetime",
        "Idle timeout extended",
        "Leeway",
        "Users",
        "Roles",
        "Conformance",
    ];
    let rows = record.schemes.iter().map(|described| (described.scheme.clone(), row(record, described))).collect();
    let intro = "Compare within a revocation class first: a scheme that may accept a revoked credential for a while \
                 does less work than one that may not, and costs less.";
    vec![
        paragraph(intro),
        Block::Table(Table {
            caption: "Schemes as described by their servers".to_owned(),
            columns: columns.map(Column::text).into(),
            groups: row_groups(record, rows),
            footnotes: vec![
                "Revocation window: the longest time for which a revoked credential may still be accepted.".to_owned(),
                "Conformance: number of conformance checks that the server passed before it was measured.".to_owned(),
            ],
        }),
    ]
}

/// Returns the section with each server's description of itself.
pub(super) fn section(record: &Record) -> Section {
    let title = if record.schemes.len() == 1 { "Scheme" } else { "Compared schemes" };
    parts::section("schemes", title, blocks(record))
}

/// Formats the result of the conformance suite.
fn conformance(record: &Record, described: &SchemeDescriptor) -> String {
    match record.conformance.iter().find(|found| found.scheme == described.scheme) {
        Some(found) if found.failed.is_empty() => format!("{} passed", found.passed),
        Some(found) => format!("failed: {}", found.failed.join(", ")),
        None if described.revocation_class.is_none() => NONE.to_owned(),
        None => "not checked".to_owned(),
    }
}

fn row(record: &Record, described: &SchemeDescriptor) -> Vec<Cell> {
    let seconds = |value: Option<u64>| value.map_or(NONE.to_owned(), duration);
    let window = described.revocation_class.map_or(NONE.to_owned(), |_| window(described));
    let texts = [
        format!("`{}`", described.scheme),
        described.revocation_class.map_or(NONE.to_owned(), |class| class.to_string()),
        window,
        described.carrier.to_string(),
        described.store.to_string(),
        described.store_down.to_string(),
        seconds(described.credential_ttl_s),
        described.touch.map_or(NONE.to_owned(), |touch| touch.to_string()),
        seconds(described.leeway_s),
        crate::figure::grouped(f64::from(described.users)),
        described.roles.to_string(),
        conformance(record, described),
    ];
    texts.map(Cell::new).into()
}
