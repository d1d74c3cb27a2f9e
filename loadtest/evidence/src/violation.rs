//! Events that must never happen: one of them fails the run.

use std::fmt;

use engine::Experiment;

/// A credential was accepted that must be rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The experiment that observed it.
    pub experiment: Experiment,
    /// The scheme's id.
    pub scheme: String,
    /// The event in words, starting with the scheme's id.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.experiment, self.text)
    }
}
