//! The output of authbench: results on stdout, progress and errors on stderr.
//!
//! Text from a target may contain anything, so all text is made [printable] here. If a pipe is closed or a disk is full,
//! writing a result fails, and progress is dropped.

use std::io::{self, Write as _};

use report::printable;

/// A result could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the result to standard output: {0}")]
pub(crate) struct OutputError(io::Error);

/// Writes a result, which includes its line breaks, to stdout.
pub(crate) fn result(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(printable(text).as_bytes()).and_then(|()| stdout.flush()).map_err(OutputError)
}

/// Writes a line of progress to stderr, and ignores errors.
pub(crate) fn progress(line: &str) {
    // In one write, so that the lines of several processes do not mix.
    let _ = io::stderr().lock().write_all(format!("{}\n", printable(line)).as_bytes());
}

/// Writes a note or an error of authbench to stderr, and ignores write errors.
pub(crate) fn note(text: &str) {
    progress(&format!("authbench: {text}"));
}
