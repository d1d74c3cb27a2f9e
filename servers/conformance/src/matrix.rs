//! Several reports as one Markdown table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::checks;
use crate::outcome::{Report, Verdict};

/// The result of a check for one scheme, over all its reports.
#[derive(Default)]
struct Cell {
    failed: bool,
    passed: bool,
    reasons: BTreeSet<String>,
}

impl Cell {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Pass => self.passed = true,
            Verdict::Fail { .. } => self.failed = true,
            Verdict::NotApplicable { reason } => {
                self.reasons.insert(reason.clone());
            }
        }
    }

    const fn mark(&self) -> &'static str {
        match (self.failed, self.passed) {
            (true, _) => "✗",
            (false, true) => "✓",
            (false, false) => "–",
        }
    }
}

/// Returns every check for every scheme: ✓ passed, ✗ failed, – not applicable, with the reasons below.
///
/// Reports of one scheme with several carriers share a column: a check that applies to one of them counts for that one.
#[must_use]
pub fn matrix(reports: &[Report]) -> String {
    let mut ids: Vec<&str> = vec![];
    let mut cells: BTreeMap<(&str, &str), Cell> = BTreeMap::new();
    for report in reports {
        if !ids.contains(&report.id()) {
            ids.push(report.id());
        }
        for outcome in &report.outcomes {
            cells.entry((&outcome.id, report.id())).or_default().add(&outcome.verdict);
        }
    }
    let (table, reasons) = table(&ids, &cells);
    let mut text = format!("| row | check | {} |\n|---|---|{}\n{table}", ids.join(" | "), "---|".repeat(ids.len()));
    let notes = reasons.iter().enumerate().map(|(n, (reason, checks))| {
        let checks: Vec<_> = checks.iter().map(|check| format!("`{check}`")).collect();
        format!("{}. {reason}: {}\n", n + 1, checks.join(", "))
    });
    let _ = write!(text, "\nReasons for – (not applicable):\n\n{}", notes.collect::<String>());
    text
}

type Reasons<'r> = BTreeMap<&'r str, BTreeSet<&'r str>>;

fn table<'r>(ids: &[&'r str], cells: &'r BTreeMap<(&str, &'r str), Cell>) -> (String, Reasons<'r>) {
    let (mut text, mut reasons) = (String::new(), Reasons::new());
    let mut checks: Vec<_> = checks::all().collect();
    checks.sort_by_key(|check| check.row);
    for check in checks {
        let _ = write!(text, "| {} | `{}` |", check.row, check.id);
        for id in ids {
            let Some(cell) = cells.get(&(check.id, *id)) else {
                text.push_str("  |");
                continue;
            };
            let _ = write!(text, " {} |", cell.mark());
            if !cell.passed && !cell.failed {
                for reason in &cell.reasons {
                    reasons.entry(reason).or_default().insert(check.id);
                }
            }
        }
        text.push('\n');
    }
    (text, reasons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{CheckOutcome, Ending};

    fn report(verdict: Verdict) -> Report {
        let check = checks::all().next().unwrap();
        let outcome = CheckOutcome {
            id: check.id.to_owned(),
            row: check.row,
            title: check.title.to_owned(),
            source: check.source.to_owned(),
            verdict,
            attempts: 1,
            took_ms: 1,
        };
        Report { scheme: None, outcomes: vec![outcome], ending: Ending::Complete }
    }

    #[test]
    fn failure_overrides_pass_and_pass_overrides_not_applicable() {
        let reason = || Verdict::NotApplicable { reason: "no reason".to_owned() };
        let fail = || Verdict::Fail { why: String::new(), exchanges: vec![] };
        let line = |verdicts: Vec<Verdict>| {
            let text = matrix(&verdicts.into_iter().map(report).collect::<Vec<_>>());
            let id = checks::all().next().unwrap().id;
            let line = text.lines().find(|line| line.contains(id)).unwrap().to_owned();
            (line, text.contains("1. no reason: `"))
        };
        let (line_of_fail, _) = line(vec![Verdict::Pass, fail(), reason()]);
        assert!(line_of_fail.ends_with("| ✗ |"), "{line_of_fail}");
        assert!(line(vec![Verdict::Pass, reason()]).0.ends_with("| ✓ |"));
        assert!(line(vec![reason()]).1);
        assert!(!line(vec![Verdict::Pass, reason()]).1);
    }
}
