//! The `population` experiment: the effect of a growing number of live credentials.

use std::collections::BTreeMap;

use engine::record::{Fill, FillState, LiveCredentials, MemoryPoint, PopulationExperiment, Record, Round, RoundAt};

use crate::group::{Group, groups, without_factor};
use crate::level::Factor;
use crate::memory::MemoryRow;
use crate::number::grouped;
use crate::statistics::{CONFIDENCE, Estimate, hodges_lehmann_ratio, least_squares, median};
use crate::warning::invalid_points;
use crate::{Analyse, EvidenceError, LatencyRow, Warning, warnings};

/// Below this size the allocator's pages dominate, so the size predicts nothing for ten million.
const FIT_FROM: u64 = 5_000;
/// A line predicts from sizes up to this share of the largest size.
const FIT_UP_TO: f64 = 0.1;
/// The tolerance for a size to count as the largest size halved several times.
const HALVING_TOLERANCE: f64 = 1e-3;
/// Sizes that a prediction needs.
const FIT_SIZES: usize = 2;

/// The effect of a growing number of live credentials, by scheme.
#[derive(Clone, Debug)]
pub struct PopulationTable {
    /// One row per scheme.
    pub rows: Vec<PopulationRow>,
}

/// One scheme with a growing number of live credentials.
#[derive(Clone, Debug)]
pub struct PopulationRow {
    /// The scheme's id.
    pub scheme: String,
    /// Requests with the fewest credentials and with more, from few to many; empty if none were
    /// timed.
    pub sizes: Vec<PopulationSize>,
    /// Bytes of live credentials.
    pub live: MemoryRow,
    /// Bytes that are stored for revoked credentials.
    pub revoked: MemoryRow,
    /// The prediction for the largest size from small sizes.
    pub predicted: Option<Predicted>,
    /// Live credentials created per second, with everything that the scheme stores for each.
    pub created_per_s: Option<f64>,
    /// Memory at the largest size, and after every key was removed; none without a separate store.
    pub freed: Option<Freed>,
}

/// Requests with one number of live credentials.
#[derive(Clone, Debug)]
pub struct PopulationSize {
    /// Credentials alive.
    pub live: u64,
    /// Response times at the experiment's rate; none without a valid round at it.
    pub response: Option<LatencyRow>,
    /// The 99th percentile as a multiple of that with the fewest credentials, in the typical block.
    pub p99_ratio: Option<Estimate>,
    /// Requests per second that a saturated server sustained: the median of the rounds.
    pub capacity_rps: Option<Estimate>,
    /// The same as a multiple of that with the fewest credentials, in the typical block.
    pub capacity_ratio: Option<Estimate>,
}

/// The prediction for the largest size from small sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// The largest size.
    pub population: u64,
    /// The smallest and the largest size that the line goes through.
    pub fitted: (u64, u64),
    /// Predicted bytes: of the store, or of the server if there is no separate store.
    pub predicted_bytes: f64,
    /// Measured bytes.
    pub measured_bytes: u64,
    /// Whether the bytes grow with the credentials. If nothing is stored per credential, the line
    /// fits noise.
    pub grows: bool,
}

impl Predicted {
    /// Returns the error as a share of the measured bytes; above 0 if the prediction is too high.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.predicted_bytes / self.measured_bytes as f64 - 1.0
    }
}

/// Memory before and after everything was removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Freed {
    /// Before the fill.
    pub empty: MemoryPoint,
    /// With the most credentials.
    pub full: MemoryPoint,
    /// After every key was removed.
    pub freed: MemoryPoint,
}

/// The rounds of one scheme with one number of live credentials under one load.
type LiveGroup<'record> = Group<'record, RoundAt<LiveCredentials>>;

impl Factor for LiveCredentials {
    fn description(&self) -> String {
        format!("with {} live credentials", grouped(self.live as f64))
    }

    fn slug(&self) -> String {
        format!("{}-live", self.live)
    }

    fn sort_key(&self) -> f64 {
        self.live as f64
    }
}

impl Analyse for PopulationExperiment {
    type Table = PopulationTable;

    fn analyse(&self, record: &Record) -> Result<Option<PopulationTable>, EvidenceError> {
        PopulationTable::of(record, self).map(Some)
    }

    fn warnings(&self, record: &Record, _: Option<&PopulationTable>) -> Vec<Warning> {
        let place = |fill: &Fill| {
            let state = match fill.state {
                FillState::Live => "live",
                FillState::Revoked => "revoked",
                FillState::Freed => "freed",
            };
            format!("{} with {} {state} credentials", fill.memory.scheme, fill.memory.population)
        };
        let fills = self.fills.iter().map(|fill| (place(fill), &fill.memory.validity));
        let mut warnings = invalid_points(Self::EXPERIMENT, fills);
        warnings.extend(warnings::for_groups(Self::EXPERIMENT, &self.groups(record)));
        warnings
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        without_factor(&groups(record, &self.rounds))
    }
}

impl PopulationTable {
    fn of(record: &Record, population: &PopulationExperiment) -> Result<Self, EvidenceError> {
        let groups = groups(record, &population.rounds);
        let row = |scheme: &str| PopulationRow::of(record, scheme, &population.fills, &groups);
        let was_filled = |scheme: &&str| population.fills.iter().any(|fill| fill.memory.scheme == *scheme);
        let schemes = record.schemes.iter().map(|described| described.scheme.as_str());
        Ok(Self { rows: schemes.filter(was_filled).map(row).collect::<Result<_, _>>()? })
    }
}

