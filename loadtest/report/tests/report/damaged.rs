//! Records with absurd numbers are reported or rejected without a panic.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;

use engine::record::Record;
use serde_json::{Value, json};

/// Truncates lists to the fewest items that tables need.
fn truncate_lists(value: &mut Value) {
    match value {
        Value::Array(items) => {
            if items.len() > 6 && items[0].is_object() {
                items.truncate(6);
            }
            items.iter_mut().for_each(truncate_lists);
        }
        Value::Object(fields) => fields.values_mut().for_each(truncate_lists),
        _ => {}
    }
}

fn records() -> [Value; 3] {
    let mut records = [synthetic::compare(), synthetic::load(), synthetic::slo::search()].map(|record| json!(record));
    records.iter_mut().for_each(truncate_lists);
    records
}

/// Collects the names of all fields that hold a number or a list of numbers.
fn collect_numeric_fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_numeric_fields(item, names)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let list = value.as_array().is_some_and(|items| items.iter().any(Value::is_number));
                if value.is_number() || list {
                    names.insert(name.clone());
                }
                collect_numeric_fields(value, names);
            }
        }
        _ => {}
    }
}

/// Sets every number in fields of this name, also in lists.
fn set_numbers(value: &mut Value, name: &str, to: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| set_numbers(item, name, to)),
        Value::Object(fields) => {
            for (field, value) in fields {
                if field == name && value.is_number() {
                    *value = to.clone();
                } else if let (true, Value::Array(items)) = (field == name, &mut *value) {
                    items.iter_mut().filter(|item| item.is_number()).for_each(|item| *item = to.clone());
                } else {
                    set_numbers(value, name, to);
                }
            }
        }
        _ => {}
    }
}

/// Returns whether the record is rejected, or reported without a panic.
fn is_rejected_or_reported(record: &Value) -> bool {
    let Ok(record) = record_file::parse(&record.to_string(), Path::new("record.json")) else { return true };
    let summary = |record: &Record| report::summary(record).map(drop);
    catch_unwind(|| summary(&record)).is_ok()
}

#[test]
fn absurd_numbers_are_reported_or_rejected() {
    let values = [json!(1e300), json!(u32::MAX)];
    let mut failures = Vec::new();
    for record in records() {
        let mut names = BTreeSet::new();
        collect_numeric_fields(&record, &mut names);
        assert!(names.len() > 10);
        for name in &names {
            for to in &values {
                let mut changed = record.clone();
                set_numbers(&mut changed, name, to);
                if !is_rejected_or_reported(&changed) {
                    failures.push(format!("{name} = {to}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}
