//! The few numbers that stand for a histogram.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A percentile with fewer samples above it than this is an anecdote; reports grey it.
pub const MIN_SAMPLES_ABOVE: f64 = 100.0;

/// Quantiles in microseconds. All are null where nothing was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// The median.
    pub p50: Option<u64>,
    /// 90 %.
    pub p90: Option<u64>,
    /// 99 %.
    pub p99: Option<u64>,
    /// 99.9 %.
    pub p99_9: Option<u64>,
    /// 99.99 %.
    pub p99_99: Option<u64>,
    /// The highest value.
    pub max: Option<u64>,
    /// The arithmetic mean.
    pub mean: Option<f64>,
    /// Values recorded.
    pub count: u64,
}

impl Quantiles {
    /// The quantiles of a histogram of microseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| Some(histogram.value_at_quantile(quantile));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: Some(histogram.max()),
            mean: Some(histogram.mean()),
            count: histogram.len(),
        }
    }

    /// Whether enough samples lie above this quantile (0 to 1) to speak of it.
    #[must_use]
    pub fn supports(&self, quantile: f64) -> bool {
        self.count as f64 * (1.0 - quantile) >= MIN_SAMPLES_ABOVE - 1e-6
    }
}
