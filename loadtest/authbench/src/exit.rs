//! The exit codes of authbench.

use std::fmt;
use std::process::ExitCode;

use crate::{message, terminal};

/// The result of a command.
pub(crate) type ExitResult = Result<(), Failure>;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The tool failed: exit code 1.
    Tool(anyhow::Error),
    /// A flag, a plan or a record is invalid: exit code 2.
    Usage(String),
    /// A check failed or an objective was missed: exit code 10.
    Threshold(String),
    /// The measurement is too imprecise for a result: exit code 11.
    Inconclusive(String),
    /// The measurement was recorded, but failed its own validity checks: exit code 12.
    Invalid(String),
    /// The hosts of two runs cannot be compared: exit code 13.
    NotComparable(String),
}

impl Failure {
    /// Returns a usage failure with the message of an error.
    pub(crate) fn usage(error: impl fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Tool(error.into())
    }
}

/// Prints the failure on stderr and returns the documented exit code.
pub(crate) fn code(outcome: ExitResult) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    let (code, message) = match failure {
        Failure::Tool(error) => (1, message::of(&error)),
        Failure::Usage(message) => (2, message),
        Failure::Threshold(message) => (10, message),
        Failure::Inconclusive(message) => (11, message),
        Failure::Invalid(message) => (12, message),
        Failure::NotComparable(message) => (13, message),
    };
    terminal::note(&message);
    ExitCode::from(code)
}
