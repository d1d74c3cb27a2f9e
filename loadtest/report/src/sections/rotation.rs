//! The section on key and refresh token rotation under load.

use engine::record::{KeyDistribution, Record};
use evidence::{KeyRotationRow, RaceRow, RefreshBurstRow, RejectedFor, ReplayRow, Requests, RotationTable};

use super::parts::{Show, method, paragraph};
use super::scheme::{described, name_cell, row_groups};
use crate::chart::{Chart, ChartData, LineAxis, LineSeries, LineUnit, Subject};
use crate::document::{Block, Cell, Column, RowGroup, Table};
use crate::figure::{NONE, grouped, listed, plain, time};

impl Show for RotationTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, _: &Record) -> Option<String> {
        sentence(self)
    }
}

fn blocks(record: &Record, table: &RotationTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(
        "Signing keys and refresh tokens are rotated under load. This section shows the effects on clients: requests \
         that are rejected during a key rotation, logins that are revoked because two requests of the same client \
         refreshed concurrently, and bursts of refreshes.",
    )];
    if !table.key_rotations.is_empty() {
        blocks.push(Block::Table(key_rotation_table(record, table)));
    }
    blocks.extend(stand_in_notice(record, table).map(Block::Notice));
    if !table.races.is_empty() {
        blocks.push(Block::Table(race_table(table)));
    }
    if !table.replays.is_empty() {
        blocks.push(Block::Table(replay_table(table)));
    }
    if !table.refresh_bursts.is_empty() {
        blocks.push(Block::Chart(chart(table)));
        blocks.push(Block::Table(refresh_burst_table(table)));
    }
    blocks.extend(method(method_items(), limitations()));
    blocks
}

/// Returns one sentence per measured part.
fn sentence(table: &RotationTable) -> Option<String> {
    let parts = [key_rotation_sentence(table), race_sentence(table), refresh_burst_sentence(table)];
    let sentences: Vec<String> = parts.into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn key_rotation_sentence(table: &RotationTable) -> Option<String> {
    let of = |learning: KeyDistribution| {
        let rows = || table.key_rotations.iter().filter(move |row| row.learning == learning);
        let sum = |of: fn(&KeyRotationRow) -> u64| rows().map(of).sum::<u64>();
        (sum(|row| row.other_new.rejected), sum(|row| row.other_new.sent))
    };
    let share = |learning: KeyDistribution, how: &str| {
        let (rejected, sent) = of(learning);
        (sent > 0).then(|| format!("{} of {} {how}", grouped(rejected as f64), grouped(sent as f64)))
    };
    let parts = [
        share(KeyDistribution::Never, "where the key was not published"),
        share(KeyDistribution::Published, "where it fetched the published keys"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Key rotation: after one of two nodes rotated its key, the other node rejected requests with new \
             credentials: {}.",
            listed(&parts)
        )
    })
}

fn race_sentence(table: &RotationTable) -> Option<String> {
    let mut graces: Vec<u64> = table.races.iter().map(|row| row.grace_s).collect();
    graces.dedup();
    let of = |grace_s: u64| {
        let rows = || table.races.iter().filter(move |row| row.grace_s == grace_s);
        let sum = |of: fn(&RaceRow) -> u64| rows().map(of).sum::<u64>() as f64;
        format!(
            "{} of {} with a grace period of {grace_s} s",
            grouped(sum(|row| row.revoked)),
            grouped(sum(|row| row.families))
        )
    };
    let parts: Vec<String> = graces.into_iter().map(of).collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Refresh tokens: token families revoked because their own clients refreshed concurrently: {}.",
            listed(&parts)
        )
    })
}

fn refresh_burst_sentence(table: &RotationTable) -> Option<String> {
    let of = |row: &RefreshBurstRow| {
        let jitter = if row.jitter > 0.0 {
            format!("with ±{:.0} % jitter", row.jitter * 100.0)
        } else {
            "without jitter".to_owned()
        };
        format!("{} times the mean {jitter}", plain(row.peak_over_mean))
    };
    let parts: Vec<String> = table.refresh_bursts.iter().map(of).collect();
    (!parts.is_empty()).then(|| format!("After a login burst, the refresh rate peaked at {}.", listed(&parts)))
}

/// Names the scheme of races and refresh bursts if it is not one of the compared schemes.
fn stand_in_notice(record: &Record, table: &RotationTable) -> Option<String> {
    let scheme = table.refreshing_scheme.as_ref().filter(|scheme| described(record, scheme).is_none())?;
    Some(format!(
        "None of the compared schemes has refresh tokens. The following results were measured with `{scheme}` as a \
         stand-in; it is not compared with the other schemes."
    ))
}

