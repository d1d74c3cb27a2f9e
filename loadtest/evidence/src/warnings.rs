//! Finding the caveats of a run.

mod machine;
mod rounds;
mod tables;

use engine::record::{
    Experiment, Fill, FillState, Issuance, Learning, LoginStorm, Omission, OutageRound, Record, RevocationSeries,
    RotationExperiment, ScalingPoint, ServiceDemand, SloExperiment, SloRound, SloVerdict, Status, Step, Validity,
};
use engine::validity::Fault;

use crate::revocation::over;
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
        Experiment::Load(load)
        | Experiment::Latency(load)
        | Experiment::Cost(load)
        | Experiment::Rtt(load)
        | Experiment::Fanout(load)
        | Experiment::Reject(load) => rounds::all(record, name, &load.rounds),
        Experiment::Login(login) => {
            let storm = |storm: &LoginStorm| format!("the logins of {} in block {}", storm.scheme, storm.block);
            let issued = |issued: &Issuance| format!("the issuance of {} in block {}", issued.scheme, issued.block);
            let storms = login.storms.iter().map(|each| (storm(each), &each.validity));
            let points = storms.chain(login.issuances.iter().map(|each| (issued(each), &each.validity)));
            rounds::all(record, name, &login.rounds).into_iter().chain(invalid_points(name, points)).collect()
        }
        Experiment::Slo(slo) => void_rounds(name, slo).into_iter().collect(),
        Experiment::Scaling(scaling) => {
            let place = |point: &ScalingPoint| match point.step {
                Step::Nodes { nodes } => format!("{} on {nodes} nodes in block {}", point.scheme, point.block),
                Step::StoreFilled { .. } => format!("{}, the store filled in block {}", point.scheme, point.block),
            };
            let demand =
                |demand: &ServiceDemand| format!("{} on whole processors in block {}", demand.scheme, demand.block);
            let demands = scaling.demands.iter().map(|each| (demand(each), &each.validity));
            let points = scaling.points.iter().map(|point| (place(point), &point.validity));
            invalid_points(name, demands.chain(points))
        }
        Experiment::Population(population) => {
            let place = |fill: &Fill| {
                let state = match fill.state {
                    FillState::Live => "live",
                    FillState::Revoked => "revoked",
                    FillState::Freed => "freed",
                };
                format!("{} with {} {state} credentials", fill.memory.scheme, fill.memory.population)
            };
            let fills = population.fills.iter().map(|fill| (place(fill), &fill.memory.validity));
            let mut warnings = invalid_points(name, fills);
            warnings.extend(rounds::all(record, name, &population.rounds));
            warnings
        }
        Experiment::Revocation(found) => {
            let place = |series: &RevocationSeries| format!("{}{}", series.scheme, over(series.link));
            invalid_points(name, found.series.iter().map(|series| (place(series), &series.validity)))
        }
        Experiment::Rotation(rotation) => invalid_points(name, parts_of(rotation)),
        Experiment::Outage(outage) => {
            let found = outage.rounds.iter().map(|round| (round, crate::outage::validity(round))).collect::<Vec<_>>();
            let place =
                |round: &OutageRound| format!("{}, {} in repetition {}", round.scheme, round.fault, round.repetition);
            invalid_points(name, found.iter().map(|(round, validity)| (place(round), validity)))
        }
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

/// Every measurement of `rotation`, with its name.
fn parts_of(rotation: &RotationExperiment) -> impl Iterator<Item = (String, &Validity)> {
    let rolls = rotation.rolls.iter().map(|roll| {
        let how = if roll.learning == Learning::Never { "told to nobody" } else { "published" };
        (format!("the roll of {}'s key, {how}, in block {}", roll.scheme, roll.block), &roll.validity)
    });
    let races = rotation
        .races
        .iter()
        .map(|race| (format!("races of {} clients with {} s of grace", race.clients, race.grace_s), &race.validity));
    let replays = rotation
        .replays
        .iter()
        .map(|replay| (format!("copies {} s old with {} s of grace", replay.age_s, replay.grace_s), &replay.validity));
    let storms = rotation
        .storms
        .iter()
        .map(|storm| (format!("the storm with jitter {} in block {}", storm.jitter, storm.block), &storm.validity));
    rolls.chain(races).chain(replays).chain(storms)
}

/// Rounds of a search that say nothing of the target. One in which the target was not up to the load is what was looked
/// for, and counts.
fn void_rounds(experiment: &'static str, slo: &SloExperiment) -> Option<Warning> {
    let says_nothing = |round: &&SloRound| matches!(round.verdict, SloVerdict::Generator | SloVerdict::Unsettled);
    let void: Vec<&SloRound> = slo.rounds.iter().filter(says_nothing).collect();
    let with = |fault: Fault| void.iter().filter(|round| round.round.validity.faults.contains(&fault)).count();
    let reasons = WHY_VOID.map(|(fault, words)| (words, with(fault)));
    let reasons = reasons.into_iter().filter(|(_, rounds)| *rounds > 0).collect();
    (!void.is_empty()).then_some(Warning::VoidRounds { experiment, void: void.len(), of: slo.rounds.len(), reasons })
}

/// What makes a round say nothing of the target, in words.
const WHY_VOID: [(Fault, &str); 7] = [
    (Fault::GeneratorExhausted, "the generator ran out of file descriptors, local ports or memory"),
    (Fault::GeneratorLate, "the generator sent too late"),
    (Fault::GeneratorFull, "the generator was full"),
    (Fault::ProcessorsShared, "generator and server filled processors that they share"),
    (Fault::CpuStolen, "a hypervisor took CPU time away"),
    (Fault::NeverSettled, "the service time never settled"),
    (Fault::TooFewRequests, "there were too few requests"),
];

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
