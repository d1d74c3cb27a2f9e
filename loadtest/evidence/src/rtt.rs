//! The `rtt` experiment: the effect of the store round-trip time, and up to which value querying a
//! store is faster than verifying a signature.

use std::collections::{BTreeMap, BTreeSet};

use engine::record::{Record, Round, RoundAt, RttExperiment, StoreDistance};

use crate::cost::{has_store, is_control};
use crate::group::{Group, groups, plain};
use crate::latency::LatencyTable;
use crate::level::Factor;
use crate::statistics::{CONFIDENCE, Estimate, Interval, bootstrap, least_squares, middle_of};
use crate::{Analyse, EvidenceError, LatencyRow, OverControl, Warning, warnings};

/// The effect of the store round-trip time, by scheme.
#[derive(Clone, Debug)]
pub struct RttTable {
    /// Response times, by scheme and store round-trip time.
    pub latency: LatencyTable,
    /// One row per scheme.
    pub rows: Vec<RttRow>,
    /// Every scheme that queries a store, compared with every scheme that does not.
    pub crossings: Vec<Crossing>,
}

/// One scheme by store round-trip time.
#[derive(Clone, Debug)]
pub struct RttRow {
    /// The scheme's id.
    pub scheme: String,
    /// From low to high; one for a scheme without a store.
    pub distances: Vec<Distance>,
    /// Round trips to the store that a request waits for: the rise of its median per round trip.
    /// None if only a local store was measured.
    pub trips: Option<Trips>,
}

/// One round-trip time to the store.
#[derive(Clone, Debug)]
pub struct Distance {
    /// As configured, in microseconds.
    pub rtt_us: u32,
    /// As measured, in microseconds: the median of the rounds; none without a proxy.
    pub given_us: Option<f64>,
    /// Response times at the experiment's rate.
    pub response: Option<LatencyRow>,
    /// CPU time over the control, per saturated request.
    pub cost: Option<OverControl>,
}

/// Round trips a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trips {
    /// How many.
    pub value: f64,
    /// The bootstrap interval over blocks; none for too few blocks.
    pub interval: Option<Interval>,
}

/// The round-trip time at which querying a store is as fast as checking without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossing {
    /// The scheme that queries a store.
    pub asks: String,
    /// The scheme that does not.
    pub checks: String,
    /// The round-trip time.
    pub at: CrossingAt,
}

/// Where two medians are equal, as a store round-trip time in microseconds.
///
/// Below it, the scheme that queries is faster. 0 if the other scheme is faster even with a local
/// store, infinite if the scheme that queries is faster at any round-trip time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossingAt {
    /// The estimate.
    pub rtt_us: f64,
    /// The bootstrap interval over blocks; none for too few blocks.
    pub interval: Option<Interval>,
}

/// Fewer round trips than this count as none: the value is noise.
const FEWEST_TRIPS: f64 = 0.05;

/// The figures of one block: configured round-trip time to measured round-trip time and median, in
/// microseconds.
type Medians = BTreeMap<u32, (f64, f64)>;

/// The rounds of one scheme at one store round-trip time under one load.
type RttGroup<'record> = Group<'record, RoundAt<StoreDistance>>;

impl Factor for StoreDistance {
    fn words(&self) -> String {
        format!("with a store round trip of {} ms", f64::from(self.rtt_us) / 1e3)
    }

    fn slug(&self) -> String {
        format!("{}-us", self.rtt_us)
    }

    fn height(&self) -> f64 {
        f64::from(self.rtt_us)
    }
}

impl Analyse for RttExperiment {
    type Table = RttTable;

    fn analyse(&self, record: &Record) -> Result<Option<RttTable>, EvidenceError> {
        RttTable::of(record, self).map(Some)
    }

    fn warnings(&self, record: &Record, _: Option<&RttTable>) -> Vec<Warning> {
        warnings::of_groups(Self::EXPERIMENT, &self.groups(record))
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        plain(&groups(record, &self.rounds))
    }
}

impl RttTable {
    fn of(record: &Record, rtt: &RttExperiment) -> Result<Self, EvidenceError> {
        let groups = groups(record, &rtt.rounds);
        let latency = LatencyTable::of(RttExperiment::EXPERIMENT, &groups)?;
        let mut rows: Vec<RttRow> = Vec::new();
        for group in groups.iter().filter(|group| is_at_rate(group)) {
            if rows.last().is_none_or(|row| row.scheme != group.scheme) {
                rows.push(RttRow::of(record, group.scheme, &groups, &latency));
            }
        }
        let crossings = crossings(record, &rows, &groups);
        Ok(Self { latency, rows, crossings })
    }
}

fn is_at_rate(group: &RttGroup<'_>) -> bool {
    !group.level.load.is_saturated()
}

impl RttRow {
    fn of(record: &Record, scheme: &str, groups: &[RttGroup<'_>], latency: &LatencyTable) -> Self {
        let controls: Vec<&Round> = groups.iter().filter(|group| group.is_control()).flat_map(Group::valid).collect();
        let own = groups.iter().filter(|group| group.scheme == scheme && is_at_rate(group));
        let distance = |group: &RttGroup<'_>| {
            let rtt_us = group.at().rtt_us;
            let row = latency.rows.iter().find(|row| row.scheme == scheme && row.level == group.level);
            let saturated =
                |other: &&RttGroup<'_>| other.scheme == scheme && !is_at_rate(other) && other.at().rtt_us == rtt_us;
            let saturated = groups.iter().find(saturated).filter(|group| !group.is_control());
            Distance {
                rtt_us,
                given_us: middle_of(group.valid().filter_map(|round| round.store_rtt_us)),
                response: row.cloned(),
                cost: saturated.and_then(|group| OverControl::of(record, group, &controls)),
            }
        };
        Self {
            scheme: scheme.to_owned(),
            distances: own.map(distance).collect(),
            trips: Trips::of(&by_block(scheme, groups)),
        }
    }
}

