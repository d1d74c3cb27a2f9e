//! What must never happen, whatever it costs: found, it fails the run.

use std::fmt;

use crate::Evidence;

/// Somebody was let in who had to be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The experiment that saw it.
    pub experiment: &'static str,
    /// The scheme's id.
    pub scheme: String,
    /// Under which circumstances, such as `store killed`.
    pub when: String,
    /// Requests that were wrongly allowed.
    pub requests: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { experiment, scheme, when, requests } = self;
        let requests = if *requests == 1 { "1 request".to_owned() } else { format!("{requests} requests") };
        write!(f, "{experiment}: {scheme} wrongly allowed {requests} ({when})")
    }
}

impl Evidence {
    /// Everything that must never have happened, in valid rounds or not; empty if all is as it should be.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let outage = self.outage.iter().flat_map(|table| &table.rows).filter(|row| row.wrongly_allowed > 0);
        let outage = outage.map(|row| Violation {
            experiment: "outage",
            scheme: row.scheme.clone(),
            when: row.fault.to_string(),
            requests: row.wrongly_allowed,
        });
        outage.collect()
    }
}
