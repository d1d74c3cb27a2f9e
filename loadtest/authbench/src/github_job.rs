//! The summary of the GitHub Actions job in which authbench runs.
//!
//! Source: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary>.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};

use experiments::Journal;

use crate::terminal;

/// Names the file to which a step appends Markdown.
const SUMMARY_FILE: &str = "GITHUB_STEP_SUMMARY";

/// Appends the result of a gate. Outside a job there is no summary; in one, the result does not depend on it.
pub(crate) fn summarize(journal: &Journal) {
    let Some(file) = std::env::var_os(SUMMARY_FILE).filter(|file| !file.is_empty()) else { return };
    if let Err(error) = append(journal, &file) {
        terminal::progress(&format!("cannot append to {SUMMARY_FILE} ({}): {error}", file.display()));
    }
}

fn append(journal: &Journal, file: &OsStr) -> io::Result<()> {
    let result = match fs::read(journal.folder().join(report::GATE_PULL_REQUEST)) {
        // Nothing was measured, so that there is no report.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    OpenOptions::new().append(true).create(true).open(file)?.write_all(&result)
}
