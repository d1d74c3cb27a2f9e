//! The `scaling` experiment: throughput by number of nodes, what was saturated, and how far a law
//! fitted on few nodes holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use engine::record::{QuotaSizes, Record, ScalingExperiment, ScalingPoint, ServiceDemand, Step};

use crate::cost::is_control;
use crate::demand::DemandRow;
use crate::group::{RoundCounts, schemes_in_order};
use crate::statistics::{Bottleneck, CONFIDENCE, Estimate, Interval, Usl, bootstrap, median, median_value};
use crate::warning::invalid_points;
use crate::{Analyse, EvidenceError, Topic, Warning};

/// The law is fitted on at most this many nodes, and tested on the others.
pub const FIT_NODES: u32 = 3;
/// A law with a larger error on the node counts that it was not fitted on predicts nothing beyond
/// them.
pub const ERROR_LIMIT: f64 = 0.10;
/// The share of its periods in which a CPU quota is used up from which it counts as saturated.
pub const SATURATED_SHARE: f64 = 0.80;
/// The largest deviation of the control from linear scaling on the most nodes.
///
/// With a larger deviation, something other than the nodes limited the run.
const CONTROL_LIMIT: f64 = 0.15;
/// The numbers of nodes that the Universal Scalability Law needs: it has three parameters.
const MIN_SIZES: usize = 4;
/// The widest interval at twice the most nodes, as a ratio, that still identifies the law.
const MAX_EXTRAPOLATION_RATIO: f64 = 2.0;

/// Capacity by number of nodes, by scheme.
#[derive(Clone, Debug)]
pub struct ScalingTable {
    /// The CPU quotas.
    pub cpu_quotas: Option<QuotaSizes>,
    /// Why no CPU quota could be set, so that only the demands are known; none if quotas were set.
    pub no_quota_reason: Option<String>,
    /// CPU time per request with unrestricted CPU, by scheme.
    pub demands: Vec<DemandRow>,
    /// CPU time of the load balancer per request, in microseconds: the median of the rounds.
    ///
    /// None if the generator distributed requests itself.
    pub balancer_us: Option<f64>,
    /// One row per scheme.
    pub rows: Vec<ScalingRow>,
}

/// One scheme by number of nodes.
#[derive(Clone, Debug)]
pub struct ScalingRow {
    /// The scheme's id.
    pub scheme: String,
    /// From few nodes to many.
    pub sizes: Vec<ScalingSize>,
    /// Requests per second that the store would sustain by its CPU time per request with at most
    /// [`FIT_NODES`] nodes, when it was not saturated.
    pub store_by_cpu_rps: Option<f64>,
    /// Requests per second that the store sustained when it was saturated.
    pub saturated_store_rps: Option<Estimate>,
    /// The bottleneck law, fitted on at most [`FIT_NODES`] nodes.
    pub law: Option<Bottleneck>,
    /// The predictions of that law for the node counts that it was not fitted on.
    pub predictions: Vec<Prediction>,
    /// The Universal Scalability Law over all numbers of nodes; none if there are too few.
    pub usl: Option<UslFit>,
}

/// One number of nodes.
#[derive(Clone, Debug)]
pub struct ScalingSize {
    /// The number of nodes.
    pub nodes: u32,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// Requests per second: the median of the rounds.
    pub rps: Estimate,
    /// Requests per second divided by those of one node times the number of nodes: 1 is linear.
    pub efficiency: Option<f64>,
    /// CPU time of the nodes per request, in microseconds.
    pub nodes_us: f64,
    /// CPU time of the store per request, in microseconds.
    pub store_us: Option<f64>,
    /// Requests per second per CPU of nodes and store together.
    pub rps_per_cpu: Option<f64>,
    /// The share of its periods in which a node's CPU quota was used up: the mean of the nodes, the
    /// median of the rounds.
    pub nodes_saturated: f64,
    /// The same for the store.
    pub store_saturated: Option<f64>,
    /// What was saturated.
    pub saturated: Saturated,
}

