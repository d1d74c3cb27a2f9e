//! The report of a run with more schemes than a palette has colours.

use std::collections::BTreeSet;

use contract::{RevocationClass, Scheme};
use engine::record::Record;
use serde_json::{Value, json};

const CLASSES: [RevocationClass; 4] =
    [RevocationClass::Immediate, RevocationClass::Propagation, RevocationClass::Ttl, RevocationClass::Expiry];
/// Colours of a chart of lines.
const COLORS: usize = 10;

/// Returns the scheme of the synthetic comparison whose measurements are copied for this one.
fn source(scheme: Scheme) -> &'static str {
    match scheme.id() {
        known @ ("anonymous" | "session-redis-pool" | "jwt-hs256" | "jwt-eddsa") => known,
        _ => "session-redis",
    }
}

/// Returns the field that names the scheme, in the value or in a part of it.
fn scheme_of(value: &mut Value) -> Option<&mut Value> {
    let inside =
        ["round", "memory"].into_iter().find(|part| value.get(part).is_some_and(|part| part.get("scheme").is_some()));
    let value = if let Some(part) = inside { value.get_mut(part)? } else { value };
    value.get_mut("scheme")
}

/// Expands every list of items with a scheme to items of every scheme.
fn copy_to_all_schemes(value: &mut Value) {
    match value {
        Value::Array(items) if items.first().cloned().is_some_and(|mut first| scheme_of(&mut first).is_some()) => {
            let of = |scheme: Scheme| {
                let named = |each: &mut Value| scheme_of(each).is_some_and(|name| name == source(scheme));
                let mut own = items.clone();
                own.retain_mut(named);
                own.iter_mut().filter_map(scheme_of).for_each(|name| *name = json!(scheme.id()));
                own
            };
            // Data of a stand-in for schemes that are not compared stay unchanged.
            let compared: Vec<Value> = Scheme::all().flat_map(of).collect();
            if !compared.is_empty() {
                *items = compared;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(copy_to_all_schemes),
        Value::Object(fields) => fields.values_mut().for_each(copy_to_all_schemes),
        _ => {}
    }
}

/// Returns the synthetic comparison with every scheme in it.
fn comparison_of_all_schemes() -> Record {
    let mut record = json!(synthetic::compare());
    copy_to_all_schemes(&mut record);
    let mut record: Record = serde_json::from_value(record).unwrap();
    for (described, scheme) in record.schemes.iter_mut().zip(Scheme::all()) {
        described.revocation_class = scheme.revocation_class();
    }
    record
}

/// Returns the data of the charts of a report.
fn charts(html: &str) -> Vec<Value> {
    let scripts = html.split("<script type=\"application/json\">").skip(1);
    scripts.map(|rest| serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap()).collect()
}

#[test]
fn many_schemes_get_one_chart_per_class_and_sentences_name_the_range() {
    let report::Texts { html, markdown: text } = report::texts(&comparison_of_all_schemes()).unwrap();
    let charts = charts(&html);
    let names: BTreeSet<&str> = charts.iter().map(|chart| chart["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), charts.len(), "every chart has a separate file");
    for class in CLASSES {
        for kind in ["throughput", "rtt", "scaling", "population", "fanout", "memory"] {
            assert!(names.contains(format!("{kind}-{class}").as_str()), "{kind}-{class}: {names:?}");
        }
    }
    let lines = charts.iter().filter_map(|chart| Some((chart["name"].as_str()?, chart["data"]["series"].as_array()?)));
    // Its lines are ways to refresh, not schemes.
    let lines = lines.filter(|(name, _)| *name != "refreshes");
    let mut drawn = BTreeSet::new();
    for (name, series) in lines {
        let schemes = || series.iter().map(|each| each["scheme"].as_str().unwrap().to_owned());
        let colors: BTreeSet<_> =
            series.iter().map(|each| each["color"].as_u64().map(|color| color as usize % COLORS)).collect();
        assert_eq!(colors.len(), series.len(), "{name}: no two share a colour: {:?}", schemes().collect::<Vec<_>>());
        drawn.extend(schemes());
    }
    assert_eq!(drawn.len(), Scheme::all().count(), "every scheme is drawn");

    assert!(text.contains("immediate (10 schemes) "), "the range of a class");
    assert!(text.contains("propagation (5 schemes) "));
    assert!(!text.contains("::"), "{:?}", text.split("\n- ").find(|line| line.contains("::")));
    let answer = text.split("\n- ").find(|line| line.starts_with("CPU time")).unwrap();
    assert!(answer.matches('`').count() <= 16, "two schemes a class: {answer}");
}
