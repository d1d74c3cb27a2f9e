//! The section on caveats.

use engine::Experiment;
use engine::record::{Measurement, Record};
use evidence::{Evidence, InvalidRound, Topic};

use super::parts::{self, paragraph};
use crate::document::{Block, Cell, Column, RowGroup, Section, Table};
use crate::figure::{NONE, count, grouped, listed, time};

/// The section's title.
pub(super) const TITLE: &str = "Caveats";

/// The table of invalid rounds is expanded up to this number of rows.
const FEW_ROUNDS: usize = 6;

fn blocks(record: &Record, evidence: &Evidence) -> Vec<Block> {
    let mut blocks = Vec::new();
    if evidence.warnings.is_empty() && evidence.invalid_rounds.is_empty() {
        blocks.push(paragraph("No caveats were found."));
    }
    for topic in Topic::ALL {
        let invalid = topic == Topic::Invalid && !evidence.invalid_rounds.is_empty();
        let counted = if invalid { invalid_counts(record, evidence) } else { Vec::new() };
        let of_topic = evidence.warnings.iter().filter(|each| each.topic == topic);
        let items: Vec<String> = counted.into_iter().chain(of_topic.map(ToString::to_string)).collect();
        if !items.is_empty() {
            blocks.push(Block::Heading(topic.to_string()));
            blocks.push(Block::List(items));
        }
        if invalid {
            blocks.push(invalid_rounds(&evidence.invalid_rounds));
        }
    }
    blocks
}

/// Returns the number of invalid rounds of each experiment.
fn invalid_counts(record: &Record, evidence: &Evidence) -> Vec<String> {
    let invalid = |experiment: Experiment| {
        evidence.invalid_rounds.iter().filter(|round| round.place.experiment == experiment).count()
    };
    let counted = record.experiments.iter().map(|measured: &Measurement| {
        let (experiment, all) = (measured.experiment(), measured.rounds().len());
        let invalid = invalid(experiment);
        (invalid > 0).then(|| {
            format!("{experiment}: {invalid} of {} are invalid and excluded from all figures.", count(all, "round"))
        })
    });
    counted.flatten().collect()
}

pub(super) fn section(record: &Record, evidence: &Evidence) -> Section {
    parts::section("caveats", TITLE, blocks(record, evidence))
}

/// Returns the number of caveats in words; none if there are none.
pub(super) fn tally(evidence: &Evidence) -> Option<String> {
    let (invalid, rest) = (evidence.invalid_rounds.len(), evidence.warnings.len());
    let parts = [(invalid, "invalid round"), (rest, if invalid > 0 { "other caveat" } else { "caveat" })];
    let items: Vec<String> =
        parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(number, noun)).collect();
    (!items.is_empty()).then(|| listed(&items))
}

/// Returns the table of invalid rounds, with their figures and reasons.
fn invalid_rounds(rounds: &[InvalidRound]) -> Block {
    let rows: Vec<Vec<Cell>> = rounds.iter().map(row).collect();
    let few = rows.len() <= FEW_ROUNDS;
    let table = Block::Table(Table {
        caption: "Invalid rounds".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::text("Experiment"),
            Column::text("Level"),
            Column::figure("Block", ""),
            Column::figure("Achieved", "requests/s"),
            Column::figure("Response p50", ""),
            Column::figure("Response p99", ""),
            Column::text("Reason"),
        ],
        groups: vec![RowGroup { title: String::new(), rows }],
        footnotes: Vec::new(),
    });
    if few {
        return table;
    }
    Block::Folded { summary: "Invalid rounds, their figures and the reasons".to_owned(), blocks: vec![table] }
}

fn row(round: &InvalidRound) -> Vec<Cell> {
    let us = |value: Option<u64>| value.map_or(NONE.to_owned(), |us| time(us as f64));
    let texts = [
        format!("`{}`", round.place.scheme),
        round.place.experiment.to_string(),
        round.place.level.to_string(),
        round.block.to_string(),
        grouped(round.achieved_rps),
        us(round.response_us.p50),
        us(round.response_us.p99),
        round.reasons.join("; "),
    ];
    texts.map(Cell::new).into()
}
