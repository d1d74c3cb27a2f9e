//! The result of a run of the suite: one outcome per check.

use contract::SchemeDescriptor;
use serde::{Deserialize, Serialize};

use crate::wire::{Request, RequestError, Response};

/// Maximum bytes of a body that an exchange shows.
const MAX_SHOWN_BYTES: usize = 2048;

/// What was sent, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The request, without the headers that every request has.
    pub sent: String,
    /// The response, or why there is none.
    pub received: String,
    /// How long the response took, in milliseconds; null if there is none.
    pub took_ms: Option<u64>,
}

impl Exchange {
    pub(crate) fn of(request: &Request, response: Result<&Response, &RequestError>) -> Self {
        let received = response.map_or_else(ToString::to_string, |response| response.describe(MAX_SHOWN_BYTES));
        let took_ms = response.ok().map(|response| response.took.as_millis() as u64);
        Self { sent: request.describe(MAX_SHOWN_BYTES), received, took_ms }
    }
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum Verdict {
    /// The server does what the check requires.
    Pass,
    /// It does not.
    Fail {
        /// What the server did instead.
        why: String,
        /// The last exchanges before the failure.
        exchanges: Vec<Exchange>,
    },
    /// The check does not apply to this server or could not run.
    NotApplicable {
        /// Why, and what to give so that it can run.
        reason: String,
    },
}

/// One check of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// The check's stable id, such as `alg-none`.
    pub id: String,
    /// The row of the security table that it belongs to.
    pub row: u8,
    /// What a correct server does, in one sentence.
    pub title: String,
    /// The source.
    pub source: String,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How often it ran: more than once where it did not pass while the machine paused, or while a server
    /// missed its store without an outage by the check.
    pub attempts: u32,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every check ran.
    #[default]
    Complete,
    /// It was stopped: the checks after the last outcome did not run.
    Stopped,
    /// A server gave no response in time in several checks in a row: the checks after the last outcome did not run.
    Unresponsive,
}

/// All checks of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the server states of itself; null where it has no `/bench/scheme`.
    pub scheme: Option<SchemeDescriptor>,
    /// In the order of the table.
    pub outcomes: Vec<CheckOutcome>,
    /// Whether these are all checks, or why some are missing.
    #[serde(default)]
    pub ending: Ending,
}

impl Report {
    /// Returns whether every check ran and none failed.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        self.ending == Ending::Complete && self.failures().next().is_none()
    }

    /// Returns the failed checks.
    pub fn failures(&self) -> impl Iterator<Item = &CheckOutcome> {
        self.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Fail { .. }))
    }

    /// Returns the scheme's id, or `unknown`.
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
        let outcome = |verdict| CheckOutcome {
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
