//! The result of a gate as files for other programs, read by parsers and schemas of others.

use std::path::Path;

use engine::record::{GateExperiment, Omission, Record};
use evidence::{Evidence, GateTable, Verdict};
use junit_parser::{TestCase, TestSuites};
use serde_json::{Value, json};
use synthetic::gate::{SLOWER, gate, record};

/// Writes the reports of a record, and returns this one.
fn export(record: &Record, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    report::write(folder.path(), record).unwrap();
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

fn export_json(name: &str) -> Value {
    serde_json::from_str(&export(&record(gate()), name)).unwrap()
}

fn export_junit(record: &Record) -> TestSuites {
    junit_parser::from_reader(export(record, "gate.junit.xml").as_bytes()).unwrap()
}

fn table(record: &Record) -> GateTable {
    Evidence::of(record).unwrap().gate.unwrap()
}

/// Fails unless the schema accepts the value.
#[track_caller]
fn check(schema: &Value, value: &Value) {
    let errors: Vec<String> =
        jsonschema::validator_for(schema).unwrap().iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

fn accepts(schema: &Value, value: &Value) -> bool {
    jsonschema::is_valid(schema, value)
}

/// What <https://bencher.dev/v0/bmf.json> requires.
fn bmf() -> Value {
    let number = json!({"type": "number"});
    let measure = json!({
        "type": "object",
        "properties": {"value": number, "lower_value": number, "upper_value": number},
        "required": ["value"],
    });
    let benchmark = json!({"type": "object", "patternProperties": {".+": measure}});
    json!({"type": "object", "patternProperties": {".+": benchmark}})
}

/// What <https://bencher.dev/v1/bmf.json> requires.
fn bmf_v1() -> Value {
    let parameters = json!({
        "type": "object",
        "maxProperties": 8,
        "patternProperties": {".+": {"type": ["string", "number", "boolean"]}},
    });
    let measure = json!({"type": "object", "patternProperties": {".+": {"type": "number"}}});
    let variant = json!({
        "type": "object",
        "properties": {"parameters": parameters, "measures": {"type": "object", "patternProperties": {".+": measure}}},
        "required": ["measures"],
    });
    json!({"type": "object", "patternProperties": {".+": {"type": "array", "items": variant}}})
}

/// What github-action-benchmark reads of `customSmallerIsBetter`, and the form of a range in its `extractRangeInfo`.
fn smaller_is_better() -> Value {
    let entry = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "value": {"type": "number"},
            "unit": {"type": "string"},
            "range": {"type": "string", "pattern": "^± [0-9][0-9.]*$"},
            "extra": {"type": "string"},
        },
        "required": ["name", "value", "unit"],
        "additionalProperties": false,
    });
    json!({"type": "array", "minItems": 1, "items": entry})
}

#[test]
fn junit_has_a_test_per_counter_that_failed_where_the_gate_does() {
    let run = record(gate());
    let table = table(&run);
    let suites = export_junit(&run);
    let rows = table.rows.len() as u64;
    assert_eq!((suites.tests, suites.failures, suites.errors), (rows + 1, 2, 0), "{suites:?}");
    assert_eq!(suites.name, format!("authbench gate: {} against {}", table.head, table.base));
    let failed: Vec<&TestCase> =
        suites.suites.iter().flat_map(|suite| &suite.cases).filter(|case| case.status.is_failure()).collect();
    let named: Vec<(Option<&str>, &str)> =
        failed.iter().map(|case| (case.classname.as_deref(), case.original_name.as_str())).collect();
    assert_eq!(named, [(Some(SLOWER), "instructions"), (Some(SLOWER), "store commands")]);
    let reason = failed[1].status.failure_as_ref();
    assert_eq!(
        (reason.failure_type.as_str(), reason.message.as_str()),
        ("FAIL", "session-redis store commands 1.00 → 2.00 (+100.0 %, allowed +1.0 %)")
    );
}

#[test]
fn junit_shows_what_could_not_be_decided_as_errors() {
    let mut imprecise = record(gate());
    let counters = &mut imprecise.data_mut::<GateExperiment>().unwrap().head.counters;
    for each in counters.segments.iter_mut().filter(|each| each.scheme == "jwt-hs256") {
        each.instructions = each.instructions / 10 * (9 + u64::from(each.segment));
    }
    let inconclusive = table(&imprecise).with(Verdict::Inconclusive).count() as u64;
    assert_eq!((inconclusive, export_junit(&imprecise).errors), (1, 1));
    let mut incomplete = record(gate());
    incomplete.omitted.push(Omission { what: "hybrid".to_owned(), reason: "no store".to_owned() });
    assert_eq!(table(&incomplete).with(Verdict::Invalid).count(), 0);
    assert_eq!(export_junit(&incomplete).errors, 1, "the test of the whole gate");
}

#[test]
fn junit_is_valid_with_hostile_names() {
    let mut run = record(gate());
    let hostile = "</testsuites><x a=\"1\">&\u{1b}[31m\u{7}\u{fffe}";
    run.data_mut::<GateExperiment>().unwrap().head.name = hostile.to_owned();
    roxmltree::Document::parse(&export(&run, "gate.junit.xml")).unwrap();
    assert!(export_junit(&run).name.contains("</testsuites><x a=\"1\">&"));
}

#[test]
fn both_versions_of_bmf_match_their_schemas_and_not_each_other() {
    let (v0, v1) = (export_json("gate.bmf.json"), export_json("gate.bmf-v1.json"));
    check(&bmf(), &v0);
    check(&bmf_v1(), &v1);
    assert!(!accepts(&bmf(), &v1) && !accepts(&bmf_v1(), &v0));
    let table = table(&record(gate()));
    let variants = v1["GET /me"].as_array().unwrap();
    assert_eq!(v0.as_object().unwrap().len(), variants.len());
    let variant = variants.iter().find(|each| each["parameters"]["scheme"] == SLOWER).unwrap();
    assert_eq!(v0[SLOWER], variant["measures"]);
    let row = table.rows.iter().find(|row| row.scheme == SLOWER).unwrap();
    let (found, head) = (&v0[SLOWER]["instructions"], row.head.unwrap());
    assert_eq!(found["value"], head.value);
    assert_eq!(
        (found["lower_value"].as_f64(), found["upper_value"].as_f64()),
        (Some(head.value - head.deviation), Some(head.value + head.deviation))
    );
    assert_eq!(v0[SLOWER]["store-commands"]["value"], 2.0);
}

#[test]
fn smaller_is_better_has_every_counter_of_the_head() {
    let entries = export_json("gate.smaller-is-better.json");
    check(&smaller_is_better(), &entries);
    let table = table(&record(gate()));
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), table.rows.len());
    let entry = entries.iter().find(|each| each["name"] == format!("{SLOWER} store commands")).unwrap();
    let extra = "FAIL session-redis store commands 1.00 → 2.00 (+100.0 %, allowed +1.0 %)";
    assert_eq!(
        (&entry["value"], &entry["unit"], &entry["extra"]),
        (&json!(2.0), &json!("commands/request"), &json!(extra))
    );
}

#[test]
fn pull_request_matches_the_snapshot() {
    insta::assert_snapshot!("gate_pull_request", export(&record(gate()), report::GATE_PULL_REQUEST));
}

#[test]
fn other_runs_have_no_files_of_a_gate() {
    let folder = tempfile::tempdir().unwrap();
    let files = report::write(folder.path(), &synthetic::load()).unwrap();
    let of_gate = |path: &&std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("gate.");
    assert_eq!(files.iter().find(of_gate), None);
    assert!(Path::new(&files[0]).exists());
}
