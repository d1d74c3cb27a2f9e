//! The `rtt` experiment: the effect of the store round-trip time, and up to which value querying a
//! store is faster than verifying a signature.

use std::collections::{BTreeMap, BTreeSet};

use engine::record::{Record, Round, RoundAt, RttExperiment, StoreDistance};

use crate::cost::{has_store, is_control};
use crate::group::{Group, groups, without_factor};
use crate::latency::LatencyTable;
use crate::level::Factor;
use crate::statistics::{CONFIDENCE, Estimate, Interval, bootstrap, least_squares, median_value};
use crate::{Analyse, EvidenceError, LatencyRow, OverControl, Warning, warnings};

/// The effect of the store round-trip time, by scheme.
#[derive(Clone, Debug)]
pub struct RttTable {
    /// Response times, by scheme and store round-trip time.
    pub latency: LatencyTable,
    /// One row per scheme.
    pub rows: Vec<RttRow>,
    /// Every scheme that queries a store, compared with every scheme that does not.
    pub crossovers: Vec<Crossover>,
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
    pub round_trips: Option<RoundTrips>,
}

/// One round-trip time to the store.
#[derive(Clone, Debug)]
pub struct Distance {
    /// As configured, in microseconds.
    pub rtt_us: u32,
    /// As measured, in microseconds: the median of the rounds; none without a proxy.
    pub measured_rtt_us: Option<f64>,
    /// Response times at the experiment's rate.
    pub response: Option<LatencyRow>,
    /// CPU time over the control, per saturated request.
    pub cost: Option<OverControl>,
}

/// Round trips a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundTrips {
    /// How many.
    pub value: f64,
    /// The bootstrap interval over blocks; none for too few blocks.
    pub interval: Option<Interval>,
}

/// The round-trip time at which querying a store is as fast as checking without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossover {
    /// The scheme that queries a store.
    pub querying: String,
    /// The scheme that does not.
    pub storeless: String,
    /// The round-trip time.
    pub at: CrossoverRtt,
}

/// Where two medians are equal, as a store round-trip time in microseconds.
///
/// Below it, the scheme that queries is faster. 0 if the other scheme is faster even with a local
/// store, infinite if the scheme that queries is faster at any round-trip time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossoverRtt {
    /// The estimate.
    pub rtt_us: f64,
    /// The bootstrap interval over blocks; none for too few blocks.
    pub interval: Option<Interval>,
}

/// Fewer round trips than this count as none: the value is noise.
const MIN_ROUND_TRIPS: f64 = 0.05;

/// The figures of one block: configured round-trip time to measured round-trip time and median, in
/// microseconds.
type Medians = BTreeMap<u32, (f64, f64)>;

/// The rounds of one scheme at one store round-trip time under one load.
type RttGroup<'record> = Group<'record, RoundAt<StoreDistance>>;

impl Factor for StoreDistance {
    fn description(&self) -> String {
        format!("with a store round trip of {} ms", f64::from(self.rtt_us) / 1e3)
    }

    fn slug(&self) -> String {
        format!("{}-us", self.rtt_us)
    }

    fn sort_key(&self) -> f64 {
        f64::from(self.rtt_us)
    }
}

impl Analyse for RttExperiment {
    type Table = RttTable;

    fn analyse(&self, record: &Record) -> Result<Option<RttTable>, EvidenceError> {
        RttTable::of(record, self).map(Some)
    }

    fn warnings(&self, record: &Record, _: Option<&RttTable>) -> Vec<Warning> {
        warnings::for_groups(Self::EXPERIMENT, &self.groups(record))
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        without_factor(&groups(record, &self.rounds))
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
        let crossovers = crossovers(record, &rows, &groups);
        Ok(Self { latency, rows, crossovers })
    }
}

fn is_at_rate(group: &RttGroup<'_>) -> bool {
    !group.level.load.is_saturated()
}

impl RttRow {
    fn of(record: &Record, scheme: &str, groups: &[RttGroup<'_>], latency: &LatencyTable) -> Self {
        let controls: Vec<&Round> = groups.iter().filter(|group| group.is_control()).flat_map(Group::valid).collect();
        let of_scheme = groups.iter().filter(|group| group.scheme == scheme && is_at_rate(group));
        let distance = |group: &RttGroup<'_>| {
            let rtt_us = group.at().rtt_us;
            let row = latency.rows.iter().find(|row| row.scheme == scheme && row.level == group.level);
            let saturated =
                |other: &&RttGroup<'_>| other.scheme == scheme && !is_at_rate(other) && other.at().rtt_us == rtt_us;
            let saturated = groups.iter().find(saturated).filter(|group| !group.is_control());
            Distance {
                rtt_us,
                measured_rtt_us: median_value(group.valid().filter_map(|round| round.store_rtt_us)),
                response: row.cloned(),
                cost: saturated.and_then(|group| OverControl::of(record, group, &controls)),
            }
        };
        Self {
            scheme: scheme.to_owned(),
            distances: of_scheme.map(distance).collect(),
            round_trips: RoundTrips::of(&by_block(scheme, groups)),
        }
    }
}

