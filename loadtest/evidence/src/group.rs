//! Rounds that repeat one another.

use std::fmt;

use contract::Scheme;
use engine::Experiment;
use engine::record::{Interval, Load, Record, Round, RoundAt};

use crate::level::{Level, Leveled};
use crate::warning::InvalidRound;

/// Where figures belong: the rounds of one experiment with one scheme at one level.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The experiment.
    pub experiment: Experiment,
    /// The scheme's id.
    pub scheme: String,
    /// The level.
    pub level: Level,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level.load {
            Load::AsPlanned => write!(f, "{}", self.scheme),
            _ => write!(f, "{} at {}", self.scheme, self.level),
        }
    }
}

/// How many rounds of a place stand behind its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundCounts {
    /// Valid rounds: they are used for the figures.
    pub used: usize,
    /// Invalid rounds: they are excluded from all figures.
    pub excluded: usize,
}

/// The rounds of one scheme at one level, in the order in which they were measured.
#[derive(Clone, Debug)]
pub struct Group<'record, R = Round> {
    /// The scheme's id.
    pub scheme: &'record str,
    /// The level.
    pub level: Level,
    /// All rounds, invalid ones too.
    pub rounds: Vec<&'record R>,
}

impl<'record, R: Leveled> Group<'record, R> {
    /// Returns the valid rounds.
    pub fn valid(&self) -> impl Iterator<Item = &'record Round> {
        self.valid_at().map(Leveled::round)
    }

    /// Returns the valid rounds, each with its varied factor.
    pub fn valid_at(&self) -> impl Iterator<Item = &'record R> {
        self.rounds.iter().copied().filter(|each| each.round().validity.valid)
    }

    /// Returns the number of valid and of invalid rounds.
    #[must_use]
    pub fn count(&self) -> RoundCounts {
        let used = self.valid().count();
        RoundCounts { used, excluded: self.rounds.len() - used }
    }

    /// Returns every interval with its round, and whether it counts.
    ///
    /// An interval counts if it lies inside the window of a valid round. The percentiles of reports
    /// are those of the merged intervals that count.
    pub fn intervals(&self) -> impl Iterator<Item = (&'record Round, &'record Interval, bool)> {
        self.rounds.iter().copied().flat_map(|each| {
            let round = each.round();
            let counts = |interval: &Interval| round.validity.valid && round.window.contains(interval.start_s);
            round.intervals.iter().map(move |interval| (round, interval, counts(interval)))
        })
    }

    /// Returns the invalid rounds with their figures and reasons.
    pub(crate) fn invalid(&self, experiment: Experiment) -> Vec<InvalidRound> {
        let rounds = self.rounds.iter().map(|each| each.round()).filter(|round| !round.validity.valid);
        rounds.map(|round| InvalidRound::of(self.place(experiment), round)).collect()
    }

    /// Its place in an experiment.
    #[must_use]
    pub fn place(&self, experiment: Experiment) -> Place {
        Place { experiment, scheme: self.scheme.to_owned(), level: self.level.clone() }
    }

    /// Whether it is the control.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.scheme == Scheme::CONTROL.id()
    }

    fn without_factor(&self) -> Group<'record> {
        let rounds = self.rounds.iter().map(|each| each.round()).collect();
        Group { scheme: self.scheme, level: self.level.clone(), rounds }
    }
}

impl<'record, F> Group<'record, RoundAt<F>> {
    /// Returns the varied factor, which is the same for all rounds of a group.
    pub(crate) fn at(&self) -> &'record F {
        &self.rounds[0].at
    }
}

/// Returns the same groups without the varied factor.
pub(crate) fn without_factor<'record, R: Leveled>(groups: &[Group<'record, R>]) -> Vec<Group<'record>> {
    groups.iter().map(Group::without_factor).collect()
}

/// Sorts rounds into groups: schemes in the order of the record, levels from low to high.
pub(crate) fn groups<'record, R: Leveled>(record: &'record Record, rounds: &'record [R]) -> Vec<Group<'record, R>> {
    let mut groups: Vec<Group<'record, R>> = Vec::new();
    for each in rounds {
        let (scheme, level) = (each.round().scheme.as_str(), each.level());
        match groups.iter_mut().find(|group| group.scheme == scheme && group.level == level) {
            Some(group) => group.rounds.push(each),
            None => groups.push(Group { scheme, level, rounds: vec![each] }),
        }
    }
    groups.sort_by(|left, right| {
        let places = scheme_order(record, left.scheme).cmp(&scheme_order(record, right.scheme));
        places.then_with(|| left.level.order(&right.level))
    });
    groups
}

/// Returns the scheme's place in the record; a scheme that the record does not describe comes last.
pub(crate) fn scheme_order(record: &Record, scheme: &str) -> usize {
    record.schemes.iter().position(|described| described.scheme == scheme).unwrap_or(record.schemes.len())
}

/// Returns the distinct schemes of these ids, in the order of the record.
pub(crate) fn schemes_in_order<'id>(record: &Record, ids: impl Iterator<Item = &'id String>) -> Vec<&'id str> {
    let mut schemes: Vec<&str> = ids.map(String::as_str).collect();
    // Also by name, so that schemes which the record does not describe stay together.
    schemes.sort_by_key(|scheme| (scheme_order(record, scheme), *scheme));
    schemes.dedup();
    schemes
}
