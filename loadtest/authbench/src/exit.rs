//! How authbench ends: the one place for its exit codes.

use std::fmt;
use std::process::ExitCode;

use crate::{message, terminal};

/// What a command comes to.
pub(crate) type ExitResult = Result<(), Failure>;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something went wrong: 1.
    Tool(anyhow::Error),
    /// What was asked for cannot be done as asked: a flag, a plan or a record is bad: 2.
    Usage(String),
    /// What was checked is not as it has to be: 10.
    Threshold(String),
    /// The measurement was made and kept, but its own checks say that it must not be used: 12.
    Invalid(String),
}

impl Failure {
    /// A usage failure that says what an error says.
    pub(crate) fn usage(error: impl fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Tool(error.into())
    }
}

/// Says on stderr what went wrong, and turns it into the documented exit code.
pub(crate) fn code(outcome: ExitResult) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    let (code, message) = match failure {
        Failure::Tool(error) => (1, message::of(&error)),
        Failure::Usage(message) => (2, message),
        Failure::Threshold(message) => (10, message),
        Failure::Invalid(message) => (12, message),
    };
    terminal::note(&message);
    ExitCode::from(code)
}
