//! The interval log.

use std::fmt::Write as _;
use std::time::Duration;

use engine::Experiment;
use engine::record::{EncodedHistogram, HistogramError, Interval, Record, Round};
use evidence::{EvidenceError, Group};

use crate::printable::on_one_line;

type Of = fn(&Interval) -> &EncodedHistogram;

const TAGS: [(&str, Of); 3] = [
    ("response", |interval| &interval.response_us),
    ("service", |interval| &interval.service_us),
    ("lag", |interval| &interval.lag_us),
];

/// Returns the log of the intervals that count, or of those that are excluded. None if there are
/// none.
pub(super) fn of(
    record: &Record,
    experiment: Experiment,
    what: &str,
    group: &Group<'_>,
    counts: bool,
) -> Result<Option<String>, EvidenceError> {
    let chosen: Vec<(&Round, &Interval)> = group
        .intervals()
        .filter(|(_, _, counted)| *counted == counts)
        .map(|(round, interval, _)| (round, interval))
        .collect();
    if chosen.is_empty() {
        return Ok(None);
    }
    let epoch_s = since_epoch(&record.run.started_at).as_secs_f64();
    let mut out = format!(
        "#{}\n#{}\n\
         #[Values are microseconds, so is Interval_Max. Tags: response, service, lag.]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {epoch_s:.3} (seconds since epoch)]\n\
         #[BaseTime: {epoch_s:.3} (seconds since epoch)]\n\
         #\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        on_one_line(&format!("[authbench {} run {}: {experiment}, {what}]", record.run.version, record.run.id)),
        scope(counts)
    );
    for (round, interval) in chosen {
        write(&mut out, started(record, round), interval)
            .map_err(|source| EvidenceError::new(experiment, round, source.into()))?;
    }
    Ok(Some(out))
}

const fn scope(counts: bool) -> &'static str {
    if counts {
        "[Contains exactly the intervals inside the windows of valid rounds: merged by tag, they give the \
         percentiles of the report]"
    } else {
        "[Contains what the report excludes: warm-up, and every interval of invalid rounds]"
    }
}

/// Writes one line per tag.
///
/// The record encodes a histogram as the log does, so it is decoded only for its maximum.
fn write(out: &mut String, started: Duration, interval: &Interval) -> Result<(), HistogramError> {
    let at_s = (started + seconds(interval.start_s)).as_secs_f64();
    let length_s = seconds(interval.length_s).as_secs_f64();
    for (tag, of) in TAGS {
        let histogram = of(interval);
        let max_us = histogram.decode()?.max() as f64;
        let _ = writeln!(out, "Tag={tag},{at_s:.3},{length_s:.3},{max_us:.3},{}", histogram.as_base64());
    }
    Ok(())
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

/// Returns the start of the round, relative to the start of the run.
fn started(record: &Record, round: &Round) -> Duration {
    since_epoch(&round.started_at).saturating_sub(since_epoch(&record.run.started_at))
}

/// Parses a time; one that is not RFC 3339 counts as the epoch.
///
/// This shifts the log's time axis, not its values.
fn since_epoch(time: &str) -> Duration {
    let parsed = time.parse::<jiff::Timestamp>().unwrap_or_default();
    Duration::try_from(parsed.duration_since(jiff::Timestamp::UNIX_EPOCH)).unwrap_or_default()
}
