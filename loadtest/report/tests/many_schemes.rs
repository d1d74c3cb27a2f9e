//! The report of a run with more schemes than a reader, or a palette, can tell apart.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "../../evidence/tests/synthetic/record.rs"]
mod synthetic;

use std::collections::BTreeSet;

use contract::{RevocationClass, Scheme};
use engine::record::{Experiment, Record};
use serde_json::Value;

const CLASSES: [RevocationClass; 4] =
    [RevocationClass::Immediate, RevocationClass::Propagation, RevocationClass::Ttl, RevocationClass::Expiry];
/// Colours of a chart of lines.
const COLORS: usize = 10;

/// The scheme of the synthetic comparison whose measurements are taken for this one's.
fn source(scheme: Scheme) -> &'static str {
    match scheme.id() {
        known @ ("anonymous" | "session-redis-pool" | "jwt-hs256" | "jwt-eddsa") => known,
        _ => "session-redis",
    }
}

/// These measurements of every scheme.
fn of_all<T: Clone>(few: &[T], name: fn(&mut T) -> &mut String) -> Vec<T> {
    let of = |scheme: Scheme| {
        let mut own = few.to_vec();
        own.retain_mut(|each| name(each) == source(scheme));
        for each in &mut own {
            scheme.id().clone_into(name(each));
        }
        own
    };
    Scheme::all().flat_map(of).collect()
}

/// The synthetic comparison with every scheme in it.
fn of_every_scheme() -> Record {
    let mut record = synthetic::compare();
    record.schemes = of_all(&record.schemes, |described| &mut described.scheme);
    for (described, scheme) in record.schemes.iter_mut().zip(Scheme::all()) {
        described.revocation_class = scheme.revocation_class();
    }
    for experiment in &mut record.experiments {
        match experiment {
            Experiment::Load(load)
            | Experiment::Cost(load)
            | Experiment::Latency(load)
            | Experiment::Rtt(load)
            | Experiment::Fanout(load)
            | Experiment::Reject(load) => load.rounds = of_all(&load.rounds, |round| &mut round.scheme),
            Experiment::Login(login) => {
                login.rounds = of_all(&login.rounds, |round| &mut round.scheme);
                login.storms = of_all(&login.storms, |storm| &mut storm.scheme);
                login.issuances = of_all(&login.issuances, |issuance| &mut issuance.scheme);
            }
            Experiment::Slo(_) => {}
            Experiment::Scaling(scaling) => scaling.points = of_all(&scaling.points, |point| &mut point.scheme),
            Experiment::Population(population) => {
                population.fills = of_all(&population.fills, |fill| &mut fill.memory.scheme);
                population.rounds = of_all(&population.rounds, |round| &mut round.scheme);
            }
            Experiment::Revocation(found) => {
                found.series = of_all(&found.series, |series| &mut series.scheme);
                found.prices = of_all(&found.prices, |price| &mut price.scheme);
            }
            Experiment::Rotation(rotation) => rotation.rolls = of_all(&rotation.rolls, |roll| &mut roll.scheme),
            Experiment::Outage(outage) => outage.rounds = of_all(&outage.rounds, |round| &mut round.scheme),
            Experiment::Memory(memory) => memory.points = of_all(&memory.points, |point| &mut point.scheme),
            Experiment::Wire(wire) => wire.points = of_all(&wire.points, |point| &mut point.scheme),
        }
    }
    record
}

/// What the charts of a report show, by name.
fn charts(html: &str) -> Vec<Value> {
    let scripts = html.split("<script type=\"application/json\">").skip(1);
    scripts.map(|rest| serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap()).collect()
}

#[test]
fn lines_are_spread_over_a_chart_a_class_and_the_sentences_name_its_ends() {
    let folder = tempfile::tempdir().unwrap();
    report::write(folder.path(), &of_every_scheme()).unwrap();
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    let charts = charts(&html);
    let names: BTreeSet<&str> = charts.iter().map(|chart| chart["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), charts.len(), "every chart has a file of its own");
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
    assert_eq!(drawn.len(), Scheme::all().count(), "nobody is left out");

    let text = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(text.contains("immediate (10 schemes) "), "the ends of a class");
    assert!(text.contains("propagation (5 schemes) "));
    assert!(!text.contains("::"), "{:?}", text.split("\n- ").find(|line| line.contains("::")));
    let answer = text.split("\n- ").find(|line| line.starts_with("CPU time")).unwrap();
    assert!(answer.matches('`').count() <= 16, "two schemes a class: {answer}");
}
