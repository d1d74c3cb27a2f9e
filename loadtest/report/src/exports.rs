//! The result of a gate for other programs: a pull request, a CI server, and two services that keep a history of benchmarks.

mod bencher;
mod benchmark_action;
mod junit;

use engine::record::Record;
use evidence::{Count, Evidence, GateMetric, GateRow, GateTable};

use crate::{File, markdown, sections};

/// The result of a gate as a comment on a pull request: a file of its run.
pub const GATE_PULL_REQUEST: &str = "gate.md";

/// Returns the files of a gate; none for any other run.
pub(crate) fn files(record: &Record, evidence: &Evidence) -> Vec<File> {
    let Some(gate) = &evidence.gate else { return Vec::new() };
    vec![
        File::new(GATE_PULL_REQUEST, markdown::render(&sections::pull_request(record, evidence, gate))),
        File::new("gate.junit.xml", junit::render(gate)),
        File::new("gate.smaller-is-better.json", benchmark_action::render(gate)),
        File::new("gate.bmf.json", bencher::render(gate)),
        File::new("gate.bmf-v1.json", bencher::render_v1(gate)),
    ]
}

/// Returns what was counted of the head.
fn counted(gate: &GateTable) -> impl Iterator<Item = (&GateRow, Count)> {
    gate.rows.iter().filter_map(|row| Some((row, row.head?)))
}

/// Returns the metric's name as an identifier.
fn id(metric: GateMetric) -> String {
    metric.to_string().replace(' ', "-")
}

/// Returns pretty JSON that ends with a line feed.
fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