/// What limited the throughput.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saturated {
    /// The CPU quotas of the nodes.
    Nodes,
    /// The CPU quota of the store.
    Store,
    /// Both.
    Both,
    /// Neither: something else limited it.
    Neither,
}

/// A prediction of a law for a node count that it was not fitted on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// How many nodes.
    pub nodes: u32,
    /// Requests per second predicted by the law.
    pub predicted_rps: f64,
    /// Requests per second measured.
    pub measured_rps: f64,
}

/// The Universal Scalability Law with its intervals, by resampling blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UslFit {
    /// The law.
    pub usl: Usl,
    /// The interval of sigma.
    pub sigma: Interval,
    /// The interval of kappa.
    pub kappa: Interval,
    /// The largest error of the law on the nodes that it was fitted on, as a share of the measured
    /// value.
    pub max_error: f64,
    /// Requests per second for twice the most nodes.
    ///
    /// None if the fit is poor or the interval too wide: the law is then not identifiable.
    pub extrapolation: Option<Interval>,
}

/// Why the scaling factors of a run are not in the headline.
#[derive(Clone, Debug, PartialEq)]
pub enum NoHeadline {
    /// The control, which shares nothing, did not scale linearly.
    ControlNotLinear {
        /// The most nodes that the control was measured with.
        nodes: u32,
        /// Requests per second there as a multiple of those of one node; none without valid rounds of both.
        times: Option<f64>,
    },
    /// No CPU quota of these schemes was ever saturated, with any number of nodes.
    NeverSaturated {
        /// The schemes.
        schemes: Vec<String>,
    },
}

impl fmt::Display for NoHeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlNotLinear { nodes, times: Some(times) } => write!(
                f,
                "on {nodes} nodes the control sustained {times:.1} times the rate of one node. It shares nothing, so something \
                 outside the nodes' CPU quotas limited this run, such as the host or the generator. No scheme's multiple is in the \
                 headline; repeat the run on a quiet machine."
            ),
            Self::ControlNotLinear { nodes, times: None } => write!(
                f,
                "the control has no valid rounds on one node and on {nodes}, so it is not known whether the machine limited the \
                 other schemes. No scheme's multiple is in the headline."
            ),
            Self::NeverSaturated { schemes } => write!(
                f,
                "no CPU quota was ever used up with {}: neither nodes nor store limited what they sustained. Their multiples are \
                 not in the headline.",
                schemes.join(", ")
            ),
        }
    }
}

impl Prediction {
    /// Returns the error as a share of the measured value; above 0 if the prediction is too high.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.predicted_rps / self.measured_rps - 1.0
    }
}

impl Analyse for ScalingExperiment {
    type Table = ScalingTable;

    fn analyse(&self, record: &Record) -> Result<Option<ScalingTable>, EvidenceError> {
        Ok(ScalingTable::of(record, self))
    }

    fn warnings(&self, _: &Record, table: Option<&ScalingTable>) -> Vec<Warning> {
        let place = |point: &ScalingPoint| match point.step {
            Step::Nodes { nodes } => format!("{} on {nodes} nodes in block {}", point.scheme, point.block),
            Step::StoreFilled { .. } => format!("{} with a saturated store in block {}", point.scheme, point.block),
        };
        let demand =
            |demand: &ServiceDemand| format!("{} with unrestricted CPU in block {}", demand.scheme, demand.block);
        let demands = self.demands.iter().map(|each| (demand(each), &each.validity));
        let points = self.points.iter().map(|point| (place(point), &point.validity));
        let mut warnings = invalid_points(Self::EXPERIMENT, demands.chain(points));
        let no_headline = table.into_iter().flat_map(ScalingTable::no_headline);
        warnings.extend(no_headline.map(|why| Topic::Comparison.warning(format!("scaling: {why}"))));
        warnings
    }
}

