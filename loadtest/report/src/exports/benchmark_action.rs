//! The format `customSmallerIsBetter` of github-action-benchmark.
//!
//! Source: <https://github.com/benchmark-action/github-action-benchmark#examples>.

use evidence::{Count, GateMetric, GateRow, GateTable};
use serde_json::{Value, json};

use super::counted;
use crate::sections::gate::describe;

/// Returns one entry per scheme and counter.
pub(super) fn render(gate: &GateTable) -> String {
    let entry = |(row, count): (&GateRow, Count)| {
        json!({
            "name": format!("{} {}", row.scheme, row.metric),
            "value": count.value,
            "unit": unit(row.metric),
            "range": format!("± {}", count.deviation),
            "extra": format!("{} {}", row.verdict, describe(row)),
        })
    };
    super::json(&Value::Array(counted(gate).map(entry).collect()))
}

/// Per request.
const fn unit(metric: GateMetric) -> &'static str {
    match metric {
        GateMetric::Instructions => "instructions/request",
        GateMetric::Allocations => "allocations/request",
        GateMetric::SystemCalls => "system calls/request",
        GateMetric::StoreCommands => "commands/request",
        GateMetric::AllocatedBytes | GateMetric::RequestBytes | GateMetric::ResponseBytes => "bytes/request",
    }
}
