//! The end of a load: its printed result, and where the rest is stored.

use anyhow::anyhow;
use experiments::Journal;

use crate::exit::ExitResult;
use crate::terminal;

/// Returns the error of an incomplete load, with the folder of the results so far.
pub(crate) fn incomplete_error(why: &str, journal: &Journal) -> anyhow::Error {
    anyhow!("{why}; the results so far are kept in {}", journal.folder().display())
}

/// Prints this JSON, or else the summary, and the path of the run's folder.
pub(crate) fn print_run(json: Option<&str>, journal: &Journal) -> ExitResult {
    let folder = journal.folder().display();
    if let Some(json) = json {
        terminal::result(&format!("{json}\n"))?;
        terminal::progress(&folder.to_string());
    } else {
        let summary = report::summary(journal.record())?;
        terminal::result(&format!("{summary}{folder}/report.html\n{folder}\n"))?;
    }
    Ok(())
}
