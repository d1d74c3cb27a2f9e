//! `authbench report`: rebuilds every report of a run from its record.

use ::report::ReportError;

use crate::exit::{ExitResult, Failure};
use crate::{cli, terminal};

pub(crate) fn run(asked: &cli::Report) -> ExitResult {
    let record = engine::record::read(&asked.run).map_err(Failure::usage)?;
    let folder = if asked.run.is_dir() { asked.run.clone() } else { asked.run.with_file_name("") };
    ::report::write(&folder, &record).map_err(unless_damaged)?;
    let summary = ::report::summary(&record).map_err(unless_damaged)?;
    Ok(terminal::result(&format!("{summary}{}\n", folder.display()))?)
}

/// A damaged record is a usage error; a report that cannot be written is a failure of the tool.
fn unless_damaged(error: ReportError) -> Failure {
    match error {
        ReportError::Evidence(damaged) => Failure::usage(damaged),
        other => other.into(),
    }
}
