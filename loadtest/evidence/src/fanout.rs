//! The `fanout` experiment: what each additional server on the path of a request adds.

use std::collections::{BTreeMap, BTreeSet};

use engine::record::{FanoutExperiment, Hops, Record, RoundAt};

use crate::cost::{has_store, is_control};
use crate::group::{Group, groups, without_factor};
use crate::latency::LatencyTable;
use crate::level::Factor;
use crate::statistics::{CONFIDENCE, Estimate, Interval, bootstrap, least_squares, median_value};
use crate::{Analyse, EvidenceError, LatencyRow, Warning, warnings};

/// What each hop adds, by scheme.
#[derive(Clone, Debug)]
pub struct FanoutTable {
    /// Response times, by scheme and number of hops.
    pub latency: LatencyTable,
    /// One row per scheme.
    pub rows: Vec<FanoutRow>,
}

/// One scheme by number of hops.
#[derive(Clone, Debug)]
pub struct FanoutRow {
    /// The scheme's id.
    pub scheme: String,
    /// From few to many.
    pub by_hops: Vec<HopFigures>,
    /// What a hop adds to the median response time, in microseconds.
    pub response_slope_us: Option<HopSlope>,
    /// What a hop adds to the CPU time of servers and store, in microseconds.
    pub cpu_slope_us: Option<HopSlope>,
    /// The same, minus what a hop adds to the control: the cost of authentication per hop. None for
    /// the control, and without it.
    pub cpu_slope_over_control_us: Option<HopSlope>,
    /// Results with network latency between servers and store; none if this was not measured.
    pub delayed: Option<DelayedLinks>,
}

/// Results with network latency between the servers, and between servers and store.
#[derive(Clone, Debug)]
pub struct DelayedLinks {
    /// Round-trip time of every link as configured, in microseconds.
    pub link_rtt_us: u32,
    /// Round-trip time as measured between the servers, in microseconds: the median of the rounds.
    pub measured_rtt_us: Option<f64>,
    /// Round trips over such links that each hop adds to those which a request waits for.
    ///
    /// The rise of the median per hop beyond that with local servers, divided by the same figure of
    /// the control, which waits for one round trip. None for the control, and without it.
    pub round_trips: Option<HopSlope>,
}

/// The figures for one number of hops.
#[derive(Clone, Debug)]
pub struct HopFigures {
    /// Servers behind the first one.
    pub hops: u32,
    /// Response times at the experiment's rate.
    pub response: Option<LatencyRow>,
    /// Response times with network latency between servers and store.
    pub delayed: Option<LatencyRow>,
    /// CPU time of servers and store per request, in microseconds, in saturated rounds: the median
    /// of the blocks.
    pub cpu_us: Option<f64>,
}

/// The rise of a figure per hop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HopSlope {
    /// The estimate: the slope of the line through the medians of the blocks.
    pub value: f64,
    /// The bootstrap interval over blocks; none for too few blocks.
    pub interval: Option<Interval>,
}

/// The figures of one block: one for every number of hops.
type FiguresByHops = BTreeMap<u32, f64>;
/// By block.
type FiguresByBlock = BTreeMap<u32, FiguresByHops>;

/// A round with one number of hops.
type HopRound = RoundAt<Hops>;

impl Factor for Hops {
    fn description(&self) -> String {
        let hops = if self.hops == 1 { "hop" } else { "hops" };
        let link =
            if self.link_rtt_us > 0 { format!(" of {} ms", f64::from(self.link_rtt_us) / 1e3) } else { String::new() };
        format!("over {} {hops}{link}", self.hops)
    }

    fn slug(&self) -> String {
        match self.link_rtt_us {
            0 => format!("{}-hops", self.hops),
            us => format!("{}-hops-{us}-us", self.hops),
        }
    }

    /// Orders by link first: no path has a thousand hops.
    fn sort_key(&self) -> f64 {
        f64::from(self.link_rtt_us) * 1e3 + f64::from(self.hops)
    }
}

impl Analyse for FanoutExperiment {
    type Table = FanoutTable;

