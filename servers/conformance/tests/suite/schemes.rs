//! The reference servers: no check may fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use conformance::{Report, Verdict, matrix};
use contract::{Algorithm, Carrier, EarlyRevocation, Kind, Scheme};

use crate::testbed::{Testbed, failures, has_full_extent, is_full};

/// Concurrent runs, in addition to those of the broken servers. Outages and windows are mostly waits; but several
/// full-extent floods of requests at a time slow down the store's responses on a small machine.
fn concurrency() -> usize {
    if has_full_extent() { 1 } else { 5 }
}

/// A scheme and a carrier.
type SchemeAndCarrier = (Scheme, Carrier);

/// Whether the whole matrix is checked: every scheme with both carriers.
fn is_full_matrix() -> bool {
    (is_full() || std::env::var_os("UPDATE_MATRIX").is_some()) && std::env::var_os("CONFORMANCE_SCHEMES").is_none()
}

/// Returns what is checked: every scheme with both carriers, or some with one of them. Signatures and early revocation know
/// nothing of each other, so some means every algorithm without early revocation, and every early revocation with HS256.
fn cases() -> Vec<SchemeAndCarrier> {
    let wanted = std::env::var("CONFORMANCE_SCHEMES").unwrap_or_default();
    let is_one_of_few = |scheme: &Scheme| match scheme.kind() {
        Kind::Token { algorithm, early_revocation } => {
            algorithm == Algorithm::Hs256 || early_revocation == EarlyRevocation::Nothing
        }
        _ => true,
    };
    let wanted = |scheme: &Scheme| match wanted.as_str() {
        "" => is_full_matrix() || is_one_of_few(scheme),
        some => some.split(',').any(|id| id == scheme.id()),
    };
    let examined = Scheme::all().filter(|scheme| !scheme.is_control()).filter(wanted).enumerate();
    let both = [Carrier::Bearer, Carrier::Cookie];
    let carriers = |index: usize| if is_full_matrix() { both.to_vec() } else { vec![both[index % 2]] };
    examined.flat_map(|(index, scheme)| carriers(index).into_iter().map(move |carrier| (scheme, carrier))).collect()
}

/// Returns the reports on all of them.
fn reports() -> Vec<Report> {
    let queue: Mutex<VecDeque<_>> = Mutex::new(cases().into_iter().enumerate().collect());
    let done = Mutex::new(vec![]);
    std::thread::scope(|scope| {
        for _ in 0..concurrency() {
            scope.spawn(|| {
                while let Some((index, case)) = { queue.lock().unwrap().pop_front() } {
                    let report = run_suite(case);
                    done.lock().unwrap().push((index, report));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, report)| report).collect()
}

fn run_suite((scheme, carrier): SchemeAndCarrier) -> Report {
    let testbed = Testbed::of(scheme, carrier);
    let started = Instant::now();
    let report = conformance::run(&testbed.subject(), &mut (), &AtomicBool::new(false))
        .unwrap_or_else(|error| panic!("{scheme}, {carrier}: {error}"));
    let mut slowest: Vec<_> = report.outcomes.iter().map(|outcome| (outcome.took_ms, outcome.id.as_str())).collect();
    slowest.sort_unstable_by(|one, other| other.cmp(one));
    eprintln!("{scheme}, {carrier}: {:?}; slowest {:?}", started.elapsed(), &slowest[..5]);
    if !report.is_conformant() {
        // One line each, and first: of a long output only the beginning may be kept.
        for outcome in report.failures() {
            if let Verdict::Fail { why, .. } = &outcome.verdict {
                eprintln!("{scheme}, {carrier}: {} failed: {why}", outcome.id);
            }
        }
        eprintln!("{scheme}, {carrier}: its servers said:\n{}", testbed.warnings());
    }
    report
}

#[test]
fn reference_servers_pass_and_matrix_is_up_to_date() {
    let reports = reports();
    assert_conformant(&reports);
    assert_documented(&reports);
}

fn assert_conformant(reports: &[Report]) {
    let failing: Vec<_> = reports.iter().filter(|report| !report.is_conformant()).collect();
    let text = failing.iter().map(|report| {
        let carrier = report.scheme.as_ref().map(|scheme| scheme.carrier.to_string()).unwrap_or_default();
        format!("{}, {carrier}:\n{}", report.id(), failures(report))
    });
    let text: String = text.collect();
    assert!(failing.is_empty(), "{text}");
}

fn assert_documented(reports: &[Report]) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md"));
    let text = format!("{MATRIX_HEADER}\n{}", matrix(reports));
    let is_updated = std::env::var_os("UPDATE_MATRIX").is_some() && is_full_matrix();
    if is_updated {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == text || !is_full_matrix(), "{} is out of date: run with UPDATE_MATRIX=1", path.display());
    let (documented, examined) = (cells(&found), cells(&text));
    let checks = |cells: &BTreeMap<(&str, &str), &str>| {
        cells.keys().map(|(check, _)| (*check).to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(checks(&documented), checks(&examined), "{} is out of date", path.display());
    for (cell, mark) in examined {
        // What does not apply to one carrier may apply to the other.
        let is_so = documented.get(&cell) == Some(&mark) || mark == "–" && !is_full_matrix();
        assert!(is_so, "{cell:?} is {mark}: {} is out of date: run with UPDATE_MATRIX=1", path.display());
    }
}

/// Returns the marks of a matrix, by check and scheme.
fn cells(matrix: &str) -> BTreeMap<(&str, &str), &str> {
    let mut rows = matrix
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])));
    let schemes: Vec<_> = rows.next().into_iter().flatten().skip(2).collect();
    let rows = rows.flat_map(|row| {
        let row: Vec<_> = row.skip(1).collect();
        let marks = schemes.iter().zip(row[1..].to_vec());
        marks.map(|(scheme, mark)| ((row[0], *scheme), mark)).collect::<Vec<_>>()
    });
    rows.collect()
}

/// The text above the table.
const MATRIX_HEADER: &str = "# Conformance of the reference servers

Generated by `UPDATE_MATRIX=1 cargo test --workspace --test suite schemes`; a test compares this file with the result.
The rows are those of the security table, the checks those of `servers/conformance/src/checks`. The servers are real
processes with a real Redis, Redis Cluster or PostgreSQL: two nodes where they share a store, with both carriers.

✓ passed, ✗ failed, – not applicable (reasons below).
";
