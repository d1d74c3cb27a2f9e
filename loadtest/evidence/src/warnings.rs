//! Finding the caveats of a run.

mod machine;
mod rounds;
mod tables;

use engine::record::{Experiment, Omission, Record, Status, Validity};

use crate::{Evidence, Warning};

/// All caveats of a run, sorted by topic.
pub(crate) fn of(record: &Record, evidence: &Evidence) -> Vec<Warning> {
    let mut warnings = of_the_run(record);
    warnings.extend(record.experiments.iter().flat_map(|experiment| of_experiment(record, experiment)));
    warnings.extend(tables::all(evidence));
    warnings.extend(machine::all(record));
    warnings.sort_by_key(Warning::topic);
    warnings
}

fn of_the_run(record: &Record) -> Vec<Warning> {
    let incomplete = match &record.run.status {
        Status::Complete => None,
        Status::Incomplete { reason } => Some(Warning::IncompleteRun { reason: reason.clone() }),
    };
    let omitted =
        |omission: &Omission| Warning::Omitted { what: omission.what.clone(), reason: omission.reason.clone() };
    incomplete.into_iter().chain(record.omitted.iter().map(omitted)).collect()
}

fn of_experiment(record: &Record, experiment: &Experiment) -> Vec<Warning> {
    let name = experiment.name();
    match experiment {
        Experiment::Load(load) | Experiment::Latency(load) | Experiment::Cost(load) => rounds::all(record, name, load),
        Experiment::Memory(memory) => {
            let points = memory.points.iter();
            invalid_points(
                name,
                points.map(|point| (format!("{} at {} credentials", point.scheme, point.population), &point.validity)),
            )
        }
        Experiment::Wire(wire) => {
            let points = wire.points.iter();
            invalid_points(
                name,
                points.map(|point| {
                    (format!("{} by {} with {} roles", point.scheme, point.carrier, point.roles), &point.validity)
                }),
            )
        }
    }
}

/// One caveat for all points that are invalid for the same reasons.
fn invalid_points<'record>(
    experiment: &'static str,
    points: impl Iterator<Item = (String, &'record Validity)>,
) -> Vec<Warning> {
    let mut found: Vec<(&[String], Vec<String>)> = Vec::new();
    for (point, validity) in points.filter(|(_, validity)| !validity.valid) {
        match found.iter_mut().find(|(reasons, _)| *reasons == validity.reasons) {
            Some((_, points)) => points.push(point),
            None => found.push((&validity.reasons, vec![point])),
        }
    }
    let warning =
        |(reasons, points): (&[String], _)| Warning::InvalidPoints { experiment, points, reasons: reasons.to_vec() };
    found.into_iter().map(warning).collect()
}

/// The caveat about what was found, if anything was.
fn if_any<T>(found: Vec<T>, warning: impl FnOnce(Vec<T>) -> Warning) -> Option<Warning> {
    (!found.is_empty()).then(|| warning(found))
}
