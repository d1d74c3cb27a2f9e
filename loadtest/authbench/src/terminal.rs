//! Everything that authbench says: results on stdout, progress and errors on stderr.
//!
//! What comes from a target may hold anything, so all text is made [printable] here. What cannot be written because a pipe is
//! closed or a disk is full is an error for a result, and none for progress.

use std::io::{self, Write as _};

use report::printable;

/// A result cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the result to standard output: {0}")]
pub(crate) struct OutputError(io::Error);

/// Writes a result, which ends its own lines, to stdout.
pub(crate) fn result(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(printable(text).as_bytes()).and_then(|()| stdout.flush()).map_err(OutputError)
}

/// Writes a line of progress to stderr, if that can be.
pub(crate) fn progress(line: &str) {
    // In one piece, so that the lines of several processes do not mix.
    let _ = io::stderr().lock().write_all(format!("{}\n", printable(line)).as_bytes());
}

/// Writes a remark or an error of authbench itself to stderr, if that can be.
pub(crate) fn note(text: &str) {
    progress(&format!("authbench: {text}"));
}
