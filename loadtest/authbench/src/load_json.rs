//! The output of `load --json`: one object with stable keys.

use engine::record::{Quantiles, Round, Validity};
use serde::Serialize;

/// The result of a load. Unavailable figures are null.
#[derive(Debug, Serialize)]
pub(crate) struct LoadResult<'a> {
    requests: u64,
    errors: u64,
    planned_rps: Option<f64>,
    achieved_rps: f64,
    duration_s: f64,
    response_us: Quantiles,
    service_us: Quantiles,
    lag_us: Quantiles,
    server_cpu_us_per_request: Option<f64>,
    validity: &'a Validity,
}

impl<'a> LoadResult<'a> {
    pub(crate) fn of(round: &'a Round) -> Self {
        let per_request = |usage: &engine::record::Usage| usage.server_cpu_ns as f64 / 1e3 / usage.requests as f64;
        Self {
            requests: round.counts.sent(),
            errors: round.counts.failed(),
            planned_rps: round.planned_rps,
            achieved_rps: round.achieved_rps,
            duration_s: round.plan.duration_s,
            response_us: round.response_us,
            service_us: round.service_us,
            lag_us: round.lag_us,
            server_cpu_us_per_request: round.usage.as_ref().map(per_request).filter(|cost| cost.is_finite()),
            validity: &round.validity,
        }
    }
}
