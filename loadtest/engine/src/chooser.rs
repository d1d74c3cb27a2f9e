//! Chooses the credential of each request.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Uniform, Zipf};

use crate::plan::{Choice, Population};

/// A seeded stream of credential numbers, each below the population's size.
#[derive(Debug)]
pub struct Chooser {
    law: Law,
    random: SmallRng,
}

#[derive(Debug)]
enum Law {
    Uniform(Uniform<u32>),
    Zipf(Zipf<f64>),
}

impl Chooser {
    /// The stream with this number under this seed; streams differ from one another.
    #[must_use]
    pub fn new(population: Population, seed: u64, stream: u64) -> Self {
        let law = match population.choice {
            Choice::Uniform => Law::Uniform(Uniform::new(0, population.size).expect("a checked plan has a population")),
            Choice::Zipf { exponent } => Law::Zipf(
                Zipf::new(f64::from(population.size), exponent).expect("a checked plan has a positive exponent"),
            ),
        };
        // Far apart, so that stream 1 of seed 1 is not stream 0 of seed 2.
        let seed = seed ^ (stream + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self { law, random: SmallRng::seed_from_u64(seed) }
    }

    /// The next credential's number.
    pub fn choose(&mut self) -> u32 {
        match &self.law {
            Law::Uniform(law) => law.sample(&mut self.random),
            Law::Zipf(law) => law.sample(&mut self.random) as u32 - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(choice: Choice) -> Vec<u32> {
        let mut counts = vec![0; 100];
        let mut chooser = Chooser::new(Population { size: 100, choice }, 5, 0);
        for _ in 0..100_000 {
            counts[chooser.choose() as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_choice_takes_each_about_as_often() {
        let counts = counts(Choice::Uniform);
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
    }

    #[test]
    fn zipf_choice_takes_the_first_twice_as_often_as_the_second() {
        let counts = counts(Choice::Zipf { exponent: 1.0 });
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((ratio - 2.0).abs() < 0.1, "{ratio}");
        assert!(counts[99] > 0, "the last one must be reachable");
    }

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |seed, stream| {
            let mut chooser = Chooser::new(Population::default(), seed, stream);
            (0..20).map(|_| chooser.choose()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 0));
    }
}