/// Returns the valid rounds at the experiment's rate, by block.
fn by_block(scheme: &str, groups: &[RttGroup<'_>]) -> BTreeMap<u32, Medians> {
    let of_scheme = groups.iter().filter(|group| group.scheme == scheme && is_at_rate(group));
    let mut blocks: BTreeMap<u32, Medians> = BTreeMap::new();
    for RoundAt { at, round } in of_scheme.flat_map(Group::valid_at) {
        if let Some(p50) = round.response_us.p50 {
            let measured_rtt_us = round.store_rtt_us.unwrap_or(0.0);
            blocks.entry(round.block).or_default().insert(at.rtt_us, (measured_rtt_us, p50 as f64));
        }
    }
    blocks
}

/// Returns the medians over blocks for every round-trip time.
fn over_blocks(blocks: &[&Medians]) -> Medians {
    let distances: BTreeSet<u32> = blocks.iter().flat_map(|medians| medians.keys().copied()).collect();
    let at = |rtt_us: u32, of: fn(&(f64, f64)) -> f64| {
        median_value(blocks.iter().filter_map(|medians| medians.get(&rtt_us)).map(of))
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
fn local_median_and_round_trips(blocks: &[&Medians]) -> Option<(f64, f64)> {
    let medians = over_blocks(blocks);
    let (_, local_us) = *medians.get(&0)?;
    let far: Vec<(f64, f64)> = medians.into_iter().filter(|(rtt_us, _)| *rtt_us > 0).map(|(_, point)| point).collect();
    Some((local_us, least_squares(&far, CONFIDENCE)?.slope.value))
}

impl RoundTrips {
    fn of(blocks: &BTreeMap<u32, Medians>) -> Option<Self> {
        let blocks: Vec<Medians> = blocks.values().cloned().collect();
        let round_trips = |blocks: &[&Medians]| local_median_and_round_trips(blocks).map(|(_, value)| [value]);
        let [Estimate { value, interval, .. }] = bootstrap(&blocks, CONFIDENCE, round_trips)?;
        Some(Self { value, interval })
    }
}

fn crossovers(record: &Record, rows: &[RttRow], groups: &[RttGroup<'_>]) -> Vec<Crossover> {
    let (querying_rows, storeless_rows): (Vec<&RttRow>, Vec<&RttRow>) =
        rows.iter().filter(|row| !is_control(&row.scheme)).partition(|row| has_store(record, &row.scheme));
    let pairs = querying_rows
        .iter()
        .filter(|row| row.distances.len() > 1)
        .flat_map(|querying| storeless_rows.iter().map(move |storeless| (querying, storeless)));
    pairs
        .filter_map(|(querying, storeless)| {
            let at = crossover(&by_block(&querying.scheme, groups), &by_block(&storeless.scheme, groups))?;
            Some(Crossover { querying: querying.scheme.clone(), storeless: storeless.scheme.clone(), at })
        })
        .collect()
}

/// What one block saw of both.
struct Both<'blocks> {
    querying: Option<&'blocks Medians>,
    storeless_us: Option<f64>,
}

fn crossover(querying: &BTreeMap<u32, Medians>, storeless: &BTreeMap<u32, Medians>) -> Option<CrossoverRtt> {
    let blocks: BTreeSet<&u32> = querying.keys().chain(storeless.keys()).collect();
    let both = |block: &u32| Both {
        querying: querying.get(block),
        storeless_us: storeless.get(block).and_then(|medians| medians.get(&0)).map(|point| point.1),
    };
    let blocks: Vec<Both<'_>> = blocks.into_iter().map(both).collect();
    let crossover_of = |blocks: &[&Both<'_>]| {
        let (local_us, round_trips) =
            local_median_and_round_trips(&blocks.iter().filter_map(|both| both.querying).collect::<Vec<_>>())?;
        Some(crossover_rtt_us(local_us, round_trips, median_value(blocks.iter().filter_map(|both| both.storeless_us))?))
    };
    let [Estimate { value: rtt_us, interval, .. }] =
        bootstrap(&blocks, CONFIDENCE, |blocks| Some([crossover_of(blocks)?]))?;
    Some(CrossoverRtt { rtt_us, interval })
}

/// Returns the round-trip time at which both schemes are equally fast.
///
/// `local_us` is the median with a local store, `storeless_us` the median of the scheme that
/// queries no store. 0 if querying is always slower, infinite if it waits for no round trip.
fn crossover_rtt_us(local_us: f64, round_trips: f64, storeless_us: f64) -> f64 {
    if local_us >= storeless_us {
        0.0
    } else if round_trips < MIN_ROUND_TRIPS {
        f64::INFINITY
    } else {
        (storeless_us - local_us) / round_trips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossover_is_the_difference_divided_by_the_round_trips() {
        assert!((crossover_rtt_us(160.0, 1.0, 185.0) - 25.0).abs() < 1e-9);
        assert!((crossover_rtt_us(160.0, 2.0, 185.0) - 12.5).abs() < 1e-9);
        assert!(crossover_rtt_us(160.0, 1.0, 120.0).abs() < 1e-9);
        assert!(crossover_rtt_us(140.0, 0.001, 185.0).is_infinite(), "a cached result waits for no round trip");
    }
}
