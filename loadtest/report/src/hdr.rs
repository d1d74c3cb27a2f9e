//! Histogram logs (`.hlog`) and percentile distributions (`.hgrm`), for standard `HdrHistogram`
//! readers.
//!
//! A `.hlog` contains exactly the intervals whose histograms were merged for the report, so their
//! sum gives the percentiles of the report; warm-up and invalid rounds go to `*-excluded.hlog` in
//! the same folder. Each interval is written three times, tagged `response`, `service` and `lag`.

mod log;
mod percentiles;

use engine::Experiment;
use engine::record::Record;
use evidence::{Distribution, Evidence, EvidenceError, Group, LatencyRow, Level, groups};

use crate::File;
use crate::slug::slug;

/// Returns all logs and distributions of a record.
pub(crate) fn files(record: &Record, evidence: &Evidence) -> Result<Vec<File>, EvidenceError> {
    let mut files = Vec::new();
    for experiment in &record.experiments {
        for group in groups(record, experiment) {
            files.extend(log_files(record, experiment.experiment(), &group)?);
        }
    }
    let tables = evidence.load.iter().map(|load| &load.latency).chain(&evidence.latency);
    let distributions =
        tables.flat_map(|table| table.rows.iter().flat_map(|row| distribution_files(table.experiment, row)));
    files.extend(distributions);
    Ok(files)
}

fn stem(experiment: Experiment, scheme: &str, level: &Level) -> String {
    format!("hdr/{experiment}-{}{}", slug(scheme), level.slug())
}

fn log_files(record: &Record, experiment: Experiment, group: &Group<'_>) -> Result<Vec<File>, EvidenceError> {
    let stem = stem(experiment, group.scheme, &group.level);
    let what = group.place(experiment).to_string();
    let log = |counts: bool| log::of(record, experiment, &what, group, counts);
    let files = [(log(true)?, format!("{stem}.hlog")), (log(false)?, format!("{stem}-excluded.hlog"))];
    Ok(files.into_iter().filter_map(|(log, name)| Some(File::new(name, log?))).collect())
}

fn distribution_files(experiment: Experiment, row: &LatencyRow) -> Vec<File> {
    let stem = stem(experiment, &row.scheme, &row.level);
    let parts: [(&str, &Distribution); 3] = [("response", &row.response), ("service", &row.service), ("lag", &row.lag)];
    let filled = parts.into_iter().filter(|(_, distribution)| distribution.quantiles.count > 0);
    filled.map(|(tag, part)| File::new(format!("{stem}-{tag}.hgrm"), percentiles::of(&part.histogram))).collect()
}
