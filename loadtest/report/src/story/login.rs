//! The section on logins.

use engine::record::Record;
use evidence::{LatencyRow, LoginRow, LoginTable, is_control};

use super::many::{Said, told_of_each};
use super::parts::{Show, estimated, left_out, method, paragraph};
use super::response::{of_rounds, percentile, percentile_charts};
use super::scheme::{name_cell, row_groups};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, count, grouped, listed, plain};

impl Show for LoginTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }
}

fn blocks(record: &Record, table: &LoginTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(format!(
        "A password is hashed slowly on purpose (argon2id, 19 MiB, two passes). This is what a login costs, what is left of it \
         without the password, and what those feel who are logged in while {} log in, again as soon as they are answered. The \
         control hashes, too, and hands out nothing.",
        count(table.clients as usize, "client")
    ))];
    if table.clients > 0 {
        let rows: Vec<&LatencyRow> = table.rows.iter().filter_map(|row| row.storm.as_ref()).collect();
        blocks.extend(percentile_charts(record, table.latency.experiment, &rows).into_iter().map(Block::Chart));
        blocks.push(Block::Table(reads_table(record, table)));
    }
    blocks.push(Block::Table(cost_table(record, table)));
    blocks.extend(method(how(table), limits()));
    blocks
}

/// The storms' ends, and credentials without the password.
fn sentence(record: &Record, table: &LoginTable) -> Option<String> {
    let handing_out = table.rows.iter().filter(|row| !is_control(&row.scheme));
    let issued = handing_out.filter_map(|row| Some((&row.scheme, row.issued?.per_cpu_s?.value)));
    let issued: Vec<Said<'_>> = issued
        .map(|(scheme, each)| Said { scheme, figure: each, text: format!("{} with `{scheme}`", grouped(each)) })
        .collect();
    let logins = ends(table.rows.iter().filter_map(|row| row.cost.map(|cost| cost.per_cpu_s.value)));
    let slower = ends(table.rows.iter().filter_map(|row| row.p99_ratio.map(|ratio| ratio.value)));
    let parts = [
        logins.map(|ends| format!("a second of CPU time was enough for {ends} of them, by scheme")),
        (!issued.is_empty()).then(|| {
            format!(
                "with the password left out it was enough for so many credentials{}",
                told_of_each(record, issued, listed)
            )
        }),
        slower.map(|ends| {
            let clients = count(table.clients as usize, "client");
            format!("beside {clients} who logged in, the 99th percentile of reads was {ends} times that beside nobody")
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("Logins: {}.", parts.join("; ")))
}

/// "12.1 to 14.0", or one figure where all are the same.
fn ends(values: impl Iterator<Item = f64>) -> Option<String> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), each| (low.min(each), high.max(each)));
    let (least, most) = (plain(low), plain(high));
    (low <= high).then(|| if least == most { least } else { format!("{least} to {most}") })
}

fn reads_table(record: &Record, table: &LoginTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    for title in ["p50", "p99"] {
        columns.extend([
            Column::figure(title, "beside nobody"),
            Column::figure(title, "beside a storm"),
            Column::figure(title, "so many times"),
        ]);
    }
    columns.push(Column::figure("Rounds", "valid, beside a storm"));
    Table {
        caption: "Response times of reads, beside nobody and beside a storm of logins".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), reads(record, row))).collect()),
        footnotes: vec![
            "† greyed: fewer than 100 samples lie above it. So many times: the typical ratio of a storm's round to that beside nobody \
             in the same block, with its interval."
                .to_owned(),
        ],
    }
}

fn reads(record: &Record, row: &LoginRow) -> Vec<Cell> {
    let p50 = |of: &Option<LatencyRow>| {
        of.as_ref().map_or(Cell::new(NONE), |row| {
            percentile(&row.response, 0.5, |found| found.p50).with_note(of_rounds(row.response.p50_of_rounds))
        })
    };
    let p99 = |of: &Option<LatencyRow>| {
        of.as_ref().map_or(Cell::new(NONE), |row| {
            percentile(&row.response, 0.99, |found| found.p99).with_note(of_rounds(row.response.p99_of_rounds))
        })
    };
    let rounds = row
        .storm
        .as_ref()
        .map_or(Cell::new(NONE), |row| Cell::new(row.rounds.used.to_string()).with_note(left_out(row.rounds.excluded)));
    vec![
        name_cell(record, &row.scheme),
        p50(&row.idle),
        p50(&row.storm),
        estimated(row.p50_ratio),
        p99(&row.idle),
        p99(&row.storm),
        estimated(row.p99_ratio),
        rounds,
    ]
}

fn cost_table(record: &Record, table: &LoginTable) -> Table {
    let columns = vec![
        Column::text("Scheme"),
        Column::figure("A login", "ms of CPU time"),
        Column::figure("Logins", "a second of CPU time"),
        Column::figure("Logins", "a second, in the storm"),
        Column::figure("Handing out", "µs, server"),
        Column::figure("Handing out", "µs, store"),
        Column::figure("Credentials", "a second of CPU time"),
        Column::figure("Handing out", "% of a login"),
    ];
    Table {
        caption: "CPU time of server and store: a login, and a credential without the password".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cost(record, row))).collect()),
        footnotes: vec![
            "Reads are taken away from a login at what they cost beside nobody. In brackets: 95 % intervals over \
             storms and issuances. The control's row under “handing out” is what counting, naming and writing \
             down takes by itself: it is in every other row as well."
                .to_owned(),
        ],
    }
}

fn cost(record: &Record, row: &LoginRow) -> Vec<Cell> {
    let (cost, issued) = (row.cost, row.issued);
    let share = cost.zip(issued.and_then(|issued| issued.total_us));
    let share = share.map(|(cost, issued_us)| issued_us.value / cost.login_us.value * 100.0);
    vec![
        name_cell(record, &row.scheme),
        estimated(cost.map(|cost| cost.login_us.map(|us| us / 1e3))),
        estimated(cost.map(|cost| cost.per_cpu_s)),
        estimated(cost.map(|cost| cost.rate_rps)),
        estimated(issued.map(|issued| issued.server_us)),
        estimated(issued.and_then(|issued| issued.store_us)),
        estimated(issued.and_then(|issued| issued.per_cpu_s)),
        Cell::new(share.map_or(NONE.to_owned(), plain)),
    ]
}

fn how(table: &LoginTable) -> Vec<String> {
    let placed = match table.server_cpus.len() {
        0 => "wherever the kernel let it run".to_owned(),
        cpus => format!("on {}", count(cpus, "processor")),
    };
    vec![
        format!(
            "Each scheme is visited twice in each block, in an order drawn anew: beside nobody, and beside a storm that is there from \
             before the first read until after the last. The server runs {placed}; it hashes on all of its processors but one."
        ),
        format!(
            "Credentials without the password: `POST /bench/mint` hands out {} at a time, 256 of them under way at once, so that \
             commands to a store overlap. A request of its own, the password, and a second look at the user are left out.",
            grouped(f64::from(table.batch))
        ),
    ]
}

fn limits() -> Vec<String> {
    vec![
        "On two processors the generator shares one with the hashing. It stands for another machine: it is sent before every \
         ordinary thread where that is permitted, and takes from the hashing what a machine of its own would not."
            .to_owned(),
        "The line of a storm is short. A longer one takes more memory and makes each login wait longer; it takes no more CPU time, \
         since no more are hashed at once."
            .to_owned(),
    ]
}
