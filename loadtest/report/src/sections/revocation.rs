//! The section on how long revoked credentials are still accepted.

use contract::RevocationClass;
use engine::record::{EventKind, PushLink, Record, RevocationExperiment};
use evidence::{Denied, RevocationRow, RevocationTable};

use super::grouping::{Panel, SchemeText, list_schemes, panels};
use super::parts::{Show, method, paragraph};
use super::response::STEPS_PER_DECADE;
use super::scheme::{name_cell, row_groups};
use crate::chart::{COLORS, Chart, ChartData, PercentileSeries, Points, Subject};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, count, duration, grouped, listed, time};

impl Show for RevocationTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }

    fn notices(&self) -> Vec<String> {
        self.violations.iter().map(|violation| format!("Revocation guarantee violated: {violation}.")).collect()
    }

    fn lines(&self) -> Vec<String> {
        self.violations.iter().map(|violation| format!("REVOCATION GUARANTEE VIOLATED: {violation}.")).collect()
    }
}

fn blocks(record: &Record, table: &RevocationTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(
        "An event on one node revokes a credential that every node has just accepted. This section shows how long \
         it takes from that node's acknowledgement until every node rejects the credential, which requests are \
         accepted meanwhile, and what the event costs the store.",
    )];
    blocks.extend(table.notices().into_iter().map(Block::Notice));
    let (undisturbed, disturbed): (Vec<&RevocationRow>, Vec<&RevocationRow>) =
        table.rows.iter().partition(|row| row.link == PushLink::Near);
    blocks.extend(undisturbed_charts(record, &undisturbed).into_iter().map(Block::Chart));
    blocks.extend(undisturbed_tables(record, &undisturbed));
    if !disturbed.is_empty() {
        blocks.extend(disturbed_chart(&disturbed).map(Block::Chart));
        blocks.push(Block::Table(events_table(
            record,
            "Time until the slowest node rejects, with pushes to one node delayed or lost",
            &disturbed,
        )));
    }
    blocks.extend(method(method_items(table), limitations()));
    blocks
}

/// Returns charts of the slowest rejection, with all kinds of events of a scheme together.
fn undisturbed_charts(record: &Record, rows: &[&RevocationRow]) -> Vec<Chart> {
    let mut schemes: Vec<(&str, &str)> = rows.iter().map(|row| (row.scheme.as_str(), row.scheme.as_str())).collect();
    schemes.dedup();
    let of_panel = |panel: &Panel<&str>| {
        let series = panel.items.iter().map(|scheme| {
            let of_scheme: Vec<&RevocationRow> = rows.iter().copied().filter(|row| row.scheme == *scheme).collect();
            curve(Subject::of(record, scheme), slowest_us(&of_scheme), events(&of_scheme))
        });
        let title = format!("Time until the slowest node rejects, all events{}", panel.subtitle());
        chart(format!("revocation{}", panel.suffix()), title, series.collect())
    };
    panels(record, &schemes).iter().filter_map(of_panel).collect()
}

/// Returns the same with pushes delayed or lost: one line per link.
fn disturbed_chart(rows: &[&RevocationRow]) -> Option<Chart> {
    let mut lines: Vec<(String, Vec<&RevocationRow>)> = Vec::new();
    for row in rows {
        let name = format!("{}{}", row.scheme, row.link.suffix());
        match lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => lines.push((name, vec![row])),
        }
    }
    let series = lines
        .iter()
        .enumerate()
        .map(|(place, (name, rows))| (Subject { scheme: name.clone(), color: Some(place % COLORS) }, rows))
        .map(|(subject, rows)| curve(subject, slowest_us(rows), events(rows)));
    let title = "Time until the slowest node rejects, with pushes to one node delayed or lost".to_owned();
    chart("revocation-links".to_owned(), title, series.collect())
}

fn chart(name: String, title: String, curves: Vec<Curve>) -> Option<Chart> {
    let worst = |curve: &Curve| {
        let worst = curve.worst_us.map_or_else(|| "not always within the observation time".to_owned(), time);
        format!("{} {worst}", curve.series.subject.scheme)
    };
    let texts: Vec<String> = curves.iter().map(worst).collect();
    (!texts.is_empty()).then(|| Chart {
        name,
        alt: format!("{title}, as percentile curves; at worst: {}.", texts.join("; ")),
        title,
        width: 860,
        height: 400,
        data: ChartData::Percentiles {
            shown: "rejected",
            legend: "from the acknowledgement to the first rejection · dotted: fewer than 100 events above",
            series: curves.into_iter().map(|curve| curve.series).collect(),
        },
    })
}

struct Curve {
    series: PercentileSeries,
    /// The slowest event, if every node rejected after each event.
    worst_us: Option<f64>,
}

fn slowest_us(rows: &[&RevocationRow]) -> Vec<u64> {
    rows.iter().flat_map(|row| &row.slowest_us).copied().collect()
}

fn events(rows: &[&RevocationRow]) -> usize {
    rows.iter().map(|row| row.events).sum()
}

