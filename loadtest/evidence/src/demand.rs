//! Estimates the throughput of more nodes from the CPU time per request, if no CPU quota could be
//! set.
//!
//! The law of service demands: a resource that is busy for t microseconds per request handles at
//! most 1,000,000 / t requests per second (Lazowska, Zahorjan, Graham and Sevcik, *Quantitative
//! System Performance*, 1984, chapter 5).

use engine::record::{Record, ServiceDemand};

use crate::group::{RoundCounts, schemes_in_order};
use crate::statistics::{Bottleneck, CONFIDENCE, Estimate, median};

/// CPU time per request of one scheme.
#[derive(Clone, Debug)]
pub struct DemandRow {
    /// The scheme's id.
    pub scheme: String,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// CPU time of the server per request, in microseconds: the median of the rounds.
    pub server_us: Estimate,
    /// The same of the store; none without one.
    pub store_us: Option<Estimate>,
}

impl DemandRow {
    /// Returns the estimate for nodes and a store with one whole CPU each.
    #[must_use]
    pub fn law(&self) -> Bottleneck {
        let most_rps = |us: Estimate| 1e6 / us.value;
        Bottleneck { node_rps: most_rps(self.server_us), store_rps: self.store_us.map(most_rps) }
    }

    /// Returns requests per second per CPU of nodes and store together, if both are saturated.
    #[must_use]
    pub fn rps_per_cpu(&self) -> f64 {
        1e6 / (self.server_us.value + self.store_us.map_or(0.0, |us| us.value))
    }

    /// Returns one row per scheme that has a valid round, in the order of the record.
    pub(crate) fn all(record: &Record, demands: &[ServiceDemand]) -> Vec<Self> {
        let schemes = schemes_in_order(record, demands.iter().map(|demand| &demand.scheme));
        schemes.into_iter().filter_map(|scheme| Self::of(scheme, demands)).collect()
    }

    fn of(scheme: &str, demands: &[ServiceDemand]) -> Option<Self> {
        let of_scheme: Vec<&ServiceDemand> = demands.iter().filter(|demand| demand.scheme == scheme).collect();
        let valid: Vec<&ServiceDemand> = of_scheme.iter().copied().filter(|demand| demand.validity.valid).collect();
        let server_us: Vec<f64> = valid.iter().map(|demand| demand.server_us).collect();
        let store_us: Vec<f64> = valid.iter().filter_map(|demand| demand.store_us).filter(|us| *us > 0.0).collect();
        Some(Self {
            scheme: scheme.to_owned(),
            rounds: RoundCounts { used: valid.len(), excluded: of_scheme.len() - valid.len() },
            server_us: median(&server_us, CONFIDENCE)?,
            store_us: median(&store_us, CONFIDENCE),
        })
    }
}
