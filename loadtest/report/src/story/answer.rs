//! The question, and an honest answer in a few sentences and one short table.

mod glance;
mod sentences;

use engine::Experiment;
use engine::record::{Record, SloExperiment, Status};
use evidence::Evidence;

use super::caveats;
use super::parts::{self, Show, paragraph};
use crate::document::{Block, Section};

pub(super) use glance::glance;

pub(super) fn section(record: &Record, evidence: &Evidence, tables: &[(Experiment, &dyn Show)]) -> Section {
    let mut blocks = vec![paragraph(question(record))];
    if let Status::Incomplete { reason } = &record.run.status {
        blocks.push(Block::Notice(format!(
            "This run is incomplete ({reason}). It shows what was measured until then, and no more."
        )));
    }
    blocks.extend(tables.iter().flat_map(|(_, table)| table.alarms()).map(Block::Notice));
    blocks.extend(glance(record, tables).map(Block::Table));
    blocks.push(Block::List(sentences::all(record, tables)));
    blocks.extend(
        caveats::tally(evidence)
            .map(|tally| Block::Notice(format!("Before you use this: {tally}, listed under “{}”.", caveats::TITLE))),
    );
    parts::section("answer", "The answer in short", blocks)
}

fn question(record: &Record) -> &'static str {
    match record.run.command.as_str() {
        "load" if record.data::<SloExperiment>().is_some() => {
            "How much can this server carry before its clients wait longer than they may?"
        }
        "load" => "How does this server answer this load, from its clients' point of view?",
        _ => {
            "For this workload, what do these ways to authenticate cost: in CPU time, in latency, in memory and in bytes? \
             Every cost is the difference to the control, the same server with authentication that does nothing."
        }
    }
}
