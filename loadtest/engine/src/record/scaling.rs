//! Capacity against the number of nodes.

use serde::{Deserialize, Serialize};

use super::{Measured, Validity};

/// Capacity against the number of nodes that share the load, each in a slice of a processor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScalingExperiment {
    /// How large the slices were, and why; null where nothing was sliced.
    pub slicing: Option<QuotaSizes>,
    /// Why nothing could be sliced, so that the demands are all there is; null where something could.
    #[serde(default)]
    pub unsliced: Option<String>,
    /// What a request costs on whole processors, in the order in which it was measured.
    #[serde(default)]
    pub demands: Vec<ServiceDemand>,
    /// In the order in which they were measured.
    pub points: Vec<ScalingPoint>,
}

impl Measured for ScalingExperiment {}

/// CPU time of a request in one saturated round over one node on whole processors: its service demand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ServiceDemand {
    /// The scheme's id.
    pub scheme: String,
    /// Demands of one block are neighbours in time.
    pub block: u32,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// Requests behind the figures.
    pub requests: u64,
    /// CPU time of the server a request, in microseconds.
    pub server_us: f64,
    /// The same of the store; null without one.
    pub store_us: Option<f64>,
    /// The same of the balancer; null without one.
    pub balancer_us: Option<f64>,
    /// The same of the generator.
    pub generator_us: f64,
    /// Whether the round may feed a claim.
    pub validity: Validity,
}

/// How the processors were cut into slices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QuotaSizes {
    /// By what, such as `cgroup v2`.
    pub method: String,
    /// Processors that one node is worth.
    pub node_share: f64,
    /// Processors that the store is worth.
    pub store_share: f64,
    /// What spreads the load over the nodes; null where the generator cycles through them itself.
    #[serde(default)]
    pub balancer: Option<Balancing>,
    /// The most requests per second that the generator could drive.
    pub generator_rps: f64,
    /// The highest rate that the cheapest scheme was expected to sustain on the most nodes, in requests per second.
    pub expected_rps: f64,
}

/// What spreads a load over nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Balancing {
    /// The program, such as `haproxy`.
    pub program: String,
    /// Processors that it is worth.
    pub share: f64,
}

/// One round with this many nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScalingPoint {
    /// The scheme's id.
    pub scheme: String,
    /// Points of one block are neighbours in time.
    pub block: u32,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// What was loaded.
    pub step: Step,
    /// Requests finished per second.
    pub rps: f64,
    /// Requests behind that.
    pub requests: u64,
    /// CPU time of all nodes a request, in microseconds.
    pub nodes_us: f64,
    /// CPU time of the store a request, in microseconds; null without one.
    pub store_us: Option<f64>,
    /// CPU time of the balancer a request, in microseconds; null without one.
    #[serde(default)]
    pub balancer_us: Option<f64>,
    /// The share of its processors that the generator used, 0 to 1.
    pub generator_share: f64,
    /// The share of its periods in which each node's slice was used up, 0 to 1.
    pub nodes_full: Vec<f64>,
    /// The same of the store's slice; null without a store.
    pub store_full: Option<f64>,
    /// The same of the balancer's slice; null without a balancer.
    #[serde(default)]
    pub balancer_full: Option<f64>,
    /// Whether the point may feed a claim.
    pub validity: Validity,
}

/// What a point of `scaling` loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Step {
    /// This many nodes, each with its CPU quota.
    Nodes {
        /// How many.
        nodes: u32,
    },
    /// The store: this many nodes without a limit, so that only its CPU quota matters.
    StoreFilled {
        /// How many.
        nodes: u32,
    },
}