impl ScalingTable {
    /// Returns none if the run ended before it measured more than one node.
    fn of(record: &Record, scaling: &ScalingExperiment) -> Option<Self> {
        if scaling.points.is_empty() && scaling.unsliced.is_none() {
            return None;
        }
        let schemes = schemes_in_order(record, scaling.points.iter().map(|point| &point.scheme));
        let row = |scheme: &str| {
            let points: Vec<&ScalingPoint> = scaling.points.iter().filter(|point| point.scheme == scheme).collect();
            ScalingRow::of(scheme, &points, scaling.slicing.as_ref())
        };
        let balancer_us =
            scaling.points.iter().filter(|point| point.validity.valid).filter_map(|point| point.balancer_us);
        Some(Self {
            cpu_quotas: scaling.slicing.clone(),
            no_quota_reason: scaling.unsliced.clone(),
            demands: DemandRow::all(record, &scaling.demands),
            balancer_us: median_value(balancer_us),
            rows: schemes.into_iter().map(row).collect(),
        })
    }
}

impl ScalingTable {
    /// Returns the most nodes that any scheme was measured with; none if it was never more than
    /// one.
    #[must_use]
    pub fn most_nodes(&self) -> Option<u32> {
        self.rows.iter().filter_map(|row| row.sizes.last()).map(|size| size.nodes).max().filter(|most| *most > 1)
    }

    /// Returns the schemes whose scaling factor may be in a headline, with their largest number of
    /// nodes.
    ///
    /// The control is not among them.
    #[must_use]
    pub fn headline(&self) -> Vec<(&ScalingRow, &ScalingSize)> {
        let Some(most) = self.most_nodes().filter(|_| self.control_not_linear().is_none()) else { return Vec::new() };
        let shown = self.rows.iter().filter(|row| !is_control(&row.scheme) && row.was_saturated());
        shown.filter_map(|row| Some((row, row.sizes.last().filter(|size| size.nodes == most)?))).collect()
    }

    /// Returns why some or all of the schemes are not in the [headline](Self::headline).
    #[must_use]
    pub fn no_headline(&self) -> Vec<NoHeadline> {
        let unsaturated =
            self.rows.iter().filter(|row| self.most_nodes().is_some() && !row.sizes.is_empty() && !row.was_saturated());
        let schemes: Vec<String> = unsaturated.map(|row| row.scheme.clone()).collect();
        let never_saturated = (!schemes.is_empty()).then_some(NoHeadline::NeverSaturated { schemes });
        self.control_not_linear().into_iter().chain(never_saturated).collect()
    }

    fn control_not_linear(&self) -> Option<NoHeadline> {
        let most = self.most_nodes()?;
        let control = self.rows.iter().find(|row| is_control(&row.scheme))?;
        let size = control.sizes.last().filter(|size| size.nodes == most);
        let efficiency = size.and_then(|size| size.efficiency);
        let linear = efficiency.is_some_and(|efficiency| (efficiency - 1.0).abs() <= CONTROL_LIMIT);
        let times = efficiency.map(|efficiency| efficiency * f64::from(most));
        (!linear).then_some(NoHeadline::ControlNotLinear { nodes: most, times })
    }
}

impl ScalingRow {
    /// Returns whether a CPU quota was saturated with any number of nodes.
    #[must_use]
    pub fn was_saturated(&self) -> bool {
        self.sizes.iter().any(|size| size.saturated != Saturated::Neither)
    }

    /// Returns whether the law predicts the node counts that it was not fitted on.
    #[must_use]
    pub fn predicts_unfitted_sizes(&self) -> bool {
        !self.predictions.is_empty() && self.predictions.iter().all(|each| each.error().abs() <= ERROR_LIMIT)
    }

    /// Returns twice the most nodes, and the requests per second that the law predicts for them.
    ///
    /// None if the law does not hold.
    #[must_use]
    pub fn extrapolation(&self) -> Option<(u32, f64)> {
        let nodes = 2 * self.sizes.last()?.nodes;
        self.law.filter(|_| self.predicts_unfitted_sizes()).map(|law| (nodes, law.rps(nodes)))
    }

