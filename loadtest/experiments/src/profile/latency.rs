//! The parameters of the experiment `latency`.

/// The parameters of the experiment `latency`.
#[derive(Clone, Debug)]
pub struct LatencyParameters {
    /// How often every scheme is visited at every level.
    pub blocks: u32,
    /// How long a visit lasts, in seconds.
    pub round_s: f64,
    /// Shares of the scheme's own capacity, 0 to 1.
    pub fractions: Vec<f64>,
    /// Rates that are the same for every scheme, in requests per second.
    pub rates_rps: Vec<f64>,
    /// Connections that stand ready.
    pub connections: u32,
    /// Credentials in use.
    pub population: u32,
    /// Blocks between two restarts of every server.
    pub restart_every: u32,
}

pub(super) fn parameters() -> LatencyParameters {
    LatencyParameters {
        blocks: 8,
        round_s: 0.8,
        fractions: vec![0.2, 0.6],
        rates_rps: vec![5_000.0],
        connections: 64,
        population: 2_000,
        restart_every: 5,
    }
}
