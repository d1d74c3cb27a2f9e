//! The section on logins.

use engine::record::Record;
use evidence::{LatencyRow, LoginRow, LoginTable, is_control};

use super::grouping::{SchemeText, list_after_colon};
use super::parts::{Show, estimated, invalid_count, method, paragraph};
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
        "Password hashing is slow by design (argon2id, 19 MiB, two passes). This section shows the cost of a login, \
         its cost without password hashing, and the effect on reads of users who are already logged in while {} log \
         in repeatedly, each again as soon as its login completes. The control hashes passwords too, but issues no \
         credential.",
        count(table.clients as usize, "client")
    ))];
    if table.clients > 0 {
        let rows: Vec<&LatencyRow> = table.rows.iter().filter_map(|row| row.burst.as_ref()).collect();
        blocks.extend(percentile_charts(record, table.latency.experiment, &rows).into_iter().map(Block::Chart));
        blocks.push(Block::Table(reads_table(record, table)));
    }
    blocks.push(Block::Table(cost_table(record, table)));
    blocks.extend(method(method_items(table), limitations()));
    blocks
}

/// Returns the range of the effect of login bursts, and the cost without password hashing.
fn sentence(record: &Record, table: &LoginTable) -> Option<String> {
    let issuing = table.rows.iter().filter(|row| !is_control(&row.scheme));
    let credentials = issuing.filter_map(|row| Some((&row.scheme, row.issuance?.per_cpu_s?.value)));
    let credentials: Vec<SchemeText<'_>> = credentials
        .map(|(scheme, each)| SchemeText { scheme, figure: each, text: format!("{} with `{scheme}`", grouped(each)) })
        .collect();
    let logins = format_range(table.rows.iter().filter_map(|row| row.cost.map(|cost| cost.per_cpu_s.value)));
    let slower = format_range(table.rows.iter().filter_map(|row| row.p99_ratio.map(|ratio| ratio.value)));
    let parts = [
        logins.map(|ends| format!("one second of CPU time is enough for {ends} logins, depending on the scheme")),
        (!credentials.is_empty()).then(|| {
            format!(
                "without password hashing, one second of CPU time is enough for this number of credentials{}",
                list_after_colon(record, credentials, listed)
            )
        }),
        slower.map(|ends| {
            let clients = count(table.clients as usize, "client");
            format!(
                "during a login burst of {clients}, the 99th percentile of reads is {ends} times that without \
                 concurrent logins"
            )
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("Logins: {}.", parts.join("; ")))
}

/// Formats a range, "12.1 to 14.0", or one figure if all are the same.
fn format_range(values: impl Iterator<Item = f64>) -> Option<String> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), each| (low.min(each), high.max(each)));
    let (least, most) = (plain(low), plain(high));
    (low <= high).then(|| if least == most { least } else { format!("{least} to {most}") })
}

fn reads_table(record: &Record, table: &LoginTable) -> Table {
    let mut columns = vec![Column::text("Scheme")];
    for title in ["p50", "p99"] {
        columns.extend([
            Column::figure(title, "no concurrent logins"),
            Column::figure(title, "during login burst"),
            Column::figure(title, "ratio"),
        ]);
    }
    columns.push(Column::figure("Rounds", "valid, during login burst"));
    Table {
        caption: "Response times of reads without concurrent logins and during a login burst".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), reads(record, row))).collect()),
        footnotes: vec![
            "† greyed: fewer than 100 samples above the percentile. Ratio: a round during a login burst to the round \
             without concurrent logins in the same block, as Hodges-Lehmann estimate with its interval."
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
    let rounds = row.burst.as_ref().map_or(Cell::new(NONE), |row| {
        Cell::new(row.rounds.used.to_string()).with_note(invalid_count(row.rounds.excluded))
    });
    vec![
        name_cell(record, &row.scheme),
        p50(&row.idle),
        p50(&row.burst),
        estimated(row.p50_ratio),
        p99(&row.idle),
        p99(&row.burst),
        estimated(row.p99_ratio),
        rounds,
    ]
}

fn cost_table(record: &Record, table: &LoginTable) -> Table {
    let columns = vec![
        Column::text("Scheme"),
        Column::figure("Login", "ms of CPU time"),
        Column::figure("Logins", "per second of CPU time"),
        Column::figure("Logins", "per second, during login burst"),
        Column::figure("Issuing", "µs, server"),
        Column::figure("Issuing", "µs, store"),
        Column::figure("Credentials", "per second of CPU time"),
        Column::figure("Issuing", "% of a login"),
    ];
    Table {
        caption: "CPU time of server and store for a login, and for a credential without password hashing".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cost(record, row))).collect()),
        footnotes: vec![
            "The CPU time of reads, as measured without concurrent logins, is subtracted from that of a login. \
             Brackets hold 95 % intervals over login bursts and issuances. Under “issuing”, the row of the control \
             shows the overhead of counting, naming and recording credentials, which every other row includes."
                .to_owned(),
        ],
    }
}

fn cost(record: &Record, row: &LoginRow) -> Vec<Cell> {
    let (cost, issuance) = (row.cost, row.issuance);
    let share = cost.zip(issuance.and_then(|issuance| issuance.total_us));
    let share = share.map(|(cost, issued_us)| issued_us.value / cost.login_us.value * 100.0);
    vec![
        name_cell(record, &row.scheme),
        estimated(cost.map(|cost| cost.login_us.map(|us| us / 1e3))),
        estimated(cost.map(|cost| cost.per_cpu_s)),
        estimated(cost.map(|cost| cost.rate_rps)),
        estimated(issuance.map(|issuance| issuance.server_us)),
        estimated(issuance.and_then(|issuance| issuance.store_us)),
        estimated(issuance.and_then(|issuance| issuance.per_cpu_s)),
        Cell::new(share.map_or(NONE.to_owned(), plain)),
    ]
}

fn method_items(table: &LoginTable) -> Vec<String> {
    let placed = match table.server_cpus.len() {
        0 => "on any CPU".to_owned(),
        cpus => format!("on {}", count(cpus, "CPU")),
    };
    vec![
        format!(
            "Each block measures every scheme twice, in a new random order: without concurrent logins, and during a \
             login burst that starts before the first read and ends after the last. The server runs {placed}; it \
             hashes passwords on all of its CPUs but one."
        ),
        format!(
            "Credentials without password hashing: `POST /bench/mint` issues {} per call, and 256 of them are in \
             progress at the same time, so that commands to a store overlap. This excludes the overhead of one \
             request per credential, the password and a second look-up of the user.",
            grouped(f64::from(table.batch))
        ),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "On two CPUs the generator shares one with password hashing. The generator stands in for another machine: \
         where permitted, it is scheduled before every ordinary thread, and it takes CPU time from the hashing that \
         a separate machine would not."
            .to_owned(),
        "The login queue is short. A longer queue takes more memory and makes each login wait longer; it takes no \
         more CPU time, since the number of concurrent hashes stays the same."
            .to_owned(),
    ]
}
