//! Caveats of rounds of load.

use engine::record::{Quantiles, Record, Round, empty_histogram};

use super::if_any;
use crate::Warning;
use crate::group::{Group, groups};
use crate::latency::merge;

/// Above this share stolen CPU time is told; far above it the engine calls the round invalid.
const STEAL_TOLD: f64 = 0.005;

pub(super) fn all(record: &Record, experiment: &'static str, rounds: &[Round]) -> Vec<Warning> {
    let groups = groups(record, rounds);
    let of_groups = groups.iter().flat_map(|group| of_group(experiment, group));
    let empty = groups.iter().filter(|group| group.count().used == 0);
    let empty = if_any(empty.map(|group| group.place(experiment)).collect(), |places| Warning::NothingValid {
        experiment,
        places,
    });
    let valid: Vec<&Round> = rounds.iter().filter(|round| round.validity.valid).collect();
    let whole = [empty, warmup(experiment, &valid), steal(experiment, &valid), realtime(record, rounds)];
    of_groups.chain(whole.into_iter().flatten()).collect()
}

fn of_group(experiment: &'static str, group: &Group<'_>) -> Vec<Warning> {
    let place = group.place(experiment);
    let invalid = |round: &&Round| Warning::InvalidRound {
        place: place.clone(),
        block: round.block,
        reasons: round.validity.reasons.clone(),
    };
    let mut warnings: Vec<Warning> = group.rounds.iter().filter(|round| !round.validity.valid).map(invalid).collect();
    let failed = group.valid().map(|round| round.counts.failed()).sum();
    if failed > 0 {
        let sent = group.valid().map(|round| round.counts.sent()).sum();
        warnings.push(Warning::Failures { place: place.clone(), failed, sent });
    }
    let inconsistent = group.valid().filter(|round| !agrees_with_itself(round));
    warnings.extend(inconsistent.map(|round| Warning::Inconsistent { place: place.clone(), block: round.block }));
    warnings
}

/// Whether the percentiles that a round states are those of its histograms.
fn agrees_with_itself(round: &Round) -> bool {
    let mut merged = empty_histogram();
    let inside = round.intervals.iter().filter(|interval| round.window.contains(interval.start_s));
    let readable = inside.map(|interval| merge(&mut merged, &interval.response_us)).all(|merged| merged.is_ok());
    let (found, stated) = (Quantiles::of(&merged), round.response_us);
    let counted = |quantiles: Quantiles| Quantiles { mean: None, ..quantiles };
    readable && counted(found) == counted(stated)
}

fn warmup(experiment: &'static str, valid: &[&Round]) -> Option<Warning> {
    let rounds = valid.iter().filter(|round| !round.window.warmup_detected).count();
    (rounds > 0).then_some(Warning::WarmupNotDetected { experiment, rounds })
}

fn steal(experiment: &'static str, valid: &[&Round]) -> Option<Warning> {
    let shares = valid.iter().filter_map(|round| round.usage.as_ref()?.steal);
    let told: Vec<f64> = shares.filter(|share| *share > STEAL_TOLD).collect();
    let highest = told.iter().copied().reduce(f64::max)?;
    Some(Warning::Steal { experiment, rounds: told.len(), highest })
}

fn realtime(record: &Record, rounds: &[Round]) -> Option<Warning> {
    let class = &record.placement.generator_class;
    let placed = !record.placement.generator_cpus.is_empty();
    let paced = rounds.iter().any(|round| round.planned_rps.is_some());
    (placed && paced && class != "SCHED_FIFO").then(|| Warning::NotRealtime { class: class.clone() })
}
