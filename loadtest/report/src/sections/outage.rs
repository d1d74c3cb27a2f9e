//! The section on outages.

use engine::record::{OutageFault, Record};
use evidence::{OutageRow, OutageTable, RECOVERY_INTERVALS, Recovery, Tally};

use super::grouping::{SchemeText, list_after_colon, panels};
use super::parts::{Show, method, paragraph};
use super::scheme::{name_cell, row_groups};
use crate::chart::{Chart, ChartData, OutageStrip, Subject};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, count, grouped, listed, plain};

impl Show for OutageTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }
}

fn blocks(record: &Record, table: &OutageTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(format!(
        "How each scheme responds during a fault of its store or of one of its nodes, and how long it takes to \
         recover. {}",
        storeless(table)
    ))];
    for fault in table.faults() {
        blocks.push(Block::Heading(capitalized(&fault.to_string())));
        blocks.push(paragraph(describe_fault(fault, table)));
        blocks.extend(charts(record, table, fault).into_iter().map(Block::Chart));
        blocks.push(Block::Table(table_of(record, table, fault)));
    }
    blocks.extend(method(method_items(table), limitations()));
    blocks
}

fn sentence(record: &Record, table: &OutageTable) -> Option<String> {
    // The sentence covers a paused store; a slow or restarted store is a milder fault.
    let fault = OutageFault::StorePaused;
    let parts = table.of_fault(fault).filter_map(|row| {
        let share = row.good_share?.value;
        let text = format!("{:.0} % with `{}`", share * 100.0, row.scheme);
        Some(SchemeText { scheme: &row.scheme, figure: share, text })
    });
    let parts: Vec<SchemeText<'_>> = parts.collect();
    let accepted = (!parts.is_empty()).then(|| {
        format!(
            "While the store was paused, this share of valid credentials was accepted{}. ",
            list_after_colon(record, parts, listed)
        )
    });
    let wrong: u64 = table.rows.iter().map(|row| row.wrongly_allowed).sum();
    let wrongly = match wrong {
        0 => "No revoked credential was accepted during any fault.".to_owned(),
        _ => format!("A revoked credential was accepted in {}.", count(wrong as usize, "request")),
    };
    (!table.rows.is_empty()).then(|| format!("Outages: {}{wrongly}", accepted.unwrap_or_default()))
}

fn storeless(table: &OutageTable) -> String {
    if table.storeless.is_empty() {
        return String::new();
    }
    let schemes: Vec<String> = table.storeless.iter().map(|scheme| format!("`{scheme}`")).collect();
    format!("Only the killed node affects {}: they use no store.", listed(&schemes))
}

fn capitalized(words: &str) -> String {
    let (first, rest) = words.split_at(words.len().min(1));
    first.to_uppercase() + rest
}

fn describe_fault(fault: OutageFault, table: &OutageTable) -> String {
    match fault {
        OutageFault::StoreKilled => {
            "The store is killed and later restarted. It kept its data in memory only, so all data is lost: every \
             user whose credential depends on the store logs in again."
                .to_owned()
        }
        OutageFault::StorePaused => {
            "The store is paused and later resumed: connections stay open, and no command gets a reply.".to_owned()
        }
        OutageFault::StoreCut => "Every connection to the store, existing or new, is reset until the fault is \
                                  removed."
            .to_owned(),
        OutageFault::StoreSlow => {
            let rtt_ms = table.setup.map_or(0.0, |setup| setup.slow_rtt_s * 1e3);
            format!("The round trip to the store takes {} ms.", plain(rtt_ms))
        }
        OutageFault::StoreRestarted => {
            "The store is shut down cleanly, which saves its data, and later restarted with all of it.".to_owned()
        }
        OutageFault::NodeKilled => {
            let nodes = table.setup.map_or(2, |setup| setup.nodes);
            format!(
                "One of {nodes} nodes is killed and later restarted at the same address. Meanwhile, requests still \
                 go to all nodes in turn."
            )
        }
    }
}

fn table_of(record: &Record, table: &OutageTable, fault: OutageFault) -> Table {
    let rows = table.of_fault(fault).map(|row| (row.scheme.clone(), cells(record, row))).collect();
    Table {
        caption: format!("{}: valid credentials during the fault, and recovery", capitalized(&fault.to_string())),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Accepted", "% during the fault"),
            Column::figure("503", "% during the fault"),
            Column::figure("Timed out or disconnected", "% during the fault"),
            Column::figure("Wrongly rejected", "requests"),
            Column::figure("Lost", "requests"),
            Column::figure("Wrongly accepted", "requests"),
            Column::figure("Recovery", "seconds"),
        ],
        groups: row_groups(record, rows),
        footnotes: vec![format!(
            "Below the accepted share: the lowest and highest of the repetitions. Lost: rejected because the state \
             of the credential is lost for good. Wrongly accepted: accepted although it was revoked. Recovery: the \
             median time from the start of the repair until {RECOVERY_INTERVALS} consecutive intervals without a \
             failure, then the longest; 0 if no interval after the start of the repair had a failure."
        )],
    }
}

