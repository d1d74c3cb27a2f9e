//! The section on CPU time.

use engine::record::{CostExperiment, Record};
use evidence::statistics::Estimate;
use evidence::{Capacity, CostRow, CostTable, OverControl};

use super::grouping::{SchemeText, list_after_colon};
use super::parts::{Show, SummaryColumn, invalid_count, method, paragraph};
use super::scheme::{by_class, described, name_cell, row_groups, store};
use super::workload;
use crate::chart::{Chart, ChartData, CostBar, Group, Subject};
use crate::document::{Block, Cell, Column, RowGroup, Table};
use crate::figure::{NONE, bracket, count, estimate, grouped, listed, plain};

impl Show for CostTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        Some(sentence(record, self))
    }

    fn columns<'table>(&'table self, _: &'table Record) -> Vec<SummaryColumn<'table>> {
        columns(self)
    }
}

fn blocks(record: &Record, table: &CostTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(format!(
        "CPU time per authenticated request, in the server and in the store, at saturation: {}. The cost of \
         authentication is what a scheme adds to the control.",
        plan_text(record)
    ))];
    blocks.extend(chart(record, table).map(Block::Chart));
    blocks.push(Block::Table(cost_table(record, table)));
    blocks.push(Block::Table(capacity_table(record, table)));
    blocks.extend(commands(table));
    blocks.extend(method(method_items(table), limitations()));
    blocks
}

fn sentence(record: &Record, table: &CostTable) -> String {
    let parts: Vec<SchemeText<'_>> = table.differences().map(|(row, over)| cost_of(record, row, over)).collect();
    if parts.is_empty() {
        return "CPU time: the cost of authentication is unknown, because no scheme has a valid round in the same \
                block as a valid round of the control."
            .to_owned();
    }
    let control = table.rows.iter().find(|row| row.is_control).and_then(|row| row.server_us);
    let control = control.map(|found| format!(", which takes {}", estimate(&found, "µs"))).unwrap_or_default();
    format!(
        "CPU time per request over the control{control}{}.",
        list_after_colon(record, parts, |parts| parts.join("; "))
    )
}

fn cost_of<'row>(record: &Record, row: &'row CostRow, over: &OverControl) -> SchemeText<'row> {
    let server = format!("`{}` {} in the server", row.scheme, estimate_text(&over.server_us));
    let text = match (&row.store_us, &over.store_us) {
        (Some(_), Some(found)) => {
            let name = described(record, &row.scheme).map_or("the store", |described| store(described.store));
            format!("{server} and {} in {name}", estimate_text(found))
        }
        (_, None) => format!("{server}, plus an unknown amount in a store that could not be observed"),
        _ => server,
    };
    SchemeText { scheme: &row.scheme, figure: over.total_us.unwrap_or(over.server_us).value, text }
}

/// Formats an estimate, or why it has no interval.
fn estimate_text(found: &Estimate) -> String {
    match found.interval {
        Some(_) => estimate(found, "µs"),
        None => format!("{} ({}, too few for an interval)", estimate(found, "µs"), count(found.samples, "round")),
    }
}

fn columns(table: &CostTable) -> Vec<SummaryColumn<'_>> {
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
        SummaryColumn::new(Column::figure("Server CPU", "µs over control"), server),
        SummaryColumn::new(Column::figure("Store CPU", "µs over control"), store),
    ]
}

fn plan_text(record: &Record) -> String {
    let plan = record
        .data::<CostExperiment>()
        .and_then(|data| data.rounds.first())
        .map(|round| workload::describe(&round.plan));
    plan.unwrap_or_else(|| "no round was measured".to_owned())
}

