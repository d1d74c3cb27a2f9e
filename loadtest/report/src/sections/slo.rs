//! The section on a search: the highest rate that meets the objectives.

use engine::record::{Record, SearchEnd, SloExperiment};
use engine::slo::Objective;
use evidence::{CONFIRMED_BY, CONFIRMING, SLO_SHARE, SloRate, SloTable};

use super::parts::{Show, method, paragraph};
use super::workload;
use crate::chart::{Chart, ChartData, Subject};
use crate::document::{Block, Cell, Column, RowGroup, Table};
use crate::figure::{NONE, count, grouped, listed, time};

/// The chart shows rates up to this factor above and below the rate that was found.
const CHART_RANGE_FACTOR: f64 = 2.5;

impl Show for SloTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        blocks(record, self)
    }

    fn sentence(&self, _: &Record) -> Option<String> {
        Some(sentence(self))
    }

    fn lines(&self) -> Vec<String> {
        vec![sentence(self).replace('`', "")]
    }
}

fn blocks(record: &Record, table: &SloTable) -> Vec<Block> {
    let plan = record
        .data::<SloExperiment>()
        .and_then(|data| data.rounds.first())
        .map(|first| workload::describe(&first.round.plan));
    let load = plan.map_or_else(|| "No round was measured.".to_owned(), |plan| format!("The load: {plan}."));
    let mut blocks = vec![paragraph(format!("{} {load}", sentence(table)))];
    blocks.extend(chart(record, table).map(Block::Chart));
    blocks.push(Block::Table(rates_table("Search rounds, by rate", table, &table.rates)));
    if !table.confirmations.is_empty() {
        blocks.push(Block::Table(rates_table("Confirmation rounds, in order", table, &table.confirmations)));
    }
    blocks.extend(method(method_items(), limitations()));
    blocks
}

/// Returns the result in words.
pub(crate) fn sentence(table: &SloTable) -> String {
    let objectives = objectives(&table.objectives);
    let scheme = &table.scheme;
    let rate = table.answer.rate_rps.map(|rate| format!("{} requests/s", grouped(rate)));
    match (table.end, rate) {
        (Some(SearchEnd::NothingMet), _) => {
            format!(
                "`{scheme}` misses {objectives} at every rate that rounds of this length can test; use longer rounds \
                 (--duration) to test lower rates."
            )
        }
        (Some(SearchEnd::Target), Some(rate)) => {
            format!("`{scheme}` meets {objectives} at up to {rate}{}; {}.", interval(table), confirmation(table))
        }
        (Some(SearchEnd::Generator), Some(rate)) => format!(
            "`{scheme}` meets {objectives} at {rate} or more: the generator was the limit, not the target; {}.",
            confirmation(table)
        ),
        (Some(SearchEnd::Generator), None) => {
            format!("No result for {objectives}: the generator was the limit at every rate that was tried.")
        }
        (Some(SearchEnd::OutOfTime), _) => format!(
            "No result for {objectives}: the search reached its limit of rounds or time; use shorter rounds \
             (--duration)."
        ),
        _ => format!(
            "No result for {objectives}: the rounds do not distinguish one rate from another; use longer rounds \
             (--duration)."
        ),
    }
}

fn objectives(objectives: &[Objective]) -> String {
    let text =
        |objective: &Objective| format!("{} of at most {}", objective.percentile, time(objective.most_us as f64));
    listed(&objectives.iter().map(text).collect::<Vec<_>>())
}

fn interval(table: &SloTable) -> String {
    let interval = table.fit.and_then(|fit| fit.interval);
    interval.map_or_else(String::new, |interval| {
        format!(" (interval {} to {})", grouped(interval.low), grouped(interval.high))
    })
}

fn confirmation(table: &SloTable) -> String {
    let Some(last) = table.confirmations.last() else { return "this is not confirmed".to_owned() };
    let met = format!("{} of {}", last.met, count((last.met + last.missed) as usize, "round"));
    let lower = if table.confirmations.len() > 1 { ", after higher rates had failed" } else { "" };
    if table.answer.confirmed {
        return format!("{met} met it in the confirmation{lower}");
    }
    let void = if last.void > 0 { format!(", and {} had no verdict", last.void) } else { String::new() };
    format!("this is not confirmed: {met} met it in the confirmation{void}")
}

