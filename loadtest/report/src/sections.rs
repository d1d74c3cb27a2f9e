//! The structure of every report: the question, a summary, then the details.
//!
//! A report names no winner and gives no score: the reader decides which cost matters.

mod caveats;
mod cost;
mod counters;
mod fanout;
pub(crate) mod gate;
mod glossary;
mod grouping;
mod latency;
mod load;
mod login;
mod memory;
mod outage;
mod parts;
mod population;
mod provenance;
mod reject;
mod response;
mod revocation;
mod rotation;
mod rtt;
mod scaling;
mod scheme;
pub(crate) mod slo;
mod summary;
#[cfg(feature = "toy-experiment")]
mod toy;
mod wire;
mod workload;

use engine::record::{self, Record, Status};
use engine::{Experiment, each_experiment};
use evidence::{Evidence, GateTable};

use crate::document::{Document, Section, Table};
use parts::Show;

macro_rules! measured_tables {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident: $needs:tt $title:literal, $compares:literal;)*) => {
        /// Returns the experiments with figures, in report order.
        fn measured_tables(evidence: &Evidence) -> Vec<(Experiment, &dyn Show)> {
            let tables: [Option<(Experiment, &dyn Show)>; _] = [$(
                $(#[$on])* evidence.$module.as_ref().map(|table| (record::$data::EXPERIMENT, table as &dyn Show)),
            )*];
            tables.into_iter().flatten().collect()
        }
    };
}

each_experiment!(measured_tables);

/// Returns the whole report.
pub(crate) fn document(record: &Record, evidence: &Evidence) -> Document {
    let tables = measured_tables(evidence);
    let section = |(experiment, table): &(Experiment, &dyn Show)| -> Section {
        parts::section(experiment.id(), experiment.title(), table.blocks(record))
    };
    let mut sections = vec![summary::section(record, evidence, &tables)];
    sections.extend(tables.iter().map(section));
    sections.extend([
        caveats::section(record, evidence),
        scheme::section(record),
        provenance::section(record),
        provenance::reproduction(record),
        glossary::section(),
    ]);
    Document { title: title(record), subtitle: subtitle(record), sections }
}

/// Returns the result of this gate for a comment on a pull request.
pub(crate) fn pull_request(record: &Record, evidence: &Evidence, gate: &GateTable) -> Document {
    let summary = summary::summary_table(record, &measured_tables(evidence));
    let section = parts::section("gate", "Work per request", gate::pull_request(gate, record, summary));
    Document {
        title: format!("{}: {}", title(record), gate.verdict),
        subtitle: format!("{} against {} · run {}", gate.head, gate.base, record.run.id),
        sections: vec![section],
    }
}

/// The output on the terminal at the end of a run.
pub(crate) struct Summary {
    pub(crate) table: Option<Table>,
    pub(crate) lines: Vec<String>,
}

/// Returns the short form of the report.
pub(crate) fn summarize(record: &Record, evidence: &Evidence) -> Summary {
    let tables = measured_tables(evidence);
    let mut lines = Vec::new();
    if let Status::Incomplete { reason } = &record.run.status {
        lines.push(format!("The run is incomplete ({reason})."));
    }
    lines.extend(tables.iter().flat_map(|(_, table)| table.lines()));
    lines.extend(caveats::tally(evidence).map(|tally| format!("Caveats: {tally}; the report lists them.")));
    Summary { table: summary::summary_table(record, &tables), lines }
}

fn title(record: &Record) -> String {
    match record.run.command.as_str() {
        "load" => "Load test results".to_owned(),
        "gate" => "Regression gate".to_owned(),
        _ => "Cost of authentication".to_owned(),
    }
}

fn subtitle(record: &Record) -> String {
    let profile = record.run.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    format!("authbench {}{profile} · {} · run {}", record.run.command, record.run.started_at, record.run.id)
}