fn cost_table(record: &Record, table: &CostTable) -> Table {
    let rows = table.rows.iter().map(|row| (row.scheme.clone(), cost_cells(record, row))).collect();
    Table {
        caption: "CPU time per request over the control".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Server", "µs over control"),
            Column::figure("Store", "µs over control"),
            Column::figure("Total", "µs over control"),
            Column::figure("Total", "times the control"),
            Column::figure("Server, absolute", "µs"),
            Column::figure("Rounds", "valid"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![
            "Brackets hold confidence intervals. Each column is estimated separately, so server and store add up \
             only approximately."
                .to_owned(),
        ],
    }
}

fn cost_cells(record: &Record, row: &CostRow) -> Vec<Cell> {
    let over = row.over_control.as_ref();
    let control = if row.is_control { Cell::new("0").with_note("by definition") } else { Cell::new(NONE) };
    let of = |pick: fn(&OverControl) -> Option<Estimate>| {
        over.and_then(pick).map_or(control.clone(), |found| estimated(&found))
    };
    vec![
        name_cell(record, &row.scheme),
        of(|over| Some(over.server_us)),
        over.map_or(control.clone(), |over| store_cell(row, over)),
        of(|over| over.total_us),
        over.and_then(|over| over.ratio).map_or(Cell::new(NONE), |found| estimated(&found)),
        row.server_us.map_or(Cell::new(NONE), |found| estimated(&found)),
        Cell::new(row.rounds.used.to_string()).with_note(invalid_count(row.rounds.excluded)),
    ]
}

/// Returns the cell of the store. An exact 0 means that there is no store; it is not a measurement.
fn store_cell(row: &CostRow, over: &OverControl) -> Cell {
    match (&over.store_us, &row.store_us) {
        (None, _) => Cell::new(NONE).with_note("not observed"),
        (Some(_), None) => Cell::new("0").with_note("no store"),
        (Some(found), Some(_)) => estimated(found),
    }
}

/// Formats an estimate with its interval below it.
fn estimated(found: &Estimate) -> Cell {
    let note = match &found.interval {
        Some(interval) => bracket(interval),
        None => format!("{}, no interval", count(found.samples, "round")),
    };
    Cell::new(plain(found.value)).with_note(note)
}

fn capacity_table(record: &Record, table: &CostTable) -> Table {
    let rows = table.rows.iter().map(|row| (row.scheme.clone(), capacity_cells(record, row))).collect();
    Table {
        caption: "Capacity of each scheme at saturation".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Capacity", "requests/s"),
            Column::text("Saturated"),
            Column::text("CPUs used"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![format!(
            "Median of the rounds. A part is saturated if it uses at least {:.0} % of its CPUs; a store, if it uses \
             at least {:.0} % of the CPU that runs its commands.",
            evidence::SATURATED_CPU_SHARE * 100.0,
            evidence::SATURATED_CPU_SHARE * 100.0
        )],
    }
}

fn capacity_cells(record: &Record, row: &CostRow) -> Vec<Cell> {
    let name = name_cell(record, &row.scheme);
    let Some(capacity) = &row.capacity else {
        return vec![name, Cell::new(NONE), Cell::new("no valid round"), Cell::new(NONE)];
    };
    let bound = if capacity.is_lower_bound() { "at least " } else { "" };
    let rps = match &capacity.rps.interval {
        Some(interval) => format!("[{}, {}]", grouped(interval.low), grouped(interval.high)),
        None => format!("{}, no interval", count(capacity.rps.samples, "round")),
    };
    vec![
        name,
        Cell::new(format!("{bound}{}", grouped(capacity.rps.value))).with_note(rps),
        Cell::new(saturated_parts(capacity)),
        Cell::new(cpus_used(capacity)),
    ]
}

fn saturated_parts(capacity: &Capacity) -> String {
    let parts: Vec<String> = capacity.saturated.iter().map(ToString::to_string).collect();
    match (parts.is_empty(), capacity.busy.is_empty(), capacity.shared) {
        (_, true, _) => "unknown: the processes were not observed".to_owned(),
        (true, _, _) => "none: limited by waiting, not by CPU".to_owned(),
        (_, _, true) => format!("the CPUs shared by {}", listed(&parts)),
        _ => format!("the {}", listed(&parts)),
    }
}

fn cpus_used(capacity: &Capacity) -> String {
    let parts: Vec<String> = capacity.busy.iter().map(|(part, cores)| format!("{part} {cores:.2}")).collect();
    if parts.is_empty() { NONE.to_owned() } else { parts.join(" · ") }
}

/// Returns the commands of the stores, and the overhead of a connection pool.
fn commands(table: &CostTable) -> Vec<Block> {
    let rows: Vec<&CostRow> = table.rows.iter().filter(|row| !row.store_commands.is_empty()).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let cells = |row: &&CostRow| {
        let sum: f64 = row.store_commands.values().sum();
        let frequent = row.store_commands.iter().filter(|(_, each)| **each >= 0.005);
        let names: Vec<String> = frequent.map(|(name, each)| format!("{name} {}", plain(*each))).collect();
        vec![Cell::new(format!("`{}`", row.scheme)), Cell::new(plain(sum)), Cell::new(names.join(" · "))]
    };
    let mut blocks = vec![Block::Table(Table {
        caption: "Store commands per request".to_owned(),
        columns: vec![Column::text("Scheme"), Column::figure("Commands", "per request"), Column::text("By name")],
        groups: vec![RowGroup { title: String::new(), rows: rows.iter().map(cells).collect() }],
        footnotes: vec!["Counted by the store over whole rounds, divided by the requests sent in them.".to_owned()],
    })];
    blocks.extend(rows.iter().filter_map(|row| pool_note(row)).map(paragraph));
    blocks
}

/// Explains the overhead of a pool if its commands were counted.
fn pool_note(row: &CostRow) -> Option<String> {
    let counted = |name: &str| row.store_commands.get(name).copied().unwrap_or(0.0);
    let (unwatch, ping) = (counted("UNWATCH"), counted("PING"));
    (unwatch >= 0.5 && ping >= 0.5).then(|| {
        format!(
            "`{}` sent {} UNWATCH and {} PING per request in addition to its look-up. `deadpool-redis` sends both \
             each time it reuses a pooled connection and has no option to disable this. They cost CPU time on both \
             sides and, over a network, one more round trip.",
            row.scheme,
            plain(unwatch),
            plain(ping)
        )
    })
}

fn method_items(table: &CostTable) -> Vec<String> {
    let reached = table.differences().filter_map(|(_, over)| over.server_us.interval).map(|interval| interval.level);
    let level = reached.fold(f64::INFINITY, f64::min);
    let level = if level.is_finite() {
        format!(
            " The requested confidence is 95 %; with these numbers of rounds the exact test reaches at least {:.1} %.",
            level * 100.0
        )
    } else {
        " At 95 % the test needs six rounds; there were fewer, so there are no intervals.".to_owned()
    };
    vec![
        "A closed loop saturates the server, because CPU time per request is most repeatable there. CPU time is read \
         from the CPU clocks of the processes at both ends of the window and divided by the requests finished in it."
            .to_owned(),
        "Schemes take turns in random order. Each round is compared with the control's round of the same block; if \
         either round is invalid, the pair is excluded."
            .to_owned(),
        format!(
            "The sample is the round, not the request. The estimate is the Hodges-Lehmann estimator; the interval \
             comes from Wilcoxon's signed-rank test.{level}"
        ),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "CPU time is not response time: a request that waits for a store on another machine uses no CPU while it \
         waits."
            .to_owned(),
        "A capacity applies only to these CPUs with this generator. To compare with other machines, use the \
         microseconds, not the requests per second."
            .to_owned(),
    ]
}

fn chart(record: &Record, table: &CostTable) -> Option<Chart> {
    let bars: Vec<(String, CostBar)> =
        table.differences().map(|(row, over)| (row.scheme.clone(), bar(record, row, over))).collect();
    let rows = bars.len();
    let texts: Vec<String> = bars.iter().map(|(scheme, bar)| format!("{scheme} {}", bar.label)).collect();
    let groups: Vec<Group<CostBar>> =
        by_class(record, bars).into_iter().map(|(title, rows)| Group { title, rows }).collect();
    let height = 110 + 34 * (rows + groups.len()) as u32;
    (rows > 0).then(|| Chart {
        name: "cost".to_owned(),
        title: "CPU time per request over the control".to_owned(),
        alt: format!(
            "Bar chart of CPU time over the control by scheme, server and store stacked: {}.",
            texts.join("; ")
        ),
        width: 860,
        height,
        data: ChartData::Cost { groups },
    })
}

fn bar(record: &Record, row: &CostRow, over: &OverControl) -> CostBar {
    let whole = over.total_us.unwrap_or(over.server_us);
    CostBar {
        subject: Subject::of(record, &row.scheme),
        server: over.server_us.value,
        store: over.store_us.map(|store| store.value),
        interval: whole.interval.map(|interval| (interval.low, interval.high)),
        label: estimate(&whole, "µs"),
    }
}
