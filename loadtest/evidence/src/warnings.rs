//! Caveats of a run that belong to no single experiment.

mod machine;
mod rounds;

use engine::record::{Omission, Record, Status};

use crate::{Topic, Warning};

pub(crate) use rounds::{for_groups, for_latency};

/// Returns caveats about what is missing from the run.
pub(crate) fn for_run(record: &Record) -> Vec<Warning> {
    let incomplete = match &record.run.status {
        Status::Complete => None,
        Status::Incomplete { reason } => Some(
            Topic::Run
                .warning(format!("The run is incomplete ({reason}): the report shows what was measured until then.")),
        ),
    };
    let omitted = |omission: &Omission| {
        Topic::Run.warning(format!("{} was requested but not measured: {}", omission.what, omission.reason))
    };
    incomplete.into_iter().chain(record.omitted.iter().map(omitted)).collect()
}

/// Returns caveats about the machine and the placement of the processes.
pub(crate) fn for_machine(record: &Record) -> Vec<Warning> {
    machine::all(record)
}
