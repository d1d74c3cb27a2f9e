//! The section of the gate: the head compared with the base.

use engine::record::Record;
use evidence::{COUNTER_MARGIN, Count, GateMetric, GateRow, GateTable, LARGEST_HIDDEN_RISE, RisenComponent, Verdict};

use super::counters::NOT_ALGORITHMS;
use super::parts::{Show, SummaryColumn, method, paragraph};
use super::scheme::name_cell;
use crate::document::{Block, Cell, Column, RowGroup, Table};
use crate::figure::{NONE, grouped, listed, signed_percent, two_decimals};

impl Show for GateTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        let mut blocks = vec![
            paragraph(format!(
                "The work of one `GET /me` in two versions of the servers: the base, `{}`, and the head, `{}`.",
                self.base, self.head
            )),
            Block::Table(metrics_table(record, self)),
        ];
        let risen = self.with(Verdict::Fail).filter_map(|row| Some(format!("`{}`: {}", row.scheme, risen(row)?)));
        let risen: Vec<String> = risen.collect();
        if !risen.is_empty() {
            blocks.extend([Block::Heading("Crates in which instructions rose most".to_owned()), Block::List(risen)]);
        }
        blocks.extend(method(how(), limitations()));
        blocks
    }

    fn sentence(&self, _: &Record) -> Option<String> {
        let failed = self.rows.chunk_by(|one, other| one.scheme == other.scheme).filter_map(rises);
        let failed: Vec<String> = failed.collect();
        let what = match self.verdict {
            Verdict::Pass => "no counter rose by more than its margin".to_owned(),
            Verdict::Fail => format!("more work per request with {}", failed.join("; with ")),
            Verdict::Inconclusive => "a counter varies too much to show the rise that the gate is to find".to_owned(),
            Verdict::Invalid => "a part of the gate could not be measured".to_owned(),
        };
        Some(format!("{}: {what}. {NOT_ALGORITHMS}", self.verdict))
    }

    fn columns<'table>(&'table self, _: &'table Record) -> Vec<SummaryColumn<'table>> {
        let verdict = |scheme: &str| {
            let worst = self.rows.iter().filter(|row| row.scheme == scheme).map(|row| row.verdict).max();
            Cell::new(worst.map_or(NONE.to_owned(), |verdict| verdict.to_string()))
        };
        let mut columns = vec![SummaryColumn::new(Column::text("Verdict"), verdict)];
        columns.extend(GateMetric::ALL.into_iter().map(|metric| {
            let cell = move |scheme: &str| {
                let row = self.rows.iter().find(|row| row.scheme == scheme && row.metric == metric);
                Cell::new(row.map_or(NONE.to_owned(), change))
            };
            SummaryColumn::new(Column::figure(title(metric), "change"), cell)
        }));
        columns
    }

    fn lines(&self) -> Vec<String> {
        let worse = self.rows.iter().filter(|row| row.verdict != Verdict::Pass);
        let mut lines: Vec<String> = worse.map(|row| format!("{} {}", row.verdict, describe(row))).collect();
        lines.push(format!("{}: {} against {}", self.verdict, self.head, self.base));
        lines
    }
}

/// Returns the gate on a page of its own: what did not pass comes first, and what did is collapsed.
pub(super) fn pull_request(gate: &GateTable, record: &Record, summary: Option<Table>) -> Vec<Block> {
    let mut blocks: Vec<Block> = gate.sentence(record).into_iter().map(paragraph).collect();
    let worse = gate.rows.iter().filter(|row| row.verdict != Verdict::Pass);
    let worse: Vec<String> = worse.map(|row| format!("{} {}", row.verdict, rise(row))).collect();
    if !worse.is_empty() {
        blocks.push(Block::List(worse));
    }
    blocks.extend(summary.map(Block::Table));
    let details = vec![Block::Table(metrics_table(record, gate))];
    blocks.push(Block::Folded { summary: "All counters".to_owned(), blocks: details });
    blocks
}

/// Describes a row as plain text, such as "session-redis store commands 1.00 → 2.00 (+100.0 %, allowed +4.0 %)".
pub(crate) fn describe(row: &GateRow) -> String {
    rise(row).replace('`', "")
}

fn metrics_table(record: &Record, table: &GateTable) -> Table {
    let mut groups: Vec<RowGroup> = Vec::new();
    for rows in table.rows.chunk_by(|one, other| one.scheme == other.scheme) {
        let title = rows.first().map(|row| name_cell(record, &row.scheme).text.replace('`', "")).unwrap_or_default();
        groups.push(RowGroup { title, rows: rows.iter().map(cells).collect() });
    }
    Table {
        caption: "Counts per request".to_owned(),
        columns: vec![
            Column::text("Counter"),
            Column::text("Verdict"),
            Column::figure("Change", ""),
            Column::figure("Allowed", ""),
            Column::figure("Base", ""),
            Column::figure("Head", ""),
        ],
        groups,
        footnotes: vec![
            "Medians of the segments of all processes. Scatter: the difference between the highest and the lowest \
             segment, in per cent of the median."
                .to_owned(),
        ],
    }
}

