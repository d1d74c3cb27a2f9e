//! The story that every report tells: the question, a short honest answer, then how it was found.
//!
//! Never a winner and never a score: which cost matters is the reader's to say.

mod answer;
mod caveats;
mod cost;
mod fanout;
mod glossary;
mod latency;
mod load;
mod login;
mod many;
mod memory;
mod outage;
mod population;
mod provenance;
mod reject;
mod revocation;
mod rotation;
mod rtt;
mod scaling;
mod scheme;
pub(crate) mod slo;
mod wire;
mod workload;

use engine::record::{Record, Status};
use evidence::Evidence;
use evidence::statistics::Estimate;

use crate::document::{Block, Cell, Document, Section, Table};
use crate::figure::{NONE, bracket, plain};

/// The whole story.
pub(crate) fn tell(record: &Record, evidence: &Evidence) -> Document {
    let sections = [
        Some(answer::section(record, evidence)),
        evidence.load.as_ref().map(|table| load::section(record, evidence, table)),
        evidence.slo.as_ref().map(|table| slo::section(record, table)),
        evidence.cost.as_ref().map(|table| cost::section(record, table)),
        evidence.latency.as_ref().map(|table| latency::section(record, table)),
        evidence.rtt.as_ref().map(|table| rtt::section(record, table)),
        evidence.login.as_ref().map(|table| login::section(record, table)),
        evidence.reject.as_ref().map(|table| reject::section(record, table)),
        evidence.scaling.as_ref().map(|table| scaling::section(record, table)),
        evidence.population.as_ref().map(|table| population::section(record, table)),
        evidence.revocation.as_ref().map(|table| revocation::section(record, table)),
        evidence.fanout.as_ref().map(|table| fanout::section(record, table)),
        evidence.rotation.as_ref().map(|table| rotation::section(record, table)),
        evidence.outage.as_ref().map(|table| outage::section(record, table)),
        evidence.memory.as_ref().map(|table| memory::section(record, table)),
        evidence.wire.as_ref().map(|table| wire::section(record, table)),
        Some(caveats::section(record, evidence)),
        Some(scheme::section(record)),
        Some(provenance::section(record)),
        Some(provenance::reproduction(record)),
        Some(glossary::section()),
    ];
    Document { title: title(record), subtitle: subtitle(record), sections: sections.into_iter().flatten().collect() }
}

/// What a terminal shows at the end of a run.
pub(crate) struct Summary {
    pub(crate) table: Option<Table>,
    pub(crate) lines: Vec<String>,
}

/// The short form of the story.
pub(crate) fn summarize(record: &Record, evidence: &Evidence) -> Summary {
    let mut lines = Vec::new();
    if let Status::Incomplete { reason } = &record.run.status {
        lines.push(format!("The run is incomplete ({reason})."));
    }
    lines.extend(evidence.slo.as_ref().map(slo::sentence).map(|sentence| sentence.replace('`', "")));
    let broken = evidence.revocation.iter().flat_map(|table| &table.broken);
    lines.extend(broken.map(|broken| format!("A PROMISE IS BROKEN: {broken}.")));
    lines.extend(caveats::tally(evidence).map(|tally| format!("Caveats: {tally}; the report lists them.")));
    Summary { table: answer::glance(record, evidence), lines }
}

fn title(record: &Record) -> String {
    match record.run.command.as_str() {
        "load" => "What a server does under this load".to_owned(),
        _ => "What authentication costs".to_owned(),
    }
}

fn subtitle(record: &Record) -> String {
    let profile = record.run.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    format!("authbench {}{profile} · {} · run {}", record.run.command, record.run.started_at, record.run.id)
}

fn paragraph(text: impl Into<String>) -> Block {
    Block::Paragraph(text.into())
}

/// How a section's numbers came about, and what they cannot say.
fn method(how: Vec<String>, limits: Vec<String>) -> Vec<Block> {
    vec![
        Block::Heading("How it was measured".to_owned()),
        Block::List(how),
        Block::Heading("What limits it".to_owned()),
        Block::List(limits),
    ]
}

/// An estimate, with its interval below.
fn estimated(found: Option<Estimate>) -> Cell {
    found.map_or(Cell::new(NONE), |found| {
        Cell::new(plain(found.value)).with_note(found.interval.as_ref().map(bracket).unwrap_or_default())
    })
}

/// A section that begins with these blocks and ends with those.
fn section(id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    Section { id, title: title.to_owned(), blocks }
}
