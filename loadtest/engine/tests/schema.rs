//! The committed JSON Schema is that of the code.

#![expect(clippy::unwrap_used, reason = "a test fails on unexpected results")]

use std::fs;
use std::path::Path;

use engine::record::{FORMAT, schema};
use serde_json::Value;

/// Set it, and the schema is written instead of compared.
const UPDATE: &str = "UPDATE_SCHEMA";

#[test]
fn committed_schema_is_up_to_date() {
    let name = format!("../../results/schema/record-{FORMAT}.schema.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let generated = format!("{:#}\n", without_the_toy(schema()));
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "run {UPDATE}=1 cargo test -p engine --test schema and review the changes");
}

/// Tests have one more experiment than users, which is not part of the format.
fn without_the_toy(mut schema: Value) -> Value {
    let kinds = schema.pointer_mut("/$defs/Measurement/oneOf").and_then(Value::as_array_mut).unwrap();
    kinds.retain(|kind| kind.pointer("/properties/id/const").unwrap() != "toy");
    schema["$defs"].as_object_mut().unwrap().retain(|name, _| !name.starts_with("Toy"));
    schema
}
