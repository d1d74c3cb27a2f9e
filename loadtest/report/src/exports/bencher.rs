//! Bencher Metric Format, versions 0 and 1: a file is in either, never in both.
//!
//! Source: <https://bencher.dev/docs/reference/bencher-metric-format/>.

use evidence::{Count, GateTable};
use serde_json::{Map, Value, json};

use super::{counted, id};

/// What is measured.
const BENCHMARK: &str = "GET /me";

/// Returns version 0: a benchmark per scheme.
pub(super) fn render(gate: &GateTable) -> String {
    super::json(&Value::Object(by_scheme(gate)))
}

/// Returns version 1: one benchmark, with the scheme as its parameter.
pub(super) fn render_v1(gate: &GateTable) -> String {
    let variant = |(scheme, measures): (String, Value)| json!({"parameters": {"scheme": scheme}, "measures": measures});
    let variants: Vec<Value> = by_scheme(gate).into_iter().map(variant).collect();
    super::json(&json!({ BENCHMARK: variants }))
}

/// Returns the measures of each scheme.
fn by_scheme(gate: &GateTable) -> Map<String, Value> {
    let mut schemes = Map::new();
    for (row, count) in counted(gate) {
        schemes.entry(&row.scheme).or_insert_with(|| json!({}))[id(row.metric)] = measure(count);
    }
    schemes
}

/// The median of the segments, and their median absolute deviation to both sides.
fn measure(count: Count) -> Value {
    let Count { value, deviation, .. } = count;
    json!({"value": value, "lower_value": value - deviation, "upper_value": value + deviation})
}
