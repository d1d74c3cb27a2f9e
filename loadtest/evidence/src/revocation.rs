//! The `revocation` experiment: how long revoked credentials are still accepted, and whether each
//! server keeps the guarantee of its revocation class.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use contract::RevocationClass;
use engine::record::{
    EventKind, MIN_SAMPLES_ABOVE, PushLink, Record, RevocationEvent, RevocationExperiment, RevocationSeries,
};

use crate::statistics::{CONFIDENCE, Estimate, median, median_value};
use crate::warning::invalid_points;
use crate::{Analyse, EvidenceError, Topic, Violation, Warning};

/// How long revoked credentials are still accepted.
#[derive(Clone, Debug)]
pub struct RevocationTable {
    /// One row per scheme, link and kind of event.
    pub rows: Vec<RevocationRow>,
    /// Violations of the revocation class.
    pub violations: Vec<GuaranteeViolation>,
}

/// The events of one kind with one scheme over one link.
#[derive(Clone, Debug)]
pub struct RevocationRow {
    /// The scheme's id.
    pub scheme: String,
    /// The link between the last node and the store.
    pub link: PushLink,
    /// The event that revoked the credentials.
    pub event: EventKind,
    /// The revocation class of the servers.
    pub class: RevocationClass,
    /// The revocation window of these servers, in seconds.
    pub window_s: u64,
    /// The revocation window of servers without further flags, in seconds.
    pub default_window_s: Option<u64>,
    /// Nodes that were polled.
    pub nodes: u32,
    /// Events that count.
    pub events: usize,
    /// Events that are excluded.
    pub excluded: usize,
    /// When the slowest node rejected; none without events that count.
    pub denied: Option<Denied>,
    /// When the slowest node rejected, for each event that every node rejected after, in
    /// microseconds, ascending.
    pub slowest_us: Vec<u64>,
    /// Requests that were accepted although they were sent after the acknowledgement.
    pub accepted: Accepted,
    /// Events after which a node rejected because it could not query its store.
    pub unavailable: usize,
    /// Store commands per event, by name; none without a store, or if they were not counted.
    pub commands: Option<BTreeMap<String, u64>>,
}

/// From the acknowledgement to the first rejection by the slowest node, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Denied {
    /// The median of the blocks' medians.
    pub p50_us: Estimate,
    /// The 99th percentile of all events.
    pub p99_us: f64,
    /// Whether enough events lie above the 99th percentile.
    pub p99_supported: bool,
    /// The slowest event.
    pub max_us: f64,
    /// The node of that event, from 0.
    pub slowest_node: u32,
    /// Events after which some node had not rejected within the timeout.
    pub never: usize,
}

/// Requests that were accepted although they were sent after the acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Events with such requests.
    pub events: usize,
    /// Requests.
    pub requests: u64,
    /// When the last of them was sent, in microseconds after the acknowledgement.
    pub last_us: u64,
}

/// A node accepted a credential that its class requires it to reject. `Display` gives a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuaranteeViolation {
    /// The scheme's id.
    pub scheme: String,
    /// The link between the last node and the store.
    pub link: PushLink,
    /// The event that revoked the credential.
    pub event: EventKind,
    /// The revocation class of the servers.
    pub class: RevocationClass,
    /// The node, from 0.
    pub node: u32,
    /// Events after which this happened.
    pub events: usize,
    /// All events of this kind.
    pub of: usize,
    /// When the last accepted request was sent, in microseconds after the acknowledgement; of the
    /// worst event.
    pub after_us: u64,
    /// The bound of that event, in microseconds after the acknowledgement.
    pub bound_us: u64,
}

impl fmt::Display for GuaranteeViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, event, class, node, events, of, after_us, bound_us, .. } = self;
        write!(
            f,
            "{scheme} violates its revocation class {class}: after {events} of {of} events ({event}{}) node {} \
             accepted a request that was sent {:.1} ms after the acknowledgement; the limit is {:.1} ms",
            self.link.suffix(),
            node + 1,
            *after_us as f64 / 1e3,
            *bound_us as f64 / 1e3,
        )
    }
}

/// Returns how long after its acknowledgement an event may have no effect, in microseconds.
///
/// This is the guarantee of every server of the class, however the server describes itself.
#[must_use]
pub fn revocation_bound_us(class: RevocationClass, window_s: u64, left_us: Option<u64>) -> u64 {
    let window_us = window_s * 1_000_000;
    match class {
        RevocationClass::Immediate => 0,
        RevocationClass::Propagation => window_us,
        RevocationClass::Ttl | RevocationClass::Expiry => window_us.min(left_us.unwrap_or(window_us)),
    }
}

impl Analyse for RevocationExperiment {
    type Table = RevocationTable;

    fn analyse(&self, record: &Record) -> Result<Option<RevocationTable>, EvidenceError> {
        Ok(Some(RevocationTable::of(record, self)))
    }

    fn warnings(&self, _: &Record, table: Option<&RevocationTable>) -> Vec<Warning> {
        let place = |series: &RevocationSeries| format!("{}{}", series.scheme, series.link.suffix());
        let points = self.series.iter().map(|series| (place(series), &series.validity));
        let violations = table.into_iter().flat_map(|table| &table.violations);
        let violations = violations.map(|violation| {
            Topic::Comparison
                .warning(format!("revocation: {violation}. Do not compare its costs with others of that class."))
        });
        invalid_points(Self::EXPERIMENT, points).into_iter().chain(violations).collect()
    }

