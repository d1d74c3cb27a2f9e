//! The committed JSON Schema is that of the code.

use std::fs;
use std::path::Path;

use engine::record::{FORMAT, schema};

/// Set it, and the schema is written instead of compared.
const UPDATE: &str = "UPDATE_SCHEMA";

#[test]
fn the_committed_schema_is_fresh() {
    let name = format!("../../results/schema/record-{FORMAT}.schema.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let generated = format!("{:#}\n", schema());
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "run {UPDATE}=1 cargo test -p engine --test schema, and look at what has changed");
}
