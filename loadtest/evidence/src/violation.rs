//! What must never happen, whatever it costs: found, it fails the run.

use std::fmt;

use engine::Experiment;

/// A credential was accepted that had to be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The experiment that saw it.
    pub experiment: Experiment,
    /// The scheme's id.
    pub scheme: String,
    /// What happened, in words that begin with the scheme's id.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.experiment, self.text)
    }
}
