//! The interval log.

use std::time::{Duration, SystemTime};

use engine::record::{EncodedHistogram, Interval, Record, Round};
use evidence::Group;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};

type Of = fn(&Interval) -> &EncodedHistogram;

const TAGS: [(&str, Of); 3] = [
    ("response", |interval| &interval.response_us),
    ("service", |interval| &interval.service_us),
    ("lag", |interval| &interval.lag_us),
];

/// The log of the intervals that count, or of those that do not. None if there are none.
pub(super) fn of(record: &Record, experiment: &str, what: &str, group: &Group<'_>, counts: bool) -> Option<Vec<u8>> {
    let chosen: Vec<(&Round, &Interval)> = group
        .intervals()
        .filter(|(_, _, counted)| *counted == counts)
        .map(|(round, interval, _)| (round, interval))
        .collect();
    let base = SystemTime::UNIX_EPOCH + since_epoch(&record.run.started_at);
    let mut out = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&one_line(&format!(
            "[authbench {} run {}: {experiment}, {what}]",
            record.run.version, record.run.id
        )))
        .add_comment(scope(counts))
        .add_comment("[Values are microseconds, so is Interval_Max. Tags: response, service, lag.]")
        .add_comment("[Histogram log format version 1.3]")
        .with_base_time(base)
        .with_start_time(base)
        .begin_log_with(&mut out, &mut serializer)
        .expect("memory takes every byte");
    log.write_comment("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"")
        .expect("memory takes every byte");
    for (round, interval) in &chosen {
        write(&mut log, started(record, round), interval);
    }
    (!chosen.is_empty()).then_some(out)
}

const fn scope(counts: bool) -> &'static str {
    if counts {
        "[Holds exactly the intervals inside the windows of valid rounds: merged by tag they give the percentiles of the report]"
    } else {
        "[Holds what the report leaves out: warm-up, and every interval of invalid rounds]"
    }
}

/// A comment must stay one.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn write(log: &mut IntervalLogWriter<'_, '_, Vec<u8>, V2DeflateSerializer>, started: Duration, interval: &Interval) {
    let at = started + seconds(interval.start_s);
    for (tag, of) in TAGS {
        let histogram = of(interval).decode().expect("the evidence has read it before");
        log.write_histogram(&histogram, at, seconds(interval.length_s), Tag::new(tag))
            .expect("memory takes every byte");
    }
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

/// When the round began, from the run's beginning.
fn started(record: &Record, round: &Round) -> Duration {
    since_epoch(&round.started_at).saturating_sub(since_epoch(&record.run.started_at))
}

/// A time that is not RFC 3339 counts as the epoch: it moves the log's time axis, not its values.
fn since_epoch(time: &str) -> Duration {
    let parsed = time.parse::<jiff::Timestamp>().unwrap_or_default();
    Duration::try_from(parsed.duration_since(jiff::Timestamp::UNIX_EPOCH)).unwrap_or_default()
}