    fn analyse(&self, record: &Record) -> Result<Option<FanoutTable>, EvidenceError> {
        FanoutTable::of(record, self).map(Some)
    }

    fn warnings(&self, record: &Record, _: Option<&FanoutTable>) -> Vec<Warning> {
        warnings::for_groups(Self::EXPERIMENT, &self.groups(record))
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        without_factor(&groups(record, &self.rounds))
    }
}

impl FanoutTable {
    fn of(record: &Record, fanout: &FanoutExperiment) -> Result<Self, EvidenceError> {
        let groups = groups(record, &fanout.rounds);
        let latency = LatencyTable::of(FanoutExperiment::EXPERIMENT, &groups)?;
        let mut schemes: Vec<&str> = Vec::new();
        for group in &groups {
            if !schemes.contains(&group.scheme) {
                schemes.push(group.scheme);
            }
        }
        let control = schemes.iter().copied().find(|scheme| is_control(scheme));
        let row = |scheme: &&str| FanoutRow::of(record, scheme, &groups, &latency, control);
        let rows = schemes.iter().map(row).collect();
        Ok(Self { latency, rows })
    }
}

/// Returns whether this is a round at the experiment's rate with local servers and store.
fn is_local(each: &HopRound) -> bool {
    !each.round.load.is_saturated() && each.at.link_rtt_us == 0
}

/// Returns the CPU time of servers and store per request in a saturated round; none if a store was
/// not observed.
fn cpu_us(record: &Record, HopRound { round, .. }: &HopRound) -> Option<f64> {
    let usage = round.usage.as_ref().filter(|usage| usage.requests > 0 && round.load.is_saturated())?;
    let store_ns = if has_store(record, &round.scheme) { usage.store_cpu_ns? } else { 0 };
    Some((usage.server_cpu_ns + store_ns) as f64 / 1e3 / usage.requests as f64)
}

fn local_median_us(each: &HopRound) -> Option<f64> {
    each.round.response_us.p50.filter(|_| is_local(each)).map(|us| us as f64)
}

fn delayed_median_us(each: &HopRound) -> Option<f64> {
    each.round.response_us.p50.filter(|_| each.at.link_rtt_us > 0).map(|us| us as f64)
}

