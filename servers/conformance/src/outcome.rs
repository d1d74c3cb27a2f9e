//! What a run of the suite says: one outcome a check.

use contract::SchemeDescriptor;
use serde::{Deserialize, Serialize};

use crate::wire::{Answer, Request, Silence};

/// Bytes of a body that an exchange shows at most.
const SHOWN_BYTES: usize = 2048;

/// What was sent, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The request, without the headers that every request has.
    pub sent: String,
    /// The answer, or why there is none.
    pub received: String,
    /// How long the answer took, in milliseconds; null if there is none.
    pub took_ms: Option<u64>,
}

impl Exchange {
    pub(crate) fn of(request: &Request, answer: Result<&Answer, &Silence>) -> Self {
        let received = answer.map_or_else(ToString::to_string, |answer| answer.shown(SHOWN_BYTES));
        let took_ms = answer.ok().map(|answer| answer.took.as_millis() as u64);
        Self { sent: request.shown(SHOWN_BYTES), received, took_ms }
    }
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum Verdict {
    /// The server does what the check wants.
    Pass,
    /// It does not.
    Fail {
        /// What it did instead.
        why: String,
        /// The last that was said before.
        exchanges: Vec<Exchange>,
    },
    /// The check says nothing of this server, or could not be made.
    NotApplicable {
        /// Why, and what to give so that it can be made.
        reason: String,
    },
}

/// One check of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check's stable id, such as `alg-none`.
    pub id: String,
    /// The row of the security table that it belongs to.
    pub row: u8,
    /// What a good server does, in one sentence.
    pub title: String,
    /// Who says so.
    pub source: String,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How often it was made: more than once where it did not pass while the machine stood still, or while a server
    /// missed a store that nobody had taken away.
    pub attempts: u32,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every check was made.
    #[default]
    Complete,
    /// It was stopped: the checks after the last outcome were not made.
    Stopped,
    /// A server gave no response in time in several checks in a row: the checks after the last outcome were not made.
    Unresponsive,
}

/// All checks of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the server says of itself; null where it has no `/bench/scheme`.
    pub scheme: Option<SchemeDescriptor>,
    /// In the order of the table.
    pub outcomes: Vec<CheckResult>,
    /// Whether these are all checks, or why there are no more.
    #[serde(default)]
    pub ending: Ending,
}

impl Report {
    /// Whether every check was made and none failed.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        self.ending == Ending::Complete && self.failures().next().is_none()
    }

    /// What failed.
    pub fn failures(&self) -> impl Iterator<Item = &CheckResult> {
        self.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Fail { .. }))
    }

    /// The scheme's id, or `unknown`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.scheme.as_ref().map_or("unknown", |scheme| &scheme.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_survives_a_json_round_trip() {
        let exchanges =
            vec![Exchange { sent: "GET /me\n\n".to_owned(), received: "200\n\n".to_owned(), took_ms: Some(1) }];
        let outcome = |verdict| CheckResult {
            id: "alg-none".to_owned(),
            row: 1,
            title: "A title.".to_owned(),
            source: "RFC 8725".to_owned(),
            verdict,
            attempts: 1,
            took_ms: 7,
        };
        let outcomes = vec![
            outcome(Verdict::Pass),
            outcome(Verdict::Fail { why: "why".to_owned(), exchanges }),
            outcome(Verdict::NotApplicable { reason: "a reason".to_owned() }),
        ];
        let report = Report { scheme: None, outcomes, ending: Ending::Complete };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["outcomes"][0]["result"], "pass");
        assert_eq!(json["outcomes"][1]["why"], "why");
        assert_eq!(json["outcomes"][2]["result"], "not-applicable");
        assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
        assert_eq!((report.is_conformant(), report.id()), (false, "unknown"));
    }
}