/// Returns the percentiles of the slowest rejection per event, up to the slowest event.
///
/// If a node never rejected, the curve ends early.
fn curve(subject: Subject, mut denied_us: Vec<u64>, events: usize) -> Curve {
    denied_us.sort_unstable();
    let steps = |events_above: f64| ((events as f64 / events_above).log10().max(0.0) * STEPS_PER_DECADE) as u32;
    let us = |rank: usize| denied_us.get(rank.saturating_sub(1)).map(|us| (*us).max(1) as f64);
    let point = |step: u32| {
        let at = f64::from(step) / STEPS_PER_DECADE;
        let rank = ((1.0 - 10_f64.powf(-at)) * events as f64).ceil() as usize;
        us(rank).map(|us| (at, us))
    };
    let (supported, end) = (steps(engine::record::MIN_SAMPLES_ABOVE), steps(1.0));
    let points = |from: u32, to: u32| -> Points { (from..=to).filter_map(point).collect() };
    let worst_us = us(events);
    let last = worst_us.map(|us| (f64::from(end) / STEPS_PER_DECADE, us));
    let doubtful = points(supported, end).into_iter().chain(last).collect();
    Curve { series: PercentileSeries { subject, shown: points(0, supported), doubtful, service: vec![] }, worst_us }
}

/// Returns tables of all kinds of events; with many schemes only logouts, and the others collapsed.
fn undisturbed_tables(record: &Record, rows: &[&RevocationRow]) -> Vec<Block> {
    let (logouts, others): (Vec<&RevocationRow>, Vec<&RevocationRow>) =
        rows.iter().partition(|row| row.event == EventKind::Logout);
    if logouts.len() <= COLORS {
        return vec![Block::Table(events_table(record, "Time until the slowest node rejects", rows))];
    }
    let others = Block::Table(events_table(record, "Time until the slowest node rejects, after other events", &others));
    vec![
        Block::Table(events_table(record, "Time until the slowest node rejects, after a logout", &logouts)),
        Block::Folded {
            summary: "Time until the slowest node rejects, after other events".to_owned(),
            blocks: vec![others],
        },
    ]
}

fn events_table(record: &Record, caption: &str, rows: &[&RevocationRow]) -> Table {
    let mut cells_of: Vec<(String, Vec<Cell>)> = Vec::new();
    for row in rows {
        // The properties of a scheme are shown once.
        let known = cells_of.last().is_some_and(|(scheme, _)| *scheme == row.scheme);
        let name = if known { Cell::new(format!("`{}`", row.scheme)) } else { name_cell(record, &row.scheme) };
        cells_of.push((row.scheme.clone(), cells(row, name)));
    }
    Table {
        caption: caption.to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::text("Event"),
            Column::figure("Revocation window", "here and by default"),
            Column::figure("p50", "slowest node"),
            Column::figure("p99", "slowest node"),
            Column::figure("Maximum", "and its node"),
            Column::figure("Accepted after the event", "events"),
            Column::figure("Store commands", "per event"),
        ],
        groups: row_groups(record, cells_of),
        footnotes: vec![
            "Times are measured from the acknowledgement to the first rejection by the node that was slowest for \
             that event. An immediate rejection takes as long as one response. If a node must query its store before \
             it rejects, the time includes the query; over a bad link that is longer than the time for which the \
             node accepts. † greyed: fewer than 100 events above the percentile."
                .to_owned(),
            "Accepted after the event: events after which a node accepted at least one request that was sent after \
             the acknowledgement; below, when the last of them was sent."
                .to_owned(),
            "Store commands: all commands of the whole request, including the look-up of the credential that \
             authorizes it and commands inside a script. Counted separately, without concurrent requests."
                .to_owned(),
        ],
    }
}

fn cells(row: &RevocationRow, name: Cell) -> Vec<Cell> {
    let mut cells = vec![name, Cell::new(event_name(row)), window_cell(row)];
    cells
        .extend(row.denied.map_or_else(|| std::array::from_fn(|_| Cell::new(NONE)), |denied| time_cells(row, &denied)));
    cells.push(accepted_cell(row));
    cells.push(commands_cell(row));
    cells
}

fn event_name(row: &RevocationRow) -> String {
    format!("{}{}", row.event, row.link.suffix())
}

fn window_cell(row: &RevocationRow) -> Cell {
    if row.class == RevocationClass::Immediate {
        return Cell::new("0 s");
    }
    let here = Cell::new(duration(row.window_s));
    match row.default_window_s {
        Some(default_s) if default_s != row.window_s => here.with_note(format!("{} by default", duration(default_s))),
        _ => here,
    }
}

