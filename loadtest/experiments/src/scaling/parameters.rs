//! The parameters of the experiment `scaling`.

use crate::profile::Profile;

/// The parameters of the experiment `scaling`.
#[derive(Clone, Debug)]
pub struct ScalingParameters {
    /// Numbers of nodes that share the load, increasing.
    pub nodes: Vec<u32>,
    /// Visits of every scheme with every number of nodes.
    pub blocks: u32,
    /// Duration of a visit, in seconds.
    pub round_s: f64,
    /// Connections to each node.
    pub connections_a_node: u32,
    /// Connections to a single node with unrestricted CPU.
    pub connections: u32,
    /// Number of credentials in use.
    pub population: u32,
}

impl ScalingParameters {
    /// Returns the parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            nodes: vec![1, 2, 3, 4, 6, 8],
            // Many short rounds: noisy neighbours slow this machine down for seconds at a time.
            blocks: profile.pick(15, 6, 6),
            round_s: profile.pick(0.5, 0.4, 0.4),
            connections_a_node: 16,
            connections: 64,
            population: 2_000,
        }
    }
}
