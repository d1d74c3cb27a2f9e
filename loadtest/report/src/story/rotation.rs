//! The section on keys and tokens that are replaced under load.

use engine::record::{Learning, Record};
use evidence::{RaceRow, RefusedFor, ReplayRow, Requests, RollRow, RotationTable, StormRow};

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
        "Keys are replaced, and so are tokens. These are the clients who notice: whose requests are refused while a key rolls, whose \
         login ends because two of their requests refreshed at once, and who refresh all at the same time.",
    )];
    if !table.rolls.is_empty() {
        blocks.push(Block::Table(roll_table(record, table)));
    }
    blocks.extend(stand_in(record, table).map(Block::Notice));
    if !table.races.is_empty() {
        blocks.push(Block::Table(race_table(table)));
    }
    if !table.replays.is_empty() {
        blocks.push(Block::Table(replay_table(table)));
    }
    if !table.storms.is_empty() {
        blocks.push(Block::Chart(chart(table)));
        blocks.push(Block::Table(storm_table(table)));
    }
    blocks.extend(method(how(), limits()));
    blocks
}

/// One sentence for each of the parts that were measured.
fn sentence(table: &RotationTable) -> Option<String> {
    let parts = [rolls_told(table), races_told(table), storms_told(table)];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn rolls_told(table: &RotationTable) -> Option<String> {
    let of = |learning: Learning| {
        let rows = || table.rolls.iter().filter(move |row| row.learning == learning);
        let sum = |of: fn(&RollRow) -> u64| rows().map(of).sum::<u64>();
        (sum(|row| row.other_new.refused), sum(|row| row.other_new.sent))
    };
    let said = |learning: Learning, how: &str| {
        let (refused, sent) = of(learning);
        (sent > 0).then(|| format!("{} of {} {how}", grouped(refused as f64), grouped(sent as f64)))
    };
    let parts = [
        said(Learning::Never, "where nobody told it of the key"),
        said(Learning::Published, "where it fetched published keys"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| {
        format!("Keys: after one of two nodes had rolled its key, the other refused of the requests with new credentials {}.", listed(&parts))
    })
}

fn races_told(table: &RotationTable) -> Option<String> {
    let mut graces: Vec<u64> = table.races.iter().map(|row| row.grace_s).collect();
    graces.dedup();
    let of = |grace_s: u64| {
        let rows = || table.races.iter().filter(move |row| row.grace_s == grace_s);
        let sum = |of: fn(&RaceRow) -> u64| rows().map(of).sum::<u64>() as f64;
        format!("{} of {} with {grace_s} s of grace", grouped(sum(|row| row.killed)), grouped(sum(|row| row.families)))
    };
    let parts: Vec<String> = graces.into_iter().map(of).collect();
    (!parts.is_empty()).then(|| {
        format!("Refresh tokens: of logins whose own clients refreshed at the same instant ended {}.", listed(&parts))
    })
}

fn storms_told(table: &RotationTable) -> Option<String> {
    let of = |row: &StormRow| {
        let strays =
            if row.jitter > 0.0 { format!("straying by ±{:.0} %", row.jitter * 100.0) } else { "on time".to_owned() };
        format!("{} times the mean with clients {strays}", plain(row.peak_over_mean))
    };
    let parts: Vec<String> = table.storms.iter().map(of).collect();
    (!parts.is_empty()).then(|| format!("After a storm of logins refreshes peaked at {}.", listed(&parts)))
}

/// Whom races and storms speak of, where that is none of the schemes compared.
fn stand_in(record: &Record, table: &RotationTable) -> Option<String> {
    let scheme = table.refreshing.as_ref().filter(|scheme| described(record, scheme).is_none())?;
    Some(format!(
        "No scheme compared has refresh tokens. What follows was measured on `{scheme}`, which stands in for the schemes here and is \
         compared with none of them."
    ))
}

pub(super) const fn learning(how: Learning) -> &'static str {
    match how {
        Learning::Never => "told to nobody",
        Learning::Published => "published",
    }
}

fn refused(of: Requests) -> Cell {
    if of.sent == 0 {
        return Cell::new(NONE);
    }
    let failed =
        if of.failed > 0 { format!("; {} failed otherwise", grouped(of.failed as f64)) } else { String::new() };
    Cell::new(grouped(of.refused as f64)).with_note(format!("of {}{failed}", grouped(of.sent as f64)))
}

fn roll_table(record: &Record, table: &RotationTable) -> Table {
    let columns = vec![
        Column::text("Scheme"),
        Column::text("The new key is"),
        Column::figure("Node that rolled", "refused"),
        Column::figure("Other node, old credentials", "refused"),
        Column::figure("Other node, new credentials", "refused"),
        Column::text("New credentials were refused"),
        Column::figure("Longest wait there", "response"),
    ];
    let cells = |row: &RollRow| {
        vec![
            name_cell(record, &row.scheme),
            Cell::new(learning(row.learning)),
            refused(row.first),
            refused(row.other_old),
            refused(row.other_new),
            Cell::new(refused_for(row.refused_for)),
            row.slowest_us.map_or(Cell::new(NONE), |us| Cell::new(time(us as f64))),
        ]
    };
    Table {
        caption: "Requests refused because a key rolled".to_owned(),
        columns,
        groups: row_groups(record, table.rolls.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "One of two nodes rolls its key under load. Old credentials were handed out before, new ones after. Published: the other node \
             fetches the public keys when a token names one that it does not know; a secret cannot be published. With the hybrid only \
             the server behind the edge looks at the key."
                .to_owned(),
        ],
    }
}

fn refused_for(found: RefusedFor) -> String {
    match found {
        RefusedFor::Nobody => "never".to_owned(),
        RefusedFor::Seconds(seconds) => format!("for {}", time(seconds * 1e6)),
        RefusedFor::Ever(seconds) => format!("to the end of the load, {} on", time(seconds * 1e6)),
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
            Cell::new(grouped(row.killed as f64)),
            Cell::new(grouped(row.killed_ppm)).with_note(interval),
        ]
    };
    let widest = table.races.iter().map(|row| row.spread_us).fold(0.0, f64::max);
    Table {
        caption: "Families that ended because their own clients refreshed at once".to_owned(),
        columns: vec![
            Column::text("Grace"),
            Column::figure("Clients at once", ""),
            Column::figure("Families", ""),
            Column::figure("Clients with a token", "of each family"),
            Column::figure("Ended", "families"),
            Column::figure("Of a million", "families"),
        ],
        groups: ungrouped(table.races.iter().map(cells).collect()),
        footnotes: vec![format!(
            "Nobody stole anything here. In brackets: 95 % by Wilson. The clients of a family sent within {} of one another (the largest \
             of the rows' medians).",
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
            of(row.killed, row),
        ]
    };
    Table {
        caption: "The price of grace: copies of a used refresh token".to_owned(),
        columns: vec![
            Column::text("Grace"),
            Column::text("Sent again after"),
            Column::figure("Copies that got a token", ""),
            Column::figure("Families that ended", ""),
        ],
        groups: ungrouped(table.replays.iter().map(cells).collect()),
        footnotes: vec![
            "A copy that gets a token is a theft that nobody notices; a family that ends stops the thief, and logs its owner out."
                .to_owned(),
        ],
    }
}

fn jitter_name(jitter: f64) -> String {
    if jitter > 0.0 { format!("±{:.0} % jitter", jitter * 100.0) } else { "no jitter".to_owned() }
}

fn storm_table(table: &RotationTable) -> Table {
    let periods = table.storms.iter().map(|row| row.by_period.len()).max().unwrap_or(0);
    let mut columns = vec![Column::text("Clients stray by"), Column::figure("Peak over mean", "refreshes")];
    columns.extend((1..=periods).map(|period| Column::figure(format!("In period {period}"), "peak over mean")));
    columns.push(Column::figure("Response p99", "of /refresh"));
    let cells = |row: &StormRow| {
        let by_arithmetic = format!("{} by arithmetic", plain(row.without_jitter));
        let note = if row.jitter > 0.0 { String::new() } else { by_arithmetic };
        let mut cells = vec![Cell::new(jitter_name(row.jitter)), Cell::new(plain(row.peak_over_mean)).with_note(note)];
        let period =
            |period: usize| row.by_period.get(period).map_or(Cell::new(NONE), |ratio| Cell::new(plain(*ratio)));
        cells.extend((0..periods).map(period));
        let p99 = row.response_us_p99.map_or(Cell::new(NONE), |us| Cell::new(time(us)));
        cells.push(p99.weak_if(!row.supported));
        cells
    };
    let footnote = table.storms.first().map(|row| {
        format!(
            "{} credentials that live for {} s were issued within {:.1} s, and each was refreshed after {:.1} s, more or less. Peak: the \
             busiest {:.0} ms. By arithmetic: the time between two refreshes over how long issuing took. † fewer than 100 samples \
             lie above.",
            grouped(row.curve.credentials as f64),
            row.curve.ttl_s,
            row.curve.issued_s,
            row.curve.period_s(),
            row.curve.bin_s * 1e3
        )
    });
    Table {
        caption: "Refreshes after a storm of logins".to_owned(),
        columns,
        groups: ungrouped(table.storms.iter().map(cells).collect()),
        footnotes: footnote.into_iter().collect(),
    }
}

fn chart(table: &RotationTable) -> Chart {
    let said: Vec<String> = table
        .storms
        .iter()
        .map(|row| format!("{}: at most {} times the mean", jitter_name(row.jitter), plain(row.peak_over_mean)))
        .collect();
    let longest = table.storms.iter().map(|row| row.curve.arrivals.len() as f64 * row.curve.bin_s).fold(0.0, f64::max);
    Chart {
        name: "refreshes".to_owned(),
        title: "Refreshes after a storm of logins".to_owned(),
        alt: format!("Refreshes per second in time after a storm of logins: {}.", said.join("; ")),
        width: 860,
        height: 360,
        data: ChartData::Lines {
            x: LineAxis {
                name: "seconds since the first credential was due".to_owned(),
                word: "seconds".to_owned(),
                step: (longest / 8.0).ceil().max(1.0),
            },
            y: LineUnit::Rate,
            series: table.storms.iter().enumerate().map(|(color, row)| curve(color, row)).collect(),
        },
    }
}

/// Refreshes per second, a corner in the middle of every bin.
fn curve(color: usize, row: &StormRow) -> LineSeries {
    let bin_s = row.curve.bin_s;
    let corner = |(bin, count): (usize, &u64)| ((bin as f64 + 0.5) * bin_s, *count as f64 / bin_s);
    LineSeries {
        subject: Subject { scheme: jitter_name(row.jitter), color: Some(color) },
        points: Vec::new(),
        line: row.curve.arrivals.iter().enumerate().map(corner).collect(),
        intervals: Vec::new(),
    }
}

fn how() -> Vec<String> {
    vec![
        "Two nodes are asked in turn in an open loop; some clients log in at the first all the time, whose key rolls in the middle.".to_owned(),
        "The clients of a family wait for one another and send the same refresh token; whether the family lives is found by refreshing \
         once more. For copies the server's clock is moved on."
            .to_owned(),
        "Credentials are issued within a storm, and each client comes back when it is due, over real connections to a real server."
            .to_owned(),
    ]
}

fn limits() -> Vec<String> {
    vec![
        "A key rolls in one process here. What is told to nobody is what happens where a roll was not planned for; shared secrets need a \
         way of their own to the other nodes before the first of them signs."
            .to_owned(),
        "Families race one after another in one server and over one Redis, where requests come in an order; none would kill less or \
         more by chance."
            .to_owned(),
        "Credentials live for seconds here. Where they live for minutes the same storm is a smaller part of their life, and peak over \
         mean is larger."
            .to_owned(),
    ]
}
