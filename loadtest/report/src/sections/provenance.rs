//! The sections on provenance and reproduction.

use engine::record::{Measurement, Record, Status};

use super::parts::{self, paragraph};
use crate::document::{Block, Cell, Column, RowGroup, Section, Table};
use crate::figure::{NONE, bytes};

pub(super) fn section(record: &Record) -> Section {
    let blocks = vec![
        facts("Run", run(record)),
        facts("Machine", machine(record)),
        facts("Placement", placement(record)),
        facts("Software", record.software.iter().map(|(name, version)| (name.clone(), version.clone())).collect()),
    ];
    parts::section("provenance", "Provenance", blocks)
}

fn facts(caption: &str, facts: Vec<(String, String)>) -> Block {
    let rows = facts.into_iter().map(|(name, value)| vec![Cell::new(name), Cell::new(value)]).collect();
    Block::Table(Table {
        caption: caption.to_owned(),
        columns: vec![Column::text("Property"), Column::text("Value")],
        groups: vec![RowGroup { title: String::new(), rows }],
        footnotes: Vec::new(),
    })
}

fn run(record: &Record) -> Vec<(String, String)> {
    let run = &record.run;
    let status = match &run.status {
        Status::Complete => "complete".to_owned(),
        Status::Incomplete { reason } => format!("incomplete: {reason}"),
    };
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| NONE.to_owned());
    named([
        ("Run", run.id.clone()),
        ("Status", status),
        ("Command line", command_line(record)),
        ("Profile", or_none(&run.profile)),
        ("Seed", run.seed.to_string()),
        ("authbench", run.version.clone()),
        ("Revision", or_none(&run.revision)),
        ("Started", run.started_at.clone()),
        ("Finished", or_none(&run.finished_at)),
        ("Record format", record.format.to_string()),
    ])
}

fn machine(record: &Record) -> Vec<(String, String)> {
    let host = &record.host;
    let steal = highest_steal(record)
        .map_or("not observed".to_owned(), |share| format!("at most {:.2} % in a round", share * 100.0));
    named([
        ("Kernel", host.kernel.clone()),
        ("CPU model", host.cpu_model.clone()),
        ("Logical CPUs", host.cpus.to_string()),
        ("Memory", bytes(host.memory_bytes as f64)),
        ("Clock source", host.clock_source.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("CPU frequency governor", host.cpu_governor.clone().unwrap_or_else(|| "not available".to_owned())),
        ("Virtual machine", if host.virtualized { "yes" } else { "no" }.to_owned()),
        ("Stolen CPU time (steal)", steal),
    ])
}

fn highest_steal(record: &Record) -> Option<f64> {
    let rounds = record.experiments.iter().flat_map(Measurement::rounds);
    rounds.filter_map(|round| round.usage.as_ref()?.steal).reduce(f64::max)
}

fn placement(record: &Record) -> Vec<(String, String)> {
    let placement = &record.placement;
    let cpus = |cpus: &[u32]| {
        let numbers: Vec<String> = cpus.iter().map(ToString::to_string).collect();
        if numbers.is_empty() { "any".to_owned() } else { format!("CPUs {}", numbers.join(", ")) }
    };
    named([
        ("Pinning method", placement.method.clone()),
        ("Server", cpus(&placement.server_cpus)),
        ("Store", cpus(&placement.store_cpus)),
        ("Generator", cpus(&placement.generator_cpus)),
        ("Generator scheduling class in open loops", placement.generator_class.clone()),
    ])
}

fn named<const N: usize>(facts: [(&str, String); N]) -> Vec<(String, String)> {
    facts.map(|(name, value)| (name.to_owned(), value)).into()
}

pub(super) fn reproduction(record: &Record) -> Section {
    let revision = record.run.revision.as_deref().unwrap_or("the revision above");
    let blocks = vec![
        paragraph(format!("To repeat the run from a checkout of {revision}:")),
        Block::Code(repeat_line(record)),
        paragraph(
            "The seed reproduces every random choice: arrivals, credentials, the order of rounds. It does not \
             reproduce the noise of the machine.",
        ),
        paragraph("To regenerate these reports from the record in this folder:"),
        Block::Code("authbench report .".to_owned()),
        paragraph(
            "Every percentile can be recomputed with any HdrHistogram reader. `hdr/*.hlog` contains the merged \
             intervals in microseconds, tagged `response`, `service` and `lag`; `*-excluded.hlog` contains the \
             excluded intervals (warm-up and invalid rounds). The `.hgrm` files contain the merged distributions in \
             milliseconds.",
        ),
    ];
    parts::section("reproduce", "Reproduction", blocks)
}

fn command_line(record: &Record) -> String {
    record.run.command_line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Returns the command line, with the seed added if it is missing.
fn repeat_line(record: &Record) -> String {
    let words = &record.run.command_line;
    let says_seed = words.iter().any(|word| word == "--seed" || word.starts_with("--seed="));
    let seed = if says_seed { String::new() } else { format!(" --seed {}", record.run.seed) };
    format!("{}{seed}", command_line(record))
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=./:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(["--seed", "a b", "it's", ""].map(quoted), ["--seed", "'a b'", r"'it'\''s'", "''"]);
    }
}