impl PopulationRow {
    fn of(record: &Record, scheme: &str, fills: &[Fill], groups: &[LiveGroup<'_>]) -> Result<Self, EvidenceError> {
        let of_scheme =
            |state: FillState| fills.iter().filter(move |fill| fill.memory.scheme == scheme && fill.state == state);
        let points = |state: FillState| of_scheme(state).map(|fill| fill.memory.clone()).collect::<Vec<_>>();
        let filled: Vec<MemoryPoint> =
            points(FillState::Live).into_iter().filter(|point| point.population > 0).collect();
        let live = MemoryRow::of(record, scheme, &filled);
        let took_s: f64 = of_scheme(FillState::Live).map(|fill| fill.took_s).sum();
        let most = filled.iter().map(|point| point.population).max().unwrap_or(0);
        Ok(Self {
            scheme: scheme.to_owned(),
            sizes: sizes(scheme, groups)?,
            revoked: MemoryRow::of(record, scheme, &points(FillState::Revoked)),
            predicted: Predicted::of(&live),
            created_per_s: (took_s > 0.0).then(|| most as f64 / took_s),
            freed: Freed::of(points(FillState::Live), points(FillState::Freed)),
            live,
        })
    }
}

/// Returns the bytes of the store, or of the server if there is no separate store.
///
/// A server with a store caches only a part of what the store holds.
fn bytes(point: &MemoryPoint) -> u64 {
    point.store_used_bytes.unwrap_or(point.server_pss_bytes)
}

impl Predicted {
    fn of(live: &MemoryRow) -> Option<Self> {
        let points = &live.points;
        let largest = points.iter().max_by_key(|point| point.population)?;
        let highest = (largest.population as f64 * FIT_UP_TO) as u64;
        // Hash tables grow by doubling: these sizes have the same fill level as the largest.
        let is_halved_size = |point: &MemoryPoint| {
            let halvings = (largest.population as f64 / point.population as f64).log2();
            (halvings - halvings.round()).abs() < HALVING_TOLERANCE
        };
        let small: Vec<&MemoryPoint> = points
            .iter()
            .filter(|point| (FIT_FROM..=highest).contains(&point.population) && is_halved_size(point))
            .collect();
        let line_points: Vec<(f64, f64)> =
            small.iter().map(|point| (point.population as f64, bytes(point) as f64)).collect();
        let line = (small.len() >= FIT_SIZES).then(|| least_squares(&line_points, CONFIDENCE))??;
        let fitted = small.iter().map(|point| point.population);
        Some(Self {
            population: largest.population,
            fitted: (fitted.clone().min()?, fitted.max()?),
            predicted_bytes: line.intercept + line.slope.value * largest.population as f64,
            measured_bytes: bytes(largest),
            grows: live.slope.as_ref().is_some_and(|slope| {
                let all = slope.store.unwrap_or(slope.server);
                all.interval.is_some_and(|interval| interval.low > 0.0)
            }),
        })
    }
}

impl Freed {
    fn of(live: Vec<MemoryPoint>, freed: Vec<MemoryPoint>) -> Option<Self> {
        let empty = live.iter().find(|point| point.population == 0)?.clone();
        let full = live.into_iter().max_by_key(|point| point.population)?;
        Some(Self { empty, full, freed: freed.into_iter().next()? })
    }
}

fn sizes(scheme: &str, groups: &[LiveGroup<'_>]) -> Result<Vec<PopulationSize>, EvidenceError> {
    let of_scheme: Vec<&LiveGroup<'_>> = groups.iter().filter(|group| group.scheme == scheme).collect();
    let fewest = of_scheme.iter().map(|group| group.at().live).min();
    let mut populations: Vec<u64> = of_scheme.iter().map(|group| group.at().live).collect();
    populations.sort_unstable();
    populations.dedup();
    let of = |population: u64, saturated: bool| {
        of_scheme
            .iter()
            .find(|group| group.at().live == population && group.level.load.is_saturated() == saturated)
            .copied()
    };
    let size = |population: u64| {
        let ratio_to_fewest = |saturated: bool, figure: fn(&Round) -> Option<f64>| {
            let (many, few) = (of(population, saturated)?, of(fewest?, saturated)?);
            (Some(population) != fewest).then(|| ratio(many, few, figure))?
        };
        let p99 = |round: &Round| round.response_us.p99.map(|us| us as f64);
        let rps = |round: &Round| Some(round.achieved_rps);
        let valid = of(population, false).filter(|group| group.count().used > 0);
        let rates = |group: &LiveGroup<'_>| group.valid().map(|round| round.achieved_rps).collect::<Vec<f64>>();
        Ok(PopulationSize {
            live: population,
            response: valid.map(|group| LatencyRow::of(PopulationExperiment::EXPERIMENT, group)).transpose()?,
            p99_ratio: ratio_to_fewest(false, p99),
            capacity_rps: of(population, true).and_then(|group| median(&rates(group), CONFIDENCE)),
            capacity_ratio: ratio_to_fewest(true, rps),
        })
    };
    populations.into_iter().map(size).collect()
}

/// Returns the typical ratio of rounds of the same block.
fn ratio(many: &LiveGroup<'_>, few: &LiveGroup<'_>, figure: impl Fn(&Round) -> Option<f64>) -> Option<Estimate> {
    let few: BTreeMap<u32, f64> = few.valid().filter_map(|round| Some((round.block, figure(round)?))).collect();
    let pair = |round: &Round| Some((figure(round)?, *few.get(&round.block)?));
    let pairs: Vec<(f64, f64)> = many.valid().filter_map(pair).collect();
    hodges_lehmann_ratio(&pairs, CONFIDENCE)
}
