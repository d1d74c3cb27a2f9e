//! The parameters of the experiment `scaling`.

use crate::profile::Profile;

/// The parameters of the experiment `scaling`.
#[derive(Clone, Debug)]
pub struct ScalingParameters {
    /// How many nodes share the load, rising.
    pub nodes: Vec<u32>,
    /// How often every scheme is visited with every number of nodes.
    pub blocks: u32,
    /// How long a visit lasts, in seconds.
    pub round_s: f64,
    /// Connections to each node.
    pub connections_a_node: u32,
    /// Connections to a single node on whole processors.
    pub connections: u32,
    /// Credentials in use.
    pub population: u32,
}

impl ScalingParameters {
    /// The parameters of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self {
            nodes: vec![1, 2, 3, 4, 6, 8],
            // Many short rounds: other guests of the host slow this one for seconds at a time.
            blocks: profile.pick(15, 6, 6),
            round_s: profile.pick(0.5, 0.4, 0.4),
            connections_a_node: 16,
            connections: 64,
            population: 2_000,
        }
    }
}
