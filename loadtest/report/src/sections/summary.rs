//! The summary: the question, a short table, and the results in a few sentences.

mod sentences;
mod summary_table;

use engine::Experiment;
use engine::record::{Record, SloExperiment, Status};
use evidence::Evidence;

use super::caveats;
use super::parts::{self, Show, paragraph};
use crate::document::{Block, Section};

pub(super) use summary_table::summary_table;

pub(super) fn section(record: &Record, evidence: &Evidence, tables: &[(Experiment, &dyn Show)]) -> Section {
    let mut blocks = vec![paragraph(question(record))];
    if let Status::Incomplete { reason } = &record.run.status {
        blocks.push(Block::Notice(format!(
            "This run is incomplete ({reason}). The report shows only what was measured until then."
        )));
    }
    blocks.extend(tables.iter().flat_map(|(_, table)| table.notices()).map(Block::Notice));
    blocks.extend(summary_table(record, tables).map(Block::Table));
    blocks.push(Block::List(sentences::all(record, tables)));
    blocks.extend(caveats::tally(evidence).map(|tally| {
        Block::Notice(format!("This report has {tally}. Read “{}” before you use the results.", caveats::TITLE))
    }));
    parts::section("answer", "Summary", blocks)
}

fn question(record: &Record) -> &'static str {
    match record.run.command.as_str() {
        "load" if record.data::<SloExperiment>().is_some() => {
            "What is the highest rate that this server sustains within the response-time objectives?"
        }
        "load" => "How does this server respond to this load, as measured by its clients?",
        "gate" => "Does the new version of the servers do more work per request than the old one?",
        _ => {
            "What do these authentication schemes cost under this workload, in CPU time, latency, memory and bytes \
             on the wire? Every cost is the difference from the control, the same server with authentication that \
             does nothing."
        }
    }
}