fn cells(row: &GateRow) -> Vec<Cell> {
    vec![
        Cell::new(title(row.metric)),
        Cell::new(row.verdict.to_string()),
        Cell::new(change(row)),
        Cell::new(allowed(row)),
        counted(row.metric, row.base),
        counted(row.metric, row.head),
    ]
}

fn counted(metric: GateMetric, found: Option<Count>) -> Cell {
    found.map_or(Cell::new(NONE), |found| {
        let scatter = (found.scatter >= 0.000_05).then(|| format!("scatter {:.2} %", found.scatter * 100.0));
        Cell::new(figure(metric, found.value)).with_note(scatter.unwrap_or_default())
    })
}

/// Formats a count in the precision in which it is meant.
fn figure(metric: GateMetric, value: f64) -> String {
    match metric {
        GateMetric::Instructions | GateMetric::AllocatedBytes => grouped(value),
        _ => two_decimals(value),
    }
}

/// Formats the change: in per cent, or, from zero, in events.
fn change(row: &GateRow) -> String {
    match (row.relative_change(), row.change()) {
        (Some(share), _) => signed_percent(share),
        (None, Some(0.0)) => "0".to_owned(),
        (None, Some(change)) => format!("+{}", figure(row.metric, change)),
        (None, None) => NONE.to_owned(),
    }
}

fn allowed(row: &GateRow) -> String {
    match (row.allowed, row.base) {
        (Some(allowed), Some(base)) if base.value > 0.0 => signed_percent(allowed / base.value),
        (Some(allowed), _) => format!("+{}", figure(row.metric, allowed)),
        _ => NONE.to_owned(),
    }
}

/// Describes a row, such as "`session-redis` store commands 1.00 → 2.00 (+100.0 %, allowed +4.0 %)".
fn rise(row: &GateRow) -> String {
    let of = |found: Option<Count>| found.map_or(NONE.to_owned(), |found| figure(row.metric, found.value));
    format!(
        "`{}` {} {} → {} ({}, allowed {})",
        row.scheme,
        row.metric,
        of(row.base),
        of(row.head),
        change(row),
        allowed(row)
    ) + &risen(row).map(|risen| format!(", most of it in {risen}")).unwrap_or_default()
}

/// Describes the rises of a scheme, such as "`session-redis` (instructions +31.6 %, store commands +100.0 %)"; none without
/// any.
fn rises(rows: &[GateRow]) -> Option<String> {
    let failed = rows.iter().filter(|row| row.verdict == Verdict::Fail);
    let failed: Vec<String> = failed.map(|row| format!("{} {}", row.metric, change(row))).collect();
    (!failed.is_empty()).then(|| format!("`{}` ({})", rows[0].scheme, failed.join(", ")))
}

/// Names the components of a rise, such as "`redis` (+1,900)"; none if it is within its margin.
fn risen(row: &GateRow) -> Option<String> {
    let name = |each: &RisenComponent| format!("`{}` (+{})", each.name, grouped(each.rise));
    let named: Vec<String> = row.risen.iter().map(name).collect();
    (row.verdict == Verdict::Fail && !named.is_empty()).then(|| listed(&named))
}

/// Returns the metric's name as a title.
fn title(metric: GateMetric) -> String {
    let name = metric.to_string();
    let mut letters = name.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn how() -> Vec<String> {
    vec![
        "Both versions of a scheme run at the same time under valgrind, each with one worker and a store of its own, and \
         receive the same requests, one at a time. Two processes of each version count three segments each; two more if \
         a counter does not pass. A version that is an earlier run was counted then."
            .to_owned(),
        format!(
            "A counter fails if the head is above the base by more than {:.0} %, and by more than three median absolute \
             deviations, those of both versions together. Allocations, system calls and store commands may also differ by \
             two events per segment: a timer, a ping. A counter is inconclusive if these deviations could hide a rise of \
             {:.0} %.",
            COUNTER_MARGIN * 100.0,
            LARGEST_HIDDEN_RISE * 100.0
        ),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        NOT_ALGORITHMS.to_owned(),
        "Only this request is counted, and only its work in user space: the gate does not see slower logins, waits, locks, \
         or work of the kernel."
            .to_owned(),
    ]
}
