//! The level of a round: its load, and the factor that its experiment varies in addition.

use std::cmp::Ordering;
use std::fmt;

use engine::record::{Load, Round, RoundAt};

use crate::number::grouped;

/// What an experiment varies in addition to the scheme and the load.
pub trait Factor {
    /// Returns the words that follow those of the load, such as `with a store round trip of 1 ms`.
    ///
    /// Empty if the factor has its normal value.
    fn description(&self) -> String;

    /// Returns a part of a file name, such as `1000-us`; empty if the factor has its normal value.
    fn slug(&self) -> String;

    /// Returns the sort key.
    fn sort_key(&self) -> f64;
}

/// A round at some level.
pub trait Leveled {
    /// Returns the round.
    fn round(&self) -> &Round;

    /// Returns its level.
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
        let factor =
            VariedFactor { description: self.at.description(), slug: self.at.slug(), sort_key: self.at.sort_key() };
        Level { load: self.round.load, factor: Some(factor) }
    }
}

/// A load, and the factor that is varied in addition.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The planned load of a round.
    pub load: Load,
    /// None if nothing else is varied.
    factor: Option<VariedFactor>,
}

/// A factor of any kind.
#[derive(Clone, Debug, PartialEq)]
struct VariedFactor {
    description: String,
    slug: String,
    sort_key: f64,
}

impl Level {
    /// Returns the level of a load alone.
    #[must_use]
    pub const fn of(load: Load) -> Self {
        Self { load, factor: None }
    }

    /// Returns the end of a file name; empty if there is only one level.
    #[must_use]
    pub fn slug(&self) -> String {
        let factor = self.factor.as_ref().map(|factor| factor.slug.as_str()).unwrap_or_default();
        let load = match self.load {
            Load::AsPlanned => String::new(),
            // If nothing else is varied, saturated rounds are the only ones.
            Load::Saturated if factor.is_empty() => String::new(),
            Load::Saturated => "-saturated".to_owned(),
            Load::OfCapacity { fraction } => format!("-{:.0}-percent", fraction * 100.0),
            Load::EqualRate { rate_rps } => format!("-{rate_rps:.0}-rps"),
        };
        if factor.is_empty() { load } else { format!("-{factor}{load}") }
    }

    /// Orders by the kind of load, then from low to high.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let factor_key = |level: &Self| level.factor.as_ref().map_or(0.0, |factor| factor.sort_key);
        let [(kind, load), (other_kind, other_load)] = [self, other].map(|level| load_sort_key(level.load));
        kind.cmp(&other_kind)
            .then_with(|| load.total_cmp(&other_load))
            .then_with(|| factor_key(self).total_cmp(&factor_key(other)))
    }
}

const fn load_sort_key(load: Load) -> (u8, f64) {
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
            Some(factor) if !factor.description.is_empty() => write!(f, " {}", factor.description),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::record::{Hops, SentCredential, StoreDistance};

    use super::*;

    fn at(load: Load, factor: &impl Factor) -> Level {
        let factor =
            VariedFactor { description: factor.description(), slug: factor.slug(), sort_key: factor.sort_key() };
        Level { load, factor: Some(factor) }
    }

    #[test]
    fn level_has_a_description_and_a_file_name() {
        let rate = Load::EqualRate { rate_rps: 1000.0 };
        let formatted = |level: &Level| (level.to_string(), level.slug());
        let half = Level::of(Load::OfCapacity { fraction: 0.5 });
        assert_eq!(formatted(&half), ("50 % of its capacity".to_owned(), "-50-percent".to_owned()));
        assert_eq!(formatted(&Level::of(Load::Saturated)), ("saturation".to_owned(), String::new()));
        let far = at(rate, &StoreDistance { rtt_us: 200 });
        let expected = "1,000 requests/s with a store round trip of 0.2 ms";
        assert_eq!(formatted(&far), (expected.to_owned(), "-200-us-1000-rps".to_owned()));
        let good = at(Load::Saturated, &SentCredential { invalid: None });
        assert_eq!(formatted(&good), ("saturation".to_owned(), String::new()));
    }

    #[test]
    fn levels_are_ordered_by_load_then_by_factor() {
        let level = |load, hops| at(load, &Hops { hops, link_rtt_us: 0 });
        let rate = Load::EqualRate { rate_rps: 300.0 };
        let mut levels = [level(Load::Saturated, 0), level(rate, 4), level(rate, 0)];
        levels.sort_by(Level::order);
        assert_eq!(levels, [level(rate, 0), level(rate, 4), level(Load::Saturated, 0)]);
    }
}