    fn of(scheme: &str, points: &[&ScalingPoint], quotas: Option<&QuotaSizes>) -> Self {
        let counts: BTreeSet<u32> = points.iter().filter_map(|point| nodes(point)).collect();
        let one = existing_points_with(points, 1).and_then(|points| rate(&points)).map(|rps| rps.value);
        let sizes: Vec<ScalingSize> = counts
            .into_iter()
            .filter_map(|nodes| ScalingSize::of(nodes, &points_with(points, nodes), one, quotas))
            .collect();
        let few: Vec<&ScalingPoint> =
            valid(points).filter(|point| nodes(point).is_some_and(|count| count <= FIT_NODES)).collect();
        let saturated: Vec<&ScalingPoint> = valid(points).filter(|point| saturates_store(point)).collect();
        let saturated_store_rps = rate(&saturated);
        let law = quotas.and_then(|quotas| law(&few, quotas, saturated_store_rps));
        let store_us = median_value(few.iter().filter_map(|point| point.store_us)).filter(|us| *us > 0.0);
        Self {
            scheme: scheme.to_owned(),
            store_by_cpu_rps: quotas.zip(store_us).map(|(quotas, us)| quotas.store_share * 1e6 / us),
            saturated_store_rps,
            predictions: law.map(|law| predictions(&law, &sizes)).unwrap_or_default(),
            usl: UslFit::of(points, &sizes),
            law,
            sizes,
        }
    }
}

fn nodes(point: &ScalingPoint) -> Option<u32> {
    if let Step::Nodes { nodes } = point.step { Some(nodes) } else { None }
}

fn points_with<'record>(points: &[&'record ScalingPoint], count: u32) -> Vec<&'record ScalingPoint> {
    points.iter().copied().filter(|point| nodes(point) == Some(count)).collect()
}

fn existing_points_with<'record>(points: &[&'record ScalingPoint], count: u32) -> Option<Vec<&'record ScalingPoint>> {
    Some(points_with(points, count)).filter(|points| !points.is_empty())
}

fn valid<'record>(points: &[&'record ScalingPoint]) -> impl Iterator<Item = &'record ScalingPoint> {
    points.iter().copied().filter(|point| point.validity.valid)
}

