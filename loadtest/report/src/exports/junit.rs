//! `JUnit` XML: a suite per scheme, a test per counter.
//!
//! What could not be decided is an error, so that a CI server shows it as such.

use evidence::{GateRow, GateTable, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::sections::gate::describe;

/// The suite and the test of what concerns all schemes.
const WHOLE: &str = "gate";
const COMPLETE: &str = "all schemes were counted in both versions";

pub(super) fn render(gate: &GateTable) -> String {
    let mut report = Report::new(valid(&format!("authbench gate: {} against {}", gate.head, gate.base)));
    let mut whole = TestSuite::new(WHOLE);
    let verdict = if gate.is_complete { Verdict::Pass } else { Verdict::Invalid };
    whole.add_test_case(test(WHOLE, COMPLETE, verdict, "a part of the gate is missing; see its report"));
    report.add_test_suite(whole);
    for rows in gate.rows.chunk_by(|one, other| one.scheme == other.scheme) {
        let case = |row: &GateRow| test(&row.scheme, &row.metric.to_string(), row.verdict, &describe(row));
        let mut suite = TestSuite::new(rows[0].scheme.as_str());
        suite.add_test_cases(rows.iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string().expect("a report in memory can be written")
}

/// Removes two characters that XML forbids and the library lets pass; it removes the others.
fn valid(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "")
}

fn test(scheme: &str, name: &str, verdict: Verdict, message: &str) -> TestCase {
    let status = match verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => because(NonSuccessKind::Failure, verdict, message),
        Verdict::Inconclusive | Verdict::Invalid => because(NonSuccessKind::Error, verdict, message),
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(scheme);
    case
}

fn because(kind: NonSuccessKind, verdict: Verdict, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(verdict.to_string()).set_message(valid(message));
    status
}
