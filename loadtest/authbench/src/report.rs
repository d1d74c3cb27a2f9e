//! `authbench report`: rebuilds every report of a run from its record.

use ::report::ReportError;

use crate::exit::{ExitResult, Failure};
use crate::{cli, terminal};

pub(crate) fn run(args: &cli::Report) -> ExitResult {
    let record = record_file::read(&args.run).map_err(Failure::usage)?;
    let folder = if args.run.is_dir() { args.run.clone() } else { args.run.with_file_name("") };
    ::report::write(&folder, &record).map_err(failure_of)?;
    let summary = ::report::summary(&record).map_err(failure_of)?;
    Ok(terminal::result(&format!("{summary}{}\n", folder.display()))?)
}

/// A damaged record is a usage error; a report that cannot be written is a failure of the tool.
fn failure_of(error: ReportError) -> Failure {
    match error {
        ReportError::Evidence(damaged) => Failure::usage(damaged),
        other => other.into(),
    }
}
