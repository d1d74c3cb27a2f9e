//! Every reference server, by either carrier: no check may fail.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use conformance::{Report, Verdict, matrix};
use contract::{Carrier, Scheme};

use crate::bed::{Bed, failures, full};

/// Runs at a time, beside those of the broken servers. Outages and windows are mostly waited for; but floods of requests
/// in full, several at a time, keep a store from answering in time on a small machine.
fn at_once() -> usize {
    if full() { 1 } else { 3 }
}

/// A scheme and a carrier.
type Case = (Scheme, Carrier);

/// What is examined: every scheme by both carriers.
fn cases() -> Vec<Case> {
    let wanted = std::env::var("CONFORMANCE_SCHEMES").unwrap_or_default();
    let examined = Scheme::all().filter(|scheme| !scheme.is_control());
    let cases = examined.flat_map(|scheme| [Carrier::Bearer, Carrier::Cookie].map(|carrier| (scheme, carrier)));
    cases.filter(|(scheme, _)| wanted.is_empty() || wanted.split(',').any(|id| id == scheme.id())).collect()
}

/// The reports on all of them, made once.
fn reports() -> &'static [Report] {
    static REPORTS: OnceLock<Vec<Report>> = OnceLock::new();
    REPORTS.get_or_init(|| {
        let queue: Mutex<VecDeque<_>> = Mutex::new(cases().into_iter().enumerate().collect());
        let done = Mutex::new(vec![]);
        std::thread::scope(|scope| {
            for _ in 0..at_once() {
                scope.spawn(|| {
                    while let Some((place, case)) = { queue.lock().unwrap().pop_front() } {
                        let report = examined(case);
                        done.lock().unwrap().push((place, report));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap();
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, report)| report).collect()
    })
}

fn examined((scheme, carrier): Case) -> Report {
    let bed = Bed::of(scheme, carrier);
    let started = Instant::now();
    let report = conformance::run(&bed.subject(), &mut (), &AtomicBool::new(false))
        .unwrap_or_else(|error| panic!("{scheme}, {carrier}: {error}"));
    let mut slowest: Vec<_> = report.outcomes.iter().map(|outcome| (outcome.took_ms, outcome.id.as_str())).collect();
    slowest.sort_unstable_by(|one, other| other.cmp(one));
    eprintln!("{scheme}, {carrier}: {:?}; slowest {:?}", started.elapsed(), &slowest[..5]);
    if !report.is_conformant() {
        // In a line each, and first: of a long output only the beginning may be kept.
        for outcome in report.failures() {
            if let Verdict::Fail { why, .. } = &outcome.verdict {
                eprintln!("{scheme}, {carrier}: {} failed: {why}", outcome.id);
            }
        }
        eprintln!("{scheme}, {carrier}: its servers said:\n{}", bed.warnings());
    }
    report
}

#[test]
fn no_reference_server_fails_a_check() {
    let accused: Vec<_> = reports().iter().filter(|report| !report.is_conformant()).collect();
    let text = accused.iter().map(|report| {
        let carrier = report.scheme.as_ref().map(|scheme| scheme.carrier.to_string()).unwrap_or_default();
        format!("{}, {carrier}:\n{}", report.id(), failures(report))
    });
    let text: String = text.collect();
    assert!(accused.is_empty(), "{text}");
}

#[test]
fn the_matrix_is_fresh() {
    if std::env::var_os("CONFORMANCE_SCHEMES").is_some() {
        return;
    }
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md"));
    let text = format!("{HEAD}\n{}", matrix(reports()));
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{} is not fresh: run with UPDATE_MATRIX=1", path.display());
}

/// What stands above the table.
const HEAD: &str = "# Conformance of the reference servers

Made by `UPDATE_MATRIX=1 cargo test -p conformance --test suite matrix`; a test compares. The rows are those of the security
table, the checks those of `servers/conformance/src/checks`. Servers are real processes over a real Redis, Redis Cluster or
PostgreSQL, two nodes where they share a store, by both carriers.

✓ passed, ✗ failed, – not applicable, with the reasons below.
";