pub(super) const fn learning(how: KeyDistribution) -> &'static str {
    match how {
        KeyDistribution::Never => "not published",
        KeyDistribution::Published => "published",
    }
}

fn rejected_cell(of: Requests) -> Cell {
    if of.sent == 0 {
        return Cell::new(NONE);
    }
    let failed =
        if of.failed > 0 { format!("; {} failed otherwise", grouped(of.failed as f64)) } else { String::new() };
    Cell::new(grouped(of.rejected as f64)).with_note(format!("of {}{failed}", grouped(of.sent as f64)))
}

fn key_rotation_table(record: &Record, table: &RotationTable) -> Table {
    let columns = vec![
        Column::text("Scheme"),
        Column::text("New key"),
        Column::figure("Rotating node", "rejected"),
        Column::figure("Other node, old credentials", "rejected"),
        Column::figure("Other node, new credentials", "rejected"),
        Column::text("New credentials rejected"),
        Column::figure("Longest response, other node", "new credentials"),
    ];
    let cells = |row: &KeyRotationRow| {
        vec![
            name_cell(record, &row.scheme),
            Cell::new(learning(row.learning)),
            rejected_cell(row.first),
            rejected_cell(row.other_old),
            rejected_cell(row.other_new),
            Cell::new(rejected_for_text(row.rejected_for)),
            row.slowest_us.map_or(Cell::new(NONE), |us| Cell::new(time(us as f64))),
        ]
    };
    Table {
        caption: "Requests rejected because of a key rotation".to_owned(),
        columns,
        groups: row_groups(record, table.key_rotations.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "One of two nodes rotates its key under load. Old credentials were issued before the rotation, new ones \
             after it. Published: the other node fetches the public keys when a token names an unknown key; a secret \
             cannot be published. With the hybrid, only the server behind the edge checks the key."
                .to_owned(),
        ],
    }
}

fn rejected_for_text(found: RejectedFor) -> String {
    match found {
        RejectedFor::Never => "never".to_owned(),
        RejectedFor::Seconds(seconds) => format!("for {}", time(seconds * 1e6)),
        RejectedFor::UntilEnd(seconds) => format!("for at least {}, until the end of the load", time(seconds * 1e6)),
    }
}

fn ungrouped(rows: Vec<Vec<Cell>>) -> Vec<RowGroup> {
    vec![RowGroup { title: String::new(), rows }]
}

fn race_table(table: &RotationTable) -> Table {
    let cells = |row: &RaceRow| {
        let interval = format!("[{}, {}]", grouped(row.interval_ppm.low), grouped(row.interval_ppm.high));
        vec![
            Cell::new(format!("{} s", row.grace_s)),
            Cell::new(row.clients.to_string()),
            Cell::new(grouped(row.families as f64)),
            Cell::new(plain(row.granted)),
            Cell::new(grouped(row.revoked as f64)),
            Cell::new(grouped(row.revoked_ppm)).with_note(interval),
        ]
    };
    let widest = table.races.iter().map(|row| row.spread_us).fold(0.0, f64::max);
    Table {
        caption: "Token families revoked because their own clients refreshed concurrently".to_owned(),
        columns: vec![
            Column::text("Grace period"),
            Column::figure("Concurrent clients", ""),
            Column::figure("Families", ""),
            Column::figure("Clients that got a token", "mean per family"),
            Column::figure("Revoked", "families"),
            Column::figure("Revoked per million", "families"),
        ],
        groups: ungrouped(table.races.iter().map(cells).collect()),
        footnotes: vec![format!(
            "No token was stolen here. Brackets hold 95 % Wilson intervals. The clients of a family sent within {} \
             of each other (the largest of the rows' medians).",
            time(widest)
        )],
    }
}

fn replay_table(table: &RotationTable) -> Table {
    let of = |count: u64, row: &ReplayRow| {
        Cell::new(grouped(count as f64)).with_note(format!("of {}", grouped(row.families as f64)))
    };
    let cells = |row: &ReplayRow| {
        vec![
            Cell::new(format!("{} s", row.grace_s)),
            Cell::new(format!("{} s", row.age_s)),
            of(row.passed, row),
            of(row.revoked, row),
        ]
    };
    Table {
        caption: "Cost of the grace period: copies of a used refresh token".to_owned(),
        columns: vec![
            Column::text("Grace period"),
            Column::text("Copy sent after"),
            Column::figure("Copies that got a token", ""),
            Column::figure("Revoked families", ""),
        ],
        groups: ungrouped(table.replays.iter().map(cells).collect()),
        footnotes: vec![
            "A copy that gets a token is an undetected theft. A revoked family stops the attacker and logs out the \
             owner."
                .to_owned(),
        ],
    }
}

