//! Estimates with intervals, for few samples.
//!
//! The sample is the round (or the process), never the request: requests of one round are not
//! independent, and a million of them would make any difference significant.

mod autocorrelation;
mod bootstrap;
mod change_points;
mod holm;
mod line;
mod logistic;
mod median;
#[cfg(test)]
mod nile;
mod proportion;
mod scalability;
mod signed_rank;
mod student;

pub use autocorrelation::{autocorrelation, merge_correlated};
pub use bootstrap::bootstrap;
pub use change_points::{ChangePoint, change_points};
pub(crate) use engine::median::median as median_value;
pub use holm::holm;
pub use line::{Line, least_squares};
pub use logistic::{Logistic, profile_interval};
pub use median::median;
pub use proportion::wilson;
pub use scalability::{Bottleneck, Usl};
pub use signed_rank::{hodges_lehmann, hodges_lehmann_ratio, signed_rank_above};
pub use student::mean;

/// The confidence level of every interval.
///
/// Exact intervals of few samples reach a higher level, because their levels come in steps;
/// [`Interval::level`] is the level reached.
pub const CONFIDENCE: f64 = 0.95;

/// The fewest samples for which [`median`] and [`hodges_lehmann`] have an interval: 6 for 95 %, 8 for 99 %.
///
/// Their widest interval misses only when all samples lie on one side of the truth, which happens
/// with probability 2 / 2^n.
#[must_use]
pub fn min_samples(confidence: f64) -> usize {
    (2.0 / (1.0 - confidence)).log2().ceil() as usize
}

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The level reached, at least the requested one.
    pub level: f64,
}

impl Interval {
    /// Returns whether the value lies inside.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Returns the same interval, extended to this value if it lies outside.
    #[must_use]
    pub const fn extended_to(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value), level: self.level }
    }
}

/// A number found from samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The interval; none if there are too few samples for the requested level.
    pub interval: Option<Interval>,
    /// The number of samples.
    pub samples: usize,
}

impl Estimate {
    /// Returns the same estimate on another scale; `scale` must be increasing.
    #[must_use]
    pub fn map(self, scale: impl Fn(f64) -> f64) -> Self {
        let interval = self.interval.map(|at| Interval { low: scale(at.low), high: scale(at.high), level: at.level });
        Self { value: scale(self.value), interval, samples: self.samples }
    }
}