/// Returns the valid rounds at the experiment's rate, by block.
fn by_block(scheme: &str, groups: &[RttGroup<'_>]) -> BTreeMap<u32, Medians> {
    let own = groups.iter().filter(|group| group.scheme == scheme && is_at_rate(group));
    let mut blocks: BTreeMap<u32, Medians> = BTreeMap::new();
    for RoundAt { at, round } in own.flat_map(Group::valid_at) {
        if let Some(p50) = round.response_us.p50 {
            let given_us = round.store_rtt_us.unwrap_or(0.0);
            blocks.entry(round.block).or_default().insert(at.rtt_us, (given_us, p50 as f64));
        }
    }
    blocks
}

/// Returns the medians over blocks for every round-trip time.
fn over_blocks(blocks: &[&Medians]) -> Medians {
    let distances: BTreeSet<u32> = blocks.iter().flat_map(|medians| medians.keys().copied()).collect();
    let at = |rtt_us: u32, of: fn(&(f64, f64)) -> f64| {
        middle_of(blocks.iter().filter_map(|medians| medians.get(&rtt_us)).map(of))
    };
    let distances = distances.into_iter();
    distances
        .filter_map(|rtt_us| Some((rtt_us, (at(rtt_us, |point| point.0)?, at(rtt_us, |point| point.1)?))))
        .collect()
}

/// Returns the median with a local store, in microseconds, and the round trips that a request waits
/// for.
///
/// The slope covers only rounds with the proxy, because the proxy itself adds some time.
fn near_and_trips(blocks: &[&Medians]) -> Option<(f64, f64)> {
    let medians = over_blocks(blocks);
    let (_, near_us) = *medians.get(&0)?;
    let far: Vec<(f64, f64)> = medians.into_iter().filter(|(rtt_us, _)| *rtt_us > 0).map(|(_, point)| point).collect();
    Some((near_us, least_squares(&far, CONFIDENCE)?.slope.value))
}

impl Trips {
    fn of(blocks: &BTreeMap<u32, Medians>) -> Option<Self> {
        let blocks: Vec<Medians> = blocks.values().cloned().collect();
        let trips = |blocks: &[&Medians]| near_and_trips(blocks).map(|(_, trips)| [trips]);
        let [Estimate { value, interval, .. }] = bootstrap(&blocks, CONFIDENCE, trips)?;
        Some(Self { value, interval })
    }
}

fn crossings(record: &Record, rows: &[RttRow], groups: &[RttGroup<'_>]) -> Vec<Crossing> {
    let (asking, checking): (Vec<&RttRow>, Vec<&RttRow>) =
        rows.iter().filter(|row| !is_control(&row.scheme)).partition(|row| has_store(record, &row.scheme));
    let pairs = asking
        .iter()
        .filter(|row| row.distances.len() > 1)
        .flat_map(|asks| checking.iter().map(move |checks| (asks, checks)));
    pairs
        .filter_map(|(asks, checks)| {
            let at = crossing(&by_block(&asks.scheme, groups), &by_block(&checks.scheme, groups))?;
            Some(Crossing { asks: asks.scheme.clone(), checks: checks.scheme.clone(), at })
        })
        .collect()
}

/// What one block saw of both.
struct Both<'blocks> {
    asks: Option<&'blocks Medians>,
    checks_us: Option<f64>,
}

fn crossing(asks: &BTreeMap<u32, Medians>, checks: &BTreeMap<u32, Medians>) -> Option<CrossingAt> {
    let blocks: BTreeSet<&u32> = asks.keys().chain(checks.keys()).collect();
    let both = |block: &u32| Both {
        asks: asks.get(block),
        checks_us: checks.get(block).and_then(|medians| medians.get(&0)).map(|point| point.1),
    };
    let blocks: Vec<Both<'_>> = blocks.into_iter().map(both).collect();
    let met = |blocks: &[&Both<'_>]| {
        let (near_us, trips) = near_and_trips(&blocks.iter().filter_map(|both| both.asks).collect::<Vec<_>>())?;
        Some(meets(near_us, trips, middle_of(blocks.iter().filter_map(|both| both.checks_us))?))
    };
    let [Estimate { value: rtt_us, interval, .. }] = bootstrap(&blocks, CONFIDENCE, |blocks| Some([met(blocks)?]))?;
    Some(CrossingAt { rtt_us, interval })
}

/// Returns the round-trip time at which both schemes are equally fast.
///
/// `near_us` is the median with a local store, `checks_us` the median of the scheme that queries no
/// store. 0 if querying is always slower, infinite if it waits for no round trip.
fn meets(near_us: f64, trips: f64, checks_us: f64) -> f64 {
    if near_us >= checks_us {
        0.0
    } else if trips < FEWEST_TRIPS {
        f64::INFINITY
    } else {
        (checks_us - near_us) / trips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossing_is_the_difference_divided_by_the_round_trips() {
        assert!((meets(160.0, 1.0, 185.0) - 25.0).abs() < 1e-9);
        assert!((meets(160.0, 2.0, 185.0) - 12.5).abs() < 1e-9);
        assert!(meets(160.0, 1.0, 120.0).abs() < 1e-9);
        assert!(meets(140.0, 0.001, 185.0).is_infinite(), "a cached result waits for no round trip");
    }
}