fn rates_table(caption: &str, table: &SloTable, rates: &[SloRate]) -> Table {
    let mut columns = vec![
        Column::figure("Rate", "requests/s"),
        Column::figure("Met", "rounds"),
        Column::figure("Missed", "rounds"),
        Column::figure("No verdict", "rounds"),
    ];
    columns.extend(
        table.objectives.iter().map(|each| Column::figure(each.percentile.to_string(), "median of the rounds")),
    );
    let cells = |rate: &SloRate| {
        let mut cells = vec![Cell::new(grouped(rate.rate_rps))];
        cells.extend([rate.met, rate.missed, rate.void].map(|rounds| Cell::new(rounds.to_string())));
        cells.extend(rate.times_us.iter().map(|us| Cell::new(us.map_or(NONE.to_owned(), time))));
        cells
    };
    Table {
        caption: caption.to_owned(),
        columns,
        groups: vec![RowGroup { title: String::new(), rows: rates.iter().map(cells).collect() }],
        footnotes: vec![
            "Void: rounds that say nothing about the target, because the generator could not keep up with the load, \
             other programs or the hypervisor took CPU time, or the round did not settle; they were repeated. The \
             generator may send late by at most a tenth of the objective's time."
                .to_owned(),
        ],
    }
}

fn method_items() -> Vec<String> {
    vec![
        "The rate is doubled until the objectives are missed. Then a grid of rates, and a finer grid where the first \
         is inconclusive, is measured block by block in a new random order, so that drift affects all rates alike. \
         Every round has its own arrivals."
            .to_owned(),
        "A round meets the objectives if its response times, measured from the intended start, do so, and if it \
         achieves the planned rate without failures."
            .to_owned(),
        format!(
            "The rate is the one at which {:.0} % of the rounds meet the objectives, by logistic regression over the \
             rounds of the grids with Firth's penalty. The 95 % interval is that of the profile likelihood or, on \
             either side where it extends further, that of a bootstrap over blocks.",
            SLO_SHARE * 100.0
        ),
        format!(
            "The rate is confirmed if {CONFIRMED_BY} of {CONFIRMING} additional rounds meet the objectives at this \
             rate."
        ),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "Rounds are short: most of them do not include an event that happens once a minute, and a queue that grows \
         slowly does not become long. Run a load of some minutes at this rate to see both."
            .to_owned(),
        "Where generator and target share CPUs, they slow each other down, and the rate is that of both together."
            .to_owned(),
    ]
}

fn chart(record: &Record, table: &SloTable) -> Option<Chart> {
    let of = |rate: &SloRate| {
        let conclusive = rate.met + rate.missed;
        (conclusive > 0).then(|| (rate.rate_rps, f64::from(rate.met) / f64::from(conclusive), conclusive))
    };
    // The first doublings are far below and would compress the interesting part.
    let middle = table.fit.map(|fit| fit.rate_rps).or(table.answer.rate_rps)?;
    let in_range =
        |rate: &&SloRate| rate.rate_rps * CHART_RANGE_FACTOR > middle && rate.rate_rps < middle * CHART_RANGE_FACTOR;
    let points: Vec<(f64, f64, u32)> = table.rates.iter().filter(in_range).filter_map(of).collect();
    let (first, last) = (points.first()?.0, points.last()?.0);
    let places = (0..=80).map(|place| first * (last / first).powf(f64::from(place) / 80.0));
    let law = table.fit.map(|fit| places.map(|rate| (rate, fit.law.share(rate))).collect()).unwrap_or_default();
    Some(Chart {
        name: "slo".to_owned(),
        title: "Share of rounds that meet the objectives".to_owned(),
        alt: sentence(table).replace('`', ""),
        width: 860,
        height: 360,
        data: ChartData::Slo {
            subject: Subject::of(record, &table.scheme),
            points,
            law,
            interval: table.fit.and_then(|fit| fit.interval).map(|interval| (interval.low, interval.high)),
            found: table.answer.rate_rps,
        },
    })
}
