//! How far a round went: its load, and what its experiment varies besides.

use std::cmp::Ordering;
use std::fmt;

use engine::record::{Load, Round, RoundAt};

use crate::words::grouped;

/// What an experiment varies beside the scheme and the load.
pub trait Factor {
    /// In words that follow those of the load, such as `with a store round trip of 1 ms`; empty where nothing differs from elsewhere.
    fn words(&self) -> String;

    /// As a part of a file's name, such as `1000-us`; empty where nothing differs from elsewhere.
    fn slug(&self) -> String;

    /// In their order.
    fn height(&self) -> f64;
}

/// A round that stands at some level.
pub trait Leveled {
    /// The round.
    fn round(&self) -> &Round;

    /// Its level.
    fn level(&self) -> Level;
}

impl Leveled for Round {
    fn round(&self) -> &Round {
        self
    }

    fn level(&self) -> Level {
        Level::of(self.load)
    }
}

impl<F: Factor> Leveled for RoundAt<F> {
    fn round(&self) -> &Round {
        &self.round
    }

    fn level(&self) -> Level {
        let factor = Varied { words: self.at.words(), slug: self.at.slug(), height: self.at.height() };
        Level { load: self.round.load, factor: Some(factor) }
    }
}

/// A load, and what is varied besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// How many requests a round was meant to send.
    pub load: Load,
    /// None where nothing else is varied.
    factor: Option<Varied>,
}

/// A factor of any kind.
#[derive(Clone, Debug, PartialEq)]
struct Varied {
    words: String,
    slug: String,
    height: f64,
}

impl Level {
    /// A load alone.
    #[must_use]
    pub const fn of(load: Load) -> Self {
        Self { load, factor: None }
    }

    /// As the end of a file's name; empty where there is but one.
    #[must_use]
    pub fn slug(&self) -> String {
        let factor = self.factor.as_ref().map(|factor| factor.slug.as_str()).unwrap_or_default();
        let load = match self.load {
            Load::AsPlanned => String::new(),
            // Where nothing else is varied, saturated rounds are the only ones.
            Load::Saturated if factor.is_empty() => String::new(),
            Load::Saturated => "-saturated".to_owned(),
            Load::OfCapacity { fraction } => format!("-{:.0}-percent", fraction * 100.0),
            Load::EqualRate { rate_rps } => format!("-{rate_rps:.0}-rps"),
        };
        if factor.is_empty() { load } else { format!("-{factor}{load}") }
    }

    /// By the kind of the load, then from low to high.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let height = |level: &Self| level.factor.as_ref().map_or(0.0, |factor| factor.height);
        let [(kind, load), (other_kind, other_load)] = [self, other].map(|level| load_height(level.load));
        kind.cmp(&other_kind)
            .then_with(|| load.total_cmp(&other_load))
            .then_with(|| height(self).total_cmp(&height(other)))
    }
}

const fn load_height(load: Load) -> (u8, f64) {
    match load {
        Load::AsPlanned => (0, 0.0),
        Load::OfCapacity { fraction } => (1, fraction),
        Load::EqualRate { rate_rps } => (2, rate_rps),
        Load::Saturated => (3, 0.0),
    }
}

/// Such as `50 % of its capacity`, or `1,000 requests/s with a store round trip of 1 ms`.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.load {
            Load::AsPlanned => f.write_str("the planned load")?,
            Load::Saturated => f.write_str("saturation")?,
            Load::OfCapacity { fraction } => write!(f, "{:.0} % of its capacity", fraction * 100.0)?,
            Load::EqualRate { rate_rps } => write!(f, "{} requests/s", grouped(rate_rps))?,
        }
        match &self.factor {
            Some(factor) if !factor.words.is_empty() => write!(f, " {}", factor.words),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::record::{GarbageSent, Hops, StoreDistance};

    use super::*;

    fn at(load: Load, factor: &impl Factor) -> Level {
        let factor = Varied { words: factor.words(), slug: factor.slug(), height: factor.height() };
        Level { load, factor: Some(factor) }
    }

    #[test]
    fn a_level_is_told_in_words_and_in_a_files_name() {
        let rate = Load::EqualRate { rate_rps: 1000.0 };
        let told = |level: &Level| (level.to_string(), level.slug());
        let half = Level::of(Load::OfCapacity { fraction: 0.5 });
        assert_eq!(told(&half), ("50 % of its capacity".to_owned(), "-50-percent".to_owned()));
        assert_eq!(told(&Level::of(Load::Saturated)), ("saturation".to_owned(), String::new()));
        let far = at(rate, &StoreDistance { rtt_us: 200 });
        let said = "1,000 requests/s with a store round trip of 0.2 ms";
        assert_eq!(told(&far), (said.to_owned(), "-200-us-1000-rps".to_owned()));
        let good = at(Load::Saturated, &GarbageSent { garbage: None });
        assert_eq!(told(&good), ("saturation".to_owned(), String::new()));
    }

    #[test]
    fn levels_stand_by_load_then_by_what_is_varied() {
        let level = |load, hops| at(load, &Hops { hops, link_rtt_us: 0 });
        let rate = Load::EqualRate { rate_rps: 300.0 };
        let mut levels = [level(Load::Saturated, 0), level(rate, 4), level(rate, 0)];
        levels.sort_by(Level::order);
        assert_eq!(levels, [level(rate, 0), level(rate, 4), level(Load::Saturated, 0)]);
    }
}