/// Returns the figures of a scheme's valid rounds, by block and hops.
fn by_block(groups: &[Group<'_, HopRound>], scheme: &str, of: impl Fn(&HopRound) -> Option<f64>) -> FiguresByBlock {
    let mut blocks = FiguresByBlock::new();
    for each in groups.iter().filter(|group| group.scheme == scheme).flat_map(Group::valid_at) {
        if let Some(figure) = of(each) {
            blocks.entry(each.round.block).or_default().insert(each.at.hops, figure);
        }
    }
    blocks
}

/// Returns the medians over blocks for every number of hops.
fn over_blocks(blocks: &[&FiguresByHops]) -> FiguresByHops {
    let hops: BTreeSet<u32> = blocks.iter().flat_map(|figures| figures.keys().copied()).collect();
    let at = |hops: u32| median_value(blocks.iter().filter_map(|figures| figures.get(&hops).copied()));
    hops.into_iter().filter_map(|hops| Some((hops, at(hops)?))).collect()
}

fn slope_per_hop(blocks: &[&FiguresByHops]) -> Option<f64> {
    let points: Vec<(f64, f64)> =
        over_blocks(blocks).into_iter().map(|(hops, figure)| (f64::from(hops), figure)).collect();
    Some(least_squares(&points, CONFIDENCE)?.slope.value)
}

impl FanoutRow {
    fn of(
        record: &Record,
        scheme: &str,
        groups: &[Group<'_, HopRound>],
        latency: &LatencyTable,
        control: Option<&str>,
    ) -> Self {
        let cpu_of = |scheme: &str| by_block(groups, scheme, |each| cpu_us(record, each));
        let cpu = cpu_of(scheme);
        let cpu_at = over_blocks(&cpu.values().collect::<Vec<_>>());
        let of_scheme = || groups.iter().filter(|group| group.scheme == scheme);
        let hops: BTreeSet<u32> = of_scheme().map(|group| group.at().hops).collect();
        let row = |hops: u32, wanted: fn(&HopRound) -> bool| {
            let group = of_scheme().find(|group| group.at().hops == hops && wanted(group.rounds[0]))?;
            latency.rows.iter().find(|row| row.scheme == scheme && row.level == group.level).cloned()
        };
        let figures = |hops: u32| HopFigures {
            hops,
            response: row(hops, is_local),
            delayed: row(hops, |each| each.at.link_rtt_us > 0),
            cpu_us: cpu_at.get(&hops).copied(),
        };
        let over_control = control.filter(|_| !is_control(scheme));
        Self {
            scheme: scheme.to_owned(),
            by_hops: hops.into_iter().map(figures).collect(),
            response_slope_us: HopSlope::of(&by_block(groups, scheme, local_median_us)),
            cpu_slope_us: HopSlope::of(&cpu),
            cpu_slope_over_control_us: over_control
                .and_then(|control| HopSlope::of(&differences(&cpu, &cpu_of(control)))),
            delayed: DelayedLinks::of(scheme, groups, control),
        }
    }
}

impl DelayedLinks {
    fn of(scheme: &str, groups: &[Group<'_, HopRound>], control: Option<&str>) -> Option<Self> {
        let of_scheme = || groups.iter().filter(|group| group.scheme == scheme);
        let rounds = of_scheme().flat_map(Group::valid);
        let control = control.filter(|_| !is_control(scheme));
        Some(Self {
            link_rtt_us: of_scheme().map(|group| group.at().link_rtt_us).find(|us| *us > 0)?,
            measured_rtt_us: median_value(rounds.filter_map(|round| round.hop_rtt_us)),
            round_trips: control.and_then(|control| {
                round_trips_per_hop(&latency_increase(groups, scheme), &latency_increase(groups, control))
            }),
        })
    }
}

/// Returns the increase of a scheme's median caused by network latency, in microseconds.
fn latency_increase(groups: &[Group<'_, HopRound>], scheme: &str) -> FiguresByBlock {
    differences(&by_block(groups, scheme, delayed_median_us), &by_block(groups, scheme, local_median_us))
}

/// Returns the number of links that a request waits for per hop.
///
/// The unit is the control, which waits for one link, so the overhead of the proxy cancels out.
fn round_trips_per_hop(scheme: &FiguresByBlock, control: &FiguresByBlock) -> Option<HopSlope> {
    let both = |(block, figures): (&u32, &FiguresByHops)| Some((figures.clone(), control.get(block)?.clone()));
    let blocks: Vec<(FiguresByHops, FiguresByHops)> = scheme.iter().filter_map(both).collect();
    let ratio = |blocks: &[&(FiguresByHops, FiguresByHops)]| {
        let figures: Vec<&FiguresByHops> = blocks.iter().map(|(figures, _)| figures).collect();
        let controls: Vec<&FiguresByHops> = blocks.iter().map(|(_, control)| control).collect();
        Some(slope_per_hop(&figures)? / slope_per_hop(&controls).filter(|us| *us > 0.0)?)
    };
    let [Estimate { value, interval, .. }] = bootstrap(&blocks, CONFIDENCE, |blocks| Some([ratio(blocks)?]))?;
    Some(HopSlope { value, interval })
}

/// Returns the differences in each block that has both figures.
fn differences(one: &FiguresByBlock, other: &FiguresByBlock) -> FiguresByBlock {
    let of_block = |(block, figures): (&u32, &FiguresByHops)| {
        let other_figures = other.get(block)?;
        let over = figures.iter().filter_map(|(hops, figure)| Some((*hops, figure - other_figures.get(hops)?)));
        Some((*block, over.collect()))
    };
    one.iter().filter_map(of_block).collect()
}

impl HopSlope {
    fn of(blocks: &FiguresByBlock) -> Option<Self> {
        let blocks: Vec<FiguresByHops> = blocks.values().cloned().collect();
        let [Estimate { value, interval, .. }] =
            bootstrap(&blocks, CONFIDENCE, |blocks| Some([slope_per_hop(blocks)?]))?;
        Some(Self { value, interval })
    }
}