    fn violations(table: &RevocationTable) -> Vec<Violation> {
        let violation = |violation: &GuaranteeViolation| Violation {
            experiment: Self::EXPERIMENT,
            scheme: violation.scheme.clone(),
            text: violation.to_string(),
        };
        table.violations.iter().map(violation).collect()
    }
}

impl RevocationTable {
    fn of(record: &Record, experiment: &RevocationExperiment) -> Self {
        let rows = experiment.series.iter().flat_map(|series| {
            let occurred = |kind: &EventKind| series.events.iter().any(|event| event.kind == *kind);
            let kinds = EventKind::ALL.into_iter().filter(occurred);
            kinds.map(|kind| RevocationRow::of(record, experiment, series, kind)).collect::<Vec<_>>()
        });
        Self { rows: rows.collect(), violations: experiment.series.iter().flat_map(guarantee_violations).collect() }
    }
}

impl RevocationRow {
    fn of(record: &Record, experiment: &RevocationExperiment, series: &RevocationSeries, kind: EventKind) -> Self {
        let of_kind: Vec<&RevocationEvent> = series.events.iter().filter(|event| event.kind == kind).collect();
        let counts = |event: &&&RevocationEvent| series.validity.valid && event.faults.is_empty();
        let events: Vec<&RevocationEvent> = of_kind.iter().filter(counts).copied().collect();
        let described = record.schemes.iter().find(|described| described.scheme == series.scheme);
        let store_cost = experiment.prices.iter().find(|cost| cost.scheme == series.scheme && cost.event == kind);
        Self {
            scheme: series.scheme.clone(),
            link: series.link,
            event: kind,
            class: series.class,
            window_s: series.window_s,
            default_window_s: described.and_then(|described| described.revocation_window_s),
            nodes: series.nodes,
            events: events.len(),
            excluded: of_kind.len() - events.len(),
            denied: Denied::of(&events),
            slowest_us: ascending(events.iter().filter_map(|event| Some(slowest(event)?.1))),
            accepted: Accepted::of(&events),
            unavailable: events.iter().filter(|event| event.unavailable > 0).count(),
            commands: store_cost.map(|cost| cost.commands.clone()),
        }
    }
}

impl Denied {
    fn of(events: &[&RevocationEvent]) -> Option<Self> {
        let slowest: Vec<(&RevocationEvent, u32, u64)> =
            events.iter().filter_map(|event| slowest(event).map(|(node, us)| (*event, node, us))).collect();
        let (_, slowest_node, max_us) = slowest.iter().copied().max_by_key(|(_, _, us)| *us)?;
        let blocks: BTreeSet<u32> = slowest.iter().map(|(event, ..)| event.block).collect();
        let of_block = |block: &u32| {
            median_value(slowest.iter().filter(|(event, ..)| event.block == *block).map(|(_, _, us)| *us as f64))
        };
        let medians: Vec<f64> = blocks.iter().filter_map(of_block).collect();
        let sorted = ascending(slowest.iter().map(|(_, _, us)| *us));
        let above = sorted.len() / 100;
        Some(Self {
            p50_us: median(&medians, CONFIDENCE)?,
            p99_us: sorted[sorted.len() - 1 - above] as f64,
            p99_supported: above as f64 >= MIN_SAMPLES_ABOVE,
            max_us: max_us as f64,
            slowest_node,
            never: events.len() - slowest.len(),
        })
    }
}

/// Returns the node that rejected last, and when; none if one never rejected.
fn slowest(event: &RevocationEvent) -> Option<(u32, u64)> {
    let denied: Vec<u64> = event.denied_us.iter().copied().collect::<Option<_>>()?;
    (0..).zip(denied).max_by_key(|(_, us)| *us)
}

fn ascending(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

impl Accepted {
    fn of(events: &[&RevocationEvent]) -> Self {
        let all = || events.iter().flat_map(|event| &event.accepted);
        Self {
            events: events.iter().filter(|event| !event.accepted.is_empty()).count(),
            requests: all().map(|accepted| u64::from(accepted.count)).sum(),
            last_us: all().map(|accepted| accepted.last_us).max().unwrap_or(0),
        }
    }
}

/// Returns the violations of the class of a series.
///
/// Excluded events count too: an acceptance is a fact even if the rejection was not observed.
fn guarantee_violations(series: &RevocationSeries) -> Vec<GuaranteeViolation> {
    let mut found: BTreeMap<(EventKind, u32), GuaranteeViolation> = BTreeMap::new();
    for event in &series.events {
        let bound_us = revocation_bound_us(series.class, series.window_s, event.left_us);
        // An immediate revocation allows no acceptance, however soon the request was sent.
        let violates = |last_us: u64| series.class == RevocationClass::Immediate || last_us > bound_us;
        for accepted in event.accepted.iter().filter(|accepted| violates(accepted.last_us)) {
            let one = found.entry((event.kind, accepted.node)).or_insert_with(|| GuaranteeViolation {
                scheme: series.scheme.clone(),
                link: series.link,
                event: event.kind,
                class: series.class,
                node: accepted.node,
                events: 0,
                of: series.events.iter().filter(|other| other.kind == event.kind).count(),
                after_us: accepted.last_us,
                bound_us,
            });
            one.events += 1;
            if accepted.last_us.saturating_sub(bound_us) > one.after_us.saturating_sub(one.bound_us) {
                (one.after_us, one.bound_us) = (accepted.last_us, bound_us);
            }
        }
    }
    found.into_values().collect()
}