fn rate(points: &[&ScalingPoint]) -> Option<Estimate> {
    median(&valid(points).map(|point| point.rps).collect::<Vec<_>>(), CONFIDENCE)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

impl ScalingSize {
    fn of(nodes: u32, points: &[&ScalingPoint], one: Option<f64>, quotas: Option<&QuotaSizes>) -> Option<Self> {
        let rps = rate(points)?;
        let store_saturated = median_value(valid(points).filter_map(|point| point.store_full));
        let nodes_saturated = median_value(valid(points).map(|point| mean(&point.nodes_full)))?;
        let used = valid(points).count();
        let cpus = quotas.map(|quotas| {
            let store = if store_saturated.is_some() { quotas.store_share } else { 0.0 };
            f64::from(nodes) * quotas.node_share + store
        });
        Some(Self {
            nodes,
            rounds: RoundCounts { used, excluded: points.len() - used },
            rps,
            efficiency: one.map(|one| rps.value / (one * f64::from(nodes))),
            nodes_us: median_value(valid(points).map(|point| point.nodes_us))?,
            store_us: median_value(valid(points).filter_map(|point| point.store_us)),
            rps_per_cpu: cpus.map(|cpus| rps.value / cpus),
            nodes_saturated,
            store_saturated,
            saturated: match (
                nodes_saturated >= SATURATED_SHARE,
                store_saturated.is_some_and(|share| share >= SATURATED_SHARE),
            ) {
                (true, false) => Saturated::Nodes,
                (false, true) => Saturated::Store,
                (true, true) => Saturated::Both,
                (false, false) => Saturated::Neither,
            },
        })
    }
}

/// Returns whether the point shows the capacity of the store: only the store's quota limited it.
fn saturates_store(point: &ScalingPoint) -> bool {
    let saturated = matches!(point.step, Step::StoreFilled { .. })
        && point.store_full.is_some_and(|share| share >= SATURATED_SHARE);
    saturated && mean(&point.nodes_full) < SATURATED_SHARE
}

/// Returns the law from the capacity of a node and of the store.
///
/// The capacity of a node is its rate while the store was not saturated; that of the store was
/// measured at saturation. None if the store was never saturated.
fn law(few: &[&ScalingPoint], quotas: &QuotaSizes, saturated_store_rps: Option<Estimate>) -> Option<Bottleneck> {
    let store_unsaturated = |point: &&&ScalingPoint| point.store_full.is_none_or(|share| share < SATURATED_SHARE);
    let of_rounds = median_value(
        few.iter().filter(store_unsaturated).filter_map(|point| Some(point.rps / f64::from(nodes(point)?))),
    );
    // If even one node saturates the store, the capacity of a node follows from its CPU quota.
    let of_quota = median_value(few.iter().map(|point| quotas.node_share * 1e6 / point.nodes_us));
    let store_rps = saturated_store_rps.map(|saturated| saturated.value);
    let has_store = few.iter().any(|point| point.store_us.is_some());
    (store_rps.is_some() == has_store).then_some(Bottleneck { node_rps: of_rounds.or(of_quota)?, store_rps })
}

fn predictions(law: &Bottleneck, sizes: &[ScalingSize]) -> Vec<Prediction> {
    let unseen = sizes.iter().filter(|size| size.nodes > FIT_NODES);
    unseen
        .map(|size| Prediction { nodes: size.nodes, predicted_rps: law.rps(size.nodes), measured_rps: size.rps.value })
        .collect()
}

impl UslFit {
    fn of(points: &[&ScalingPoint], sizes: &[ScalingSize]) -> Option<Self> {
        if sizes.len() < MIN_SIZES {
            return None;
        }
        let blocks: BTreeSet<u32> = valid(points).map(|point| point.block).collect();
        let of_block = |block: &u32| -> Vec<(u32, f64)> {
            let in_block = valid(points).filter(|point| point.block == *block);
            in_block.filter_map(|point| Some((nodes(point)?, point.rps))).collect()
        };
        let blocks: Vec<Vec<(u32, f64)>> = blocks.iter().map(of_block).collect();
        let most = f64::from(sizes.last()?.nodes);
        let numbers = |blocks: &[&Vec<(u32, f64)>]| {
            let usl = Usl::fit(&medians(blocks))?;
            Some([usl.lambda, usl.sigma, usl.kappa, usl.rps(2.0 * most)])
        };
        let [lambda, sigma, kappa, extrapolation] = bootstrap(&blocks, CONFIDENCE, numbers)?;
        let usl = Usl { lambda: lambda.value, sigma: sigma.value, kappa: kappa.value };
        let error = |size: &ScalingSize| (usl.rps(f64::from(size.nodes)) / size.rps.value - 1.0).abs();
        let max_error = sizes.iter().map(error).fold(0.0, f64::max);
        let identifiable = |extrapolation: &Interval| {
            max_error <= ERROR_LIMIT
                && extrapolation.low > 0.0
                && extrapolation.high / extrapolation.low <= MAX_EXTRAPOLATION_RATIO
        };
        let extrapolation = extrapolation.interval.filter(identifiable);
        Some(Self { usl, sigma: sigma.interval?, kappa: kappa.interval?, max_error, extrapolation })
    }
}

/// Returns requests per second for each number of nodes: the median over these blocks.
fn medians(blocks: &[&Vec<(u32, f64)>]) -> Vec<(f64, f64)> {
    let mut by_nodes: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (nodes, rps) in blocks.iter().copied().flatten() {
        by_nodes.entry(*nodes).or_default().push(*rps);
    }
    let median = |(nodes, rps): (u32, Vec<f64>)| Some((f64::from(nodes), median_value(rps)?));
    by_nodes.into_iter().filter_map(median).collect()
}
