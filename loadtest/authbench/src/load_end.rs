//! How a load ends: what is shown of it, and where the rest is kept.

use anyhow::anyhow;
use experiments::Journal;

use crate::exit::ExitResult;
use crate::terminal;

/// Why a load was not measured to its end, and where the part is that was.
pub(crate) fn kept(why: &str, journal: &Journal) -> anyhow::Error {
    anyhow!("{why}; what was measured until then is kept in {}", journal.folder().display())
}

/// Shows this JSON, or else the summary, and where the run's folder is.
pub(crate) fn show_run(json: Option<&str>, journal: &Journal) -> ExitResult {
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
