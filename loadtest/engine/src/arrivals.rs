//! When requests are to begin: a pure function of a plan and its seed.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Exp};

use crate::plan::{Arrivals, Plan};

/// Returns the offsets from the round's start at which requests are to begin, in order, up to the plan's
/// duration. Empty for a closed loop, whose users need no schedule.
#[derive(Debug)]
pub struct Schedule {
    gaps: Gaps,
    duration_s: f64,
    last_s: f64,
    index: u64,
}

#[derive(Debug)]
enum Gaps {
    Exponential(Exp<f64>, Box<SmallRng>),
    Even(f64),
    None,
}

impl Schedule {
    /// The schedule of a plan that has been checked.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let gaps = match plan.arrivals {
            Arrivals::Poisson { rate_rps } => Gaps::Exponential(
                Exp::new(rate_rps).expect("a checked plan has a positive rate"),
                Box::new(SmallRng::seed_from_u64(plan.seed)),
            ),
            Arrivals::Fixed { rate_rps } => Gaps::Even(rate_rps),
            Arrivals::Closed => Gaps::None,
        };
        Self { gaps, duration_s: plan.duration_s, last_s: 0.0, index: 0 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let next_s = match &mut self.gaps {
            Gaps::Exponential(gap, random) => self.last_s + gap.sample(random),
            // From the index, not from the last: no rounding error adds up.
            Gaps::Even(rate) => self.index as f64 / *rate,
            Gaps::None => return None,
        };
        self.last_s = next_s;
        self.index += 1;
        (next_s < self.duration_s).then(|| Duration::from_secs_f64(next_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(arrivals: Arrivals, seed: u64) -> Vec<f64> {
        let plan = Plan { seed, ..Plan::new(arrivals, 100.0) };
        Schedule::of(&plan).map(|offset| offset.as_secs_f64()).collect()
    }

    #[test]
    fn even_arrivals_are_exactly_spaced_and_counted() {
        let offsets = offsets(Arrivals::Fixed { rate_rps: 3.0 }, 1);
        assert_eq!(offsets.len(), 300);
        assert!((offsets[299] - 299.0 / 3.0).abs() < 1e-8);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_scatter_of_a_poisson_process() {
        let offsets = offsets(Arrivals::Poisson { rate_rps: 1000.0 }, 7);
        let count = offsets.len() as f64;
        assert!((count - 100_000.0).abs() < 4.0 * 100_000_f64.sqrt(), "{count}");
        let gaps: Vec<f64> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        let variation = variance.sqrt() / mean;
        assert!((variation - 1.0).abs() < 0.03, "an exponential gap's coefficient of variation is 1, not {variation}");
    }

    #[test]
    fn seed_determines_the_schedule() {
        let poisson = Arrivals::Poisson { rate_rps: 50.0 };
        assert_eq!(offsets(poisson, 3), offsets(poisson, 3));
        assert_ne!(offsets(poisson, 3), offsets(poisson, 4));
    }

    #[test]
    fn closed_loop_has_no_schedule() {
        assert!(offsets(Arrivals::Closed, 1).is_empty());
    }
}
