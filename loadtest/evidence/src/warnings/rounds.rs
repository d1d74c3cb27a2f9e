//! Caveats about rounds of load, for every experiment.

use engine::Experiment;
use engine::record::{Quantiles, Round, empty_histogram};

use crate::group::{Group, Place};
use crate::latency::{LatencyTable, merge};
use crate::level::Leveled;
use crate::statistics::{CONFIDENCE, Estimate, min_samples};
use crate::warning::{by_level, if_any, too_few_rounds};
use crate::{Topic, Warning};

/// Above this share, stolen CPU time is reported; far above it the engine marks the round invalid.
const REPORTED_STEAL: f64 = 0.005;
/// Quantiles that tables show, with their names.
const REPORTED_QUANTILES: [(f64, &str); 5] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];

/// Returns the caveats of an experiment's rounds.
pub(crate) fn for_groups<R: Leveled>(experiment: Experiment, groups: &[Group<'_, R>]) -> Vec<Warning> {
    let empty: Vec<Place> =
        groups.iter().filter(|group| group.count().used == 0).map(|group| group.place(experiment)).collect();
    let empty = if_any(&empty, |places| {
        let places = by_level(places.iter());
        Topic::Invalid.warning(format!("{experiment}: there is no valid round, and therefore no figure, for {places}."))
    });
    let valid: Vec<&Round> = groups.iter().flat_map(Group::valid).collect();
    let whole = [empty, warmup(experiment, &valid), steal(experiment, &valid)];
    let of_groups = groups.iter().flat_map(|group| of_group(experiment, group));
    of_groups.chain(whole.into_iter().flatten()).collect()
}

fn of_group<R: Leveled>(experiment: Experiment, group: &Group<'_, R>) -> Vec<Warning> {
    let place = group.place(experiment);
    let mut warnings = Vec::new();
    let failed: u64 = group.valid().map(|round| round.counts.failed()).sum();
    if failed > 0 {
        let sent: u64 = group.valid().map(|round| round.counts.sent()).sum();
        warnings.push(Topic::Invalid.warning(format!(
            "{experiment}: {failed} of {sent} requests of {place} failed in valid rounds; their times are in the histograms."
        )));
    }
    let inconsistent = group.valid().filter(|round| !percentiles_match_histograms(round));
    warnings.extend(inconsistent.map(|round| {
        Topic::Invalid.warning(format!(
            "{experiment}: the percentiles in the record for {place} in block {} do not match its own histograms; \
             the report uses the histograms.",
            round.block
        ))
    }));
    warnings
}

/// Returns whether the percentiles of a round match its histograms.
fn percentiles_match_histograms(round: &Round) -> bool {
    let mut merged = empty_histogram();
    let inside = round.intervals.iter().filter(|interval| round.window.contains(interval.start_s));
    let readable = inside.map(|interval| merge(&mut merged, &interval.response_us)).all(|merged| merged.is_ok());
    let (found, stated) = (Quantiles::of(&merged), round.response_us);
    let counted = |quantiles: Quantiles| Quantiles { mean: None, ..quantiles };
    readable && counted(found) == counted(stated)
}

fn warmup(experiment: Experiment, valid: &[&Round]) -> Option<Warning> {
    let rounds = valid.iter().filter(|round| !round.window.warmup_detected).count();
    (rounds > 0).then(|| {
        Topic::Setup.warning(format!("{experiment}: in {rounds} valid rounds the warm-up was set, not detected."))
    })
}

fn steal(experiment: Experiment, valid: &[&Round]) -> Option<Warning> {
    let shares = valid.iter().filter_map(|round| round.usage.as_ref()?.steal);
    let reported: Vec<f64> = shares.filter(|share| *share > REPORTED_STEAL).collect();
    let highest = reported.iter().copied().reduce(f64::max)?;
    Some(Topic::Setup.warning(format!(
        "{experiment}: the hypervisor took CPU time away (steal) in {} valid rounds, up to {:.1} %.",
        reported.len(),
        highest * 100.0
    )))
}

/// Returns the caveats of a table of response times.
pub(crate) fn for_latency(table: &LatencyTable) -> Vec<Warning> {
    let experiment = table.experiment;
    let rows: Vec<_> = table.rows.iter().filter(|row| row.response.quantiles.count > 0).collect();
    let unsupported = REPORTED_QUANTILES.into_iter().filter_map(|(quantile, percentile)| {
        let greyed = rows.iter().filter(|row| !row.response.quantiles.supports(quantile));
        let places: Vec<Place> = greyed.map(|row| row.place(experiment)).collect();
        if_any(&places, |places| {
            let where_it_is = if places.len() == rows.len() {
                "for all schemes and levels, and is greyed".to_owned()
            } else {
                let (some, all) = (places.len(), rows.len());
                format!(
                    "for {some} of {all} combinations of scheme and level, and is greyed there: {}",
                    by_level(places.iter())
                )
            };
            Topic::Statistics
                .warning(format!("{experiment}: {percentile} has fewer than 100 samples above it {where_it_is}."))
        })
    });
    let lacks_interval = |of_rounds: Option<Estimate>| of_rounds.is_none_or(|found| found.interval.is_none());
    let few = rows.iter().filter(|row| lacks_interval(row.response.p50_of_rounds));
    let few: Vec<_> = few.map(|row| (row.place(experiment), row.rounds.used)).collect();
    unsupported.chain(too_few_rounds(experiment, min_samples(CONFIDENCE), &few)).collect()
}
