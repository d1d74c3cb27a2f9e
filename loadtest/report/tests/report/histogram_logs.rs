//! Any percentile of a report can be recomputed from the logs, with a reader that is independent of
//! authbench.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::Experiment;
use engine::record::{LatencyExperiment, LoadExperiment, Quantiles, Record, Round};
use evidence::{Evidence, LatencyRow};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogHistogram, IntervalLogIterator, LogEntry};

fn write_reports(record: &Record) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    report::write(folder.path(), record).unwrap();
    folder
}

/// Returns every interval of a log, in order.
fn entries(log: &[u8]) -> Vec<IntervalLogHistogram<'_>> {
    let interval = |entry| if let LogEntry::Interval(interval) = entry { Some(interval) } else { None };
    IntervalLogIterator::new(log).map(Result::unwrap).filter_map(interval).collect()
}

fn merge_intervals(log: &Path, tag: &str) -> Histogram<u64> {
    let text = std::fs::read(log).unwrap();
    let mut sum = Histogram::<u64>::new_with_bounds(1, 600_000_000, 3).unwrap();
    for entry in entries(&text).iter().filter(|entry| entry.tag().unwrap().as_str() == tag) {
        let bytes = STANDARD.decode(entry.encoded_histogram()).unwrap();
        sum.add(Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice()).unwrap()).unwrap();
    }
    sum
}

fn log_of(row: &LatencyRow, experiment: Experiment) -> String {
    format!("hdr/{experiment}-{}{}.hlog", row.scheme, row.level.slug())
}

#[test]
fn report_percentiles_match_the_logs() {
    let mut compare = synthetic::compare();
    invalidate_one_round(&mut compare);
    for record in [compare, synthetic::load()] {
        let folder = write_reports(&record);
        let evidence = Evidence::of(&record).unwrap();
        for table in evidence.latency.iter().chain(evidence.load.as_ref().map(|load| &load.latency)) {
            for row in &table.rows {
                let log = folder.path().join(log_of(row, table.experiment));
                for (tag, part) in [("response", &row.response), ("service", &row.service), ("lag", &row.lag)] {
                    assert_eq!(
                        Quantiles::of(&merge_intervals(&log, tag)),
                        part.quantiles,
                        "{tag} in {}",
                        log.display()
                    );
                }
            }
        }
    }
}

fn invalidate_one_round(record: &mut Record) {
    let invalid = engine::record::Validity::from_reasons(vec!["invalid".to_owned()]);
    record.data_mut::<LatencyExperiment>().unwrap().rounds[0].validity = invalid;
}

#[test]
fn every_interval_is_in_one_of_the_two_logs() {
    let record = synthetic::load();
    let folder = write_reports(&record);
    let round: &Round = &record.data::<LoadExperiment>().unwrap().rounds[0];
    let count = |name: &str| entries(&std::fs::read(folder.path().join(name)).unwrap()).len();
    let (kept, excluded) = (count("hdr/load-session-redis.hlog"), count("hdr/load-session-redis-excluded.hlog"));
    assert_eq!((kept, excluded), (19 * 3, 3), "the first second is warm-up");
    assert_eq!(kept + excluded, round.intervals.len() * 3);
}

#[test]
fn log_intervals_have_their_start_times() {
    let folder = write_reports(&synthetic::compare());
    let text = std::fs::read(folder.path().join("hdr/cost-jwt-hs256.hlog")).unwrap();
    let base = IntervalLogIterator::new(&text).map(Result::unwrap).find_map(|entry| match entry {
        LogEntry::BaseTime(base) => Some(base.as_secs()),
        _ => None,
    });
    // 2026-11-22T10:15:00Z
    assert_eq!(base, Some(1_795_342_500));
    let starts: Vec<u64> = entries(&text).iter().step_by(3).map(|entry| entry.start_timestamp().as_secs()).collect();
    assert_eq!(starts[..4], [1, 61, 121, 181], "a block a minute, the first second of each cut");
}

#[test]
fn distribution_has_the_format_of_plotters() {
    let record = synthetic::load();
    let folder = write_reports(&record);
    let text = std::fs::read_to_string(folder.path().join("hdr/load-session-redis-response.hgrm")).unwrap();
    let row = &Evidence::of(&record).unwrap().load.unwrap().latency.rows[0];
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
    let rows: Vec<Vec<f64>> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(|each| each.parse().unwrap()).collect())
        .collect();
    let last = rows.last().unwrap();
    assert_eq!((last[1], last[2] as u64), (1.0, row.response.quantiles.count));
    assert!((last[0] - row.response.quantiles.max.unwrap() as f64 / 1e3).abs() < 1e-9);
    let median = rows.iter().find(|line| line[1] >= 0.5).unwrap();
    assert!((median[0] - row.response.quantiles.p50.unwrap() as f64 / 1e3).abs() < 1e-9, "in milliseconds");
    assert!(
        text.contains("#[Mean    =") && text.contains("#[Buckets =") && text.contains("SubBuckets     =         2048]")
    );
}