fn time_cells(row: &RevocationRow, denied: &Denied) -> [Cell; 3] {
    let interval = denied.p50_us.interval.map(|at| format!("[{}, {}]", time(at.low), time(at.high)));
    let longest = match denied.never {
        0 if row.nodes > 1 => format!("node {} of {}", denied.slowest_node + 1, row.nodes),
        0 => "the only node".to_owned(),
        never => format!("{} never rejected", count(never, "event")),
    };
    [
        Cell::new(time(denied.p50_us.value)).with_note(interval.unwrap_or_default()),
        Cell::new(time(denied.p99_us)).greyed_if(!denied.p99_supported),
        Cell::new(time(denied.max_us)).with_note(longest),
    ]
}

fn accepted_cell(row: &RevocationRow) -> Cell {
    let excluded = if row.excluded > 0 { format!("{} excluded", row.excluded) } else { String::new() };
    let last = (row.accepted.events > 0).then(|| format!("the last after {}", time(row.accepted.last_us as f64)));
    let unavailable = (row.unavailable > 0).then(|| format!("{} rejected with 503", row.unavailable));
    let notes: Vec<String> =
        last.into_iter().chain(unavailable).chain((row.excluded > 0).then_some(excluded)).collect();
    let of = format!("{} of {}", grouped(row.accepted.events as f64), grouped(row.events as f64));
    Cell::new(of).with_note(notes.join(", "))
}

fn commands_cell(row: &RevocationRow) -> Cell {
    let Some(commands) = row.commands.as_ref().filter(|_| row.link == PushLink::Near) else { return Cell::new(NONE) };
    let named: Vec<String> = commands
        .iter()
        .map(|(name, count)| if *count == 1 { name.clone() } else { format!("{count} {name}") })
        .collect();
    Cell::new(commands.values().sum::<u64>().to_string()).with_note(named.join(", "))
}

fn method_items(table: &RevocationTable) -> Vec<String> {
    let nodes = table.rows.iter().map(|row| row.nodes).max().unwrap_or(0);
    let events: usize = table.rows.iter().map(|row| row.events).sum();
    vec![
        format!(
            "Up to {nodes} nodes share their keys and a store; each has accepted the credential just before. {} in \
             total: the seed selects the node that receives the event, and from its acknowledgement on, all nodes \
             are polled concurrently until each has rejected three times.",
            count(events, "event")
        ),
        "The clock is read before each request is sent, and only requests sent after the acknowledgement count. The \
         interval of a median is that over the medians of blocks of events."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "Nodes and store run on one machine: pushes have no network delay, and all clocks agree. Where a rejection \
         depends on expiry, tokens and epochs live for seconds here; the table also shows the default."
            .to_owned(),
        "`hybrid` is polled at its edge server. A token that the edge has issued to a server behind it stays valid \
         there until it expires, as its description states; this is not measured."
            .to_owned(),
    ]
}

/// Returns a sentence or two for the summary: violations, and how long a logout takes.
fn sentence(record: &Record, table: &RevocationTable) -> Option<String> {
    let logouts = table.rows.iter().filter(|row| row.event == EventKind::Logout && row.link == PushLink::Near);
    let parts: Vec<SchemeText<'_>> = logouts
        .filter_map(|row| {
            let denied = row.denied?;
            let text = format!(
                "{} ({} at worst) with `{}`{}",
                time(denied.p50_us.value),
                time(denied.max_us),
                row.scheme,
                shortened_window(row)
            );
            Some(SchemeText { scheme: &row.scheme, figure: denied.p50_us.value, text })
        })
        .collect();
    let mut sentences = Vec::new();
    if !table.violations.is_empty() {
        let mut schemes: Vec<String> =
            table.violations.iter().map(|violation| format!("`{}`", violation.scheme)).collect();
        schemes.dedup();
        sentences.push(format!(
            "REVOCATION GUARANTEE VIOLATED: {} accepted a credential that must be rejected; see “{}”.",
            listed(&schemes),
            RevocationExperiment::EXPERIMENT.title()
        ));
    }
    if !parts.is_empty() {
        sentences.push(format!(
            "Revocation: measured from the acknowledgement of a logout, the slowest node rejected the credential \
             after{}.",
            list_schemes(record, parts, listed)
        ));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Names a revocation window that was shortened to keep the experiment short.
fn shortened_window(row: &RevocationRow) -> String {
    match row.default_window_s {
        Some(default_s) if default_s != row.window_s => {
            format!(" (window shortened from {} to {})", duration(default_s), duration(row.window_s))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ten_thousand(denied_us: Vec<u64>) -> Curve {
        curve(Subject { scheme: "session-redis".to_owned(), color: None }, denied_us, 10_000)
    }

    #[test]
    fn curve_ends_at_the_slowest_event_if_every_node_rejected() {
        let all = of_ten_thousand((1..=10_000).rev().collect());
        assert_eq!(all.worst_us, Some(10_000.0));
        assert_eq!(all.series.doubtful.last(), Some(&(4.0, 10_000.0)));
        let some = of_ten_thousand((1..=9_990).collect());
        assert_eq!(some.worst_us, None);
        assert!(some.series.doubtful.last().is_some_and(|(at, us)| *at < 3.1 && *us < 9_991.0), "the curve ends early");
    }
}
