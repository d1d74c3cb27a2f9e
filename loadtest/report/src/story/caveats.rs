//! What a reader must know before trusting a number.

use engine::record::{Record, Round};
use evidence::{Evidence, Topic, Warning, level_name};

use super::paragraph;
use crate::document::{Block, Cell, Column, RowGroup, Section, Table};
use crate::figure::{NONE, count, grouped, listed, time};

/// The section's title.
pub(super) const TITLE: &str = "What to know before trusting this";

/// Up to here the table of invalid rounds lies open.
const FEW_ROUNDS: usize = 6;

fn blocks(record: &Record, evidence: &Evidence) -> Vec<Block> {
    let mut blocks = Vec::new();
    if evidence.warnings.is_empty() {
        blocks.push(paragraph("The instrument found nothing to warn of."));
    }
    for topic in [Topic::Run, Topic::Invalid, Topic::Statistics, Topic::Comparison, Topic::Bench] {
        let own = evidence.warnings.iter().filter(|each| each.topic() == topic);
        let (rounds, others): (Vec<&Warning>, Vec<&Warning>) =
            own.partition(|each| matches!(each, Warning::InvalidRound { .. }));
        let counted = if rounds.is_empty() { Vec::new() } else { invalid_counts(record) };
        let told: Vec<String> = counted.into_iter().chain(others.iter().map(ToString::to_string)).collect();
        if !told.is_empty() {
            blocks.push(Block::Heading(topic.to_string()));
            blocks.push(Block::List(told));
        }
        if !rounds.is_empty() {
            blocks.push(invalid_rounds(record));
        }
    }
    blocks
}

fn rounds(record: &Record) -> impl Iterator<Item = (&'static str, &[Round])> {
    record.experiments.iter().map(|experiment| (experiment.name(), experiment.rounds()))
}

/// How many rounds of each experiment do not count.
fn invalid_counts(record: &Record) -> Vec<String> {
    let counted = rounds(record).map(|(name, rounds)| {
        let invalid = rounds.iter().filter(|round| !round.validity.valid).count();
        (invalid > 0)
            .then(|| format!("{name}: {invalid} of {} are invalid and feed nothing.", count(rounds.len(), "round")))
    });
    counted.flatten().collect()
}

pub(super) fn section(record: &Record, evidence: &Evidence) -> Section {
    super::section("caveats", TITLE, blocks(record, evidence))
}

/// How many caveats there are, in words; none if there are none.
pub(super) fn tally(evidence: &Evidence) -> Option<String> {
    let invalid = evidence.warnings.iter().filter(|each| matches!(each, Warning::InvalidRound { .. })).count();
    let rest = evidence.warnings.len() - invalid;
    let parts = [(invalid, "invalid round"), (rest, if invalid > 0 { "other caveat" } else { "caveat" })];
    let told: Vec<String> =
        parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(number, noun)).collect();
    (!told.is_empty()).then(|| listed(&told))
}

/// Which rounds, with their figures and reasons.
fn invalid_rounds(record: &Record) -> Block {
    let all = rounds(record).flat_map(|(name, rounds)| rounds.iter().map(move |round| (name, round)));
    let rows: Vec<Vec<Cell>> =
        all.filter(|(_, round)| !round.validity.valid).map(|(name, round)| row(name, round)).collect();
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
            Column::text("Invalid because"),
        ],
        groups: vec![RowGroup { title: String::new(), rows }],
        footnotes: Vec::new(),
    });
    if few {
        return table;
    }
    Block::Folded {
        summary: "The invalid rounds, their figures, and why they do not count".to_owned(),
        blocks: vec![table],
    }
}

fn row(experiment: &str, round: &Round) -> Vec<Cell> {
    let us = |value: Option<u64>| value.map_or(NONE.to_owned(), |us| time(us as f64));
    let texts = [
        format!("`{}`", round.scheme),
        experiment.to_owned(),
        level_name(&round.level),
        round.block.to_string(),
        grouped(round.achieved_rps),
        us(round.response_us.p50),
        us(round.response_us.p99),
        round.validity.reasons.join("; "),
    ];
    texts.map(Cell::new).into()
}