fn jitter_name(jitter: f64) -> String {
    if jitter > 0.0 { format!("±{:.0} % jitter", jitter * 100.0) } else { "no jitter".to_owned() }
}

fn refresh_burst_table(table: &RotationTable) -> Table {
    let periods = table.refresh_bursts.iter().map(|row| row.by_period.len()).max().unwrap_or(0);
    let mut columns = vec![Column::text("Jitter of clients"), Column::figure("Peak over mean", "refreshes")];
    columns.extend((1..=periods).map(|period| Column::figure(format!("Period {period}"), "peak over mean")));
    columns.push(Column::figure("Response p99", "of /refresh"));
    let cells = |row: &RefreshBurstRow| {
        let calculated = format!("{} calculated", plain(row.without_jitter));
        let note = if row.jitter > 0.0 { String::new() } else { calculated };
        let mut cells = vec![Cell::new(jitter_name(row.jitter)), Cell::new(plain(row.peak_over_mean)).with_note(note)];
        let period =
            |period: usize| row.by_period.get(period).map_or(Cell::new(NONE), |ratio| Cell::new(plain(*ratio)));
        cells.extend((0..periods).map(period));
        let p99 = row.response_us_p99.map_or(Cell::new(NONE), |us| Cell::new(time(us)));
        cells.push(p99.greyed_if(!row.supported));
        cells
    };
    let footnote = table.refresh_bursts.first().map(|row| {
        format!(
            "{} credentials with a lifetime of {} s were issued within {:.1} s, and each was refreshed after about \
             {:.1} s. Peak: the busiest {:.0} ms. Calculated: the time between two refreshes divided by the duration \
             of issuing. † greyed: fewer than 100 samples above the percentile.",
            grouped(row.curve.credentials as f64),
            row.curve.ttl_s,
            row.curve.issued_s,
            row.curve.period_s(),
            row.curve.bin_s * 1e3
        )
    });
    Table {
        caption: "Refreshes after a login burst".to_owned(),
        columns,
        groups: ungrouped(table.refresh_bursts.iter().map(cells).collect()),
        footnotes: footnote.into_iter().collect(),
    }
}

fn chart(table: &RotationTable) -> Chart {
    let texts: Vec<String> = table
        .refresh_bursts
        .iter()
        .map(|row| format!("{}: at most {} times the mean", jitter_name(row.jitter), plain(row.peak_over_mean)))
        .collect();
    let longest =
        table.refresh_bursts.iter().map(|row| row.curve.arrivals.len() as f64 * row.curve.bin_s).fold(0.0, f64::max);
    Chart {
        name: "refreshes".to_owned(),
        title: "Refreshes after a login burst".to_owned(),
        alt: format!("Refreshes per second over time after a login burst: {}.", texts.join("; ")),
        width: 860,
        height: 360,
        data: ChartData::Lines {
            x: LineAxis {
                name: "seconds since the first refresh was due".to_owned(),
                word: "seconds".to_owned(),
                step: (longest / 8.0).ceil().max(1.0),
            },
            y: LineUnit::Rate,
            series: table.refresh_bursts.iter().enumerate().map(|(color, row)| curve(color, row)).collect(),
        },
    }
}

/// Returns refreshes per second, one point in the middle of every bin.
fn curve(color: usize, row: &RefreshBurstRow) -> LineSeries {
    let bin_s = row.curve.bin_s;
    let corner = |(bin, count): (usize, &u64)| ((bin as f64 + 0.5) * bin_s, *count as f64 / bin_s);
    LineSeries {
        subject: Subject { scheme: jitter_name(row.jitter), color: Some(color) },
        points: Vec::new(),
        line: row.curve.arrivals.iter().enumerate().map(corner).collect(),
        intervals: Vec::new(),
    }
}

fn method_items() -> Vec<String> {
    vec![
        "An open loop sends requests to two nodes in turn; throughout, some clients log in at the first node, whose \
         key is rotated halfway."
            .to_owned(),
        "The clients of a family synchronize and send the same refresh token; another refresh then shows whether the \
         family is still valid. For copies, the server's clock is moved forward."
            .to_owned(),
        "Credentials are issued in a burst, and each client refreshes when it is due, over real connections to a \
         real server."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "A key is rotated in one process here. “Not published” shows what happens if a rotation was not prepared; \
         a shared secret must be distributed to all nodes before any of them signs with it."
            .to_owned(),
        "The requests of one race go to one server over one Redis, which processes them one at a time; with several \
         servers at different distances from the store, a family may be revoked less or more often."
            .to_owned(),
        "Credentials live for seconds here. With lifetimes of minutes, the same burst is a smaller part of the \
         lifetime, and peak over mean is larger."
            .to_owned(),
    ]
}