fn cells(record: &Record, row: &OutageRow) -> Vec<Cell> {
    let excluded = if row.rounds.excluded > 0 { format!(", {} invalid", row.rounds.excluded) } else { String::new() };
    let range = row.good_range.map_or_else(String::new, |(low, high)| format!("{} to {}", percent(low), percent(high)));
    let accepted = row.good_share.map_or(Cell::new(NONE), |share| Cell::new(percent(share.value)));
    let share = |requests: u64| row.during.share(requests).map_or(Cell::new(NONE), |share| Cell::new(percent(share)));
    let Tally { timed_out, disconnected, other, unavailable, .. } = row.during;
    vec![
        name_cell(record, &row.scheme),
        accepted.with_note(format!("{range}{excluded}")),
        share(unavailable),
        share(timed_out + disconnected + other),
        Cell::new(grouped(row.whole.wrongly_denied as f64)),
        Cell::new(grouped(row.whole.lost as f64)),
        Cell::new(grouped(row.wrongly_allowed as f64)),
        recovery(row.recovery),
    ]
}

fn recovery(found: Option<Recovery>) -> Cell {
    let Some(found) = found else { return Cell::new("not observed") };
    let worst = format!("longest {}", seconds(found.range_s.1));
    match found.p50_s {
        Some(median) => Cell::new(seconds(median.value)).with_note(worst),
        None => Cell::new(format!("{} of {}", found.recovered, found.of)).with_note(worst),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// Formats seconds with one decimal: the intervals are no finer.
fn seconds(value: f64) -> String {
    format!("{value:.1}")
}

fn method_items(table: &OutageTable) -> Vec<String> {
    let rate = table.setup.map_or(0.0, |setup| setup.rate_rps);
    let rounds = table.rows.iter().map(|row| row.rounds.used + row.rounds.excluded).max().unwrap_or(0);
    vec![
        format!(
            "Every scheme receives {} requests/s from a Poisson process. All schemes run at the same time over the \
             same store, so that they go through the same fault at the same moment; each fault was injected {}.",
            grouped(rate),
            count(rounds, "time")
        ),
        "A third of the credentials were revoked by a logout beforehand. The outcome of every planned request is \
         counted at its intended start; a round whose outcomes do not add up to the planned requests is invalid."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "Client and load balancer do not retry and take no node out of rotation; a real load balancer would stop \
         sending requests to a dead node after a while."
            .to_owned(),
        "The store is one Redis without a replica, reached through a proxy: a dead store shows as a reset \
         connection. Processes that start at the same time on one machine slow each other down."
            .to_owned(),
    ]
}

fn charts(record: &Record, table: &OutageTable, fault: OutageFault) -> Vec<Chart> {
    let rows: Vec<(&str, &OutageRow)> = table.of_fault(fault).map(|row| (row.scheme.as_str(), row)).collect();
    let interval_s = table.setup.map_or(1.0, |setup| setup.interval_s);
    panels(record, &rows)
        .iter()
        .map(|panel| Chart {
            name: format!("outage-{}{}", fault.to_string().replace(' ', "-"), panel.suffix()),
            title: format!("{}: request outcomes{}", capitalized(&fault.to_string()), panel.subtitle()),
            alt: alt(fault, &panel.items),
            width: 860,
            height: 110 + 44 * panel.items.len() as u32,
            data: data(record, &panel.items, interval_s),
        })
        .collect()
}

fn alt(fault: OutageFault, rows: &[&OutageRow]) -> String {
    let texts = rows.iter().filter_map(|row| {
        Some(format!(
            "{} accepted {} % of the valid credentials during the fault",
            row.scheme,
            percent(row.good_share?.value)
        ))
    });
    format!("Request outcomes over time, {fault}: {}.", texts.collect::<Vec<_>>().join("; "))
}

fn data(record: &Record, rows: &[&OutageRow], interval_s: f64) -> ChartData {
    let strip = |row: &&OutageRow| OutageStrip {
        subject: Subject::of(record, &row.scheme),
        shares: row.timeline.intervals.iter().zip(&row.timeline.wrongly_allowed).map(shares).collect(),
    };
    let mean = |of: fn(&OutageRow) -> f64| rows.iter().map(|row| of(row)).sum::<f64>() / rows.len().max(1) as f64;
    ChartData::Outage {
        interval_s,
        fault: (mean(|row| row.timeline.fault_s), mean(|row| row.timeline.healed_s)),
        strips: rows.iter().map(strip).collect(),
    }
}

/// Returns the shares of good, lost, 503, no response and wrong, each 0 to 1.
fn shares((tally, wrongly_allowed): (&Tally, &u64)) -> [f64; 5] {
    let parts = [
        tally.good,
        tally.lost,
        tally.unavailable,
        tally.timed_out + tally.disconnected + tally.other,
        tally.wrongly_denied + wrongly_allowed,
    ];
    let all = parts.iter().sum::<u64>().max(1) as f64;
    parts.map(|part| (part as f64 / all * 1e3).round() / 1e3)
}
