//! Rounds that repeat one another.

use std::fmt;

use contract::Scheme;
use engine::record::{Garbage, Interval, Level, Record, Round};

use crate::words::grouped;

/// Where figures belong: the rounds of one experiment with one scheme at one level.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The experiment's name.
    pub experiment: &'static str,
    /// The scheme's id.
    pub scheme: String,
    /// The level.
    pub level: Level,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::AsPlanned => write!(f, "{}", self.scheme),
            _ => write!(f, "{} at {}", self.scheme, level_name(&self.level)),
        }
    }
}

/// A level in words, such as `50 % of its capacity`.
#[must_use]
pub fn level_name(level: &Level) -> String {
    match level {
        Level::Saturated => "saturation".to_owned(),
        Level::OfCapacity { fraction } => format!("{:.0} % of its capacity", fraction * 100.0),
        Level::EqualRate { rate_rps } => format!("{} requests/s", grouped(*rate_rps)),
        Level::FarStore { rtt_us, rate_rps } => {
            format!("{} over a store {} ms away", load_name(*rate_rps), f64::from(*rtt_us) / 1e3)
        }
        Level::Hops { hops, rate_rps, link_rtt_us } => {
            let way = if *hops == 1 { "hop" } else { "hops" };
            let apart =
                if *link_rtt_us > 0 { format!(" of {} ms", f64::from(*link_rtt_us) / 1e3) } else { String::new() };
            format!("{} over {hops} {way}{apart}", load_name(*rate_rps))
        }
        Level::Population { live, rate_rps } => {
            let load = rate_rps.map_or("saturation".to_owned(), |rate_rps| format!("{} requests/s", grouped(rate_rps)));
            format!("{load} with {} live credentials", grouped(*live as f64))
        }
        Level::BesideLogins { rate_rps, clients: 0 } => format!("{} requests/s beside nobody", grouped(*rate_rps)),
        Level::BesideLogins { rate_rps, clients } => {
            format!("{} requests/s beside {clients} clients who log in", grouped(*rate_rps))
        }
        Level::Refused { garbage } => format!("saturation with {}", garbage_name(*garbage)),
        Level::AsPlanned => "the planned load".to_owned(),
    }
}

/// What has to be refused, in words.
#[must_use]
pub const fn garbage_name(garbage: Garbage) -> &'static str {
    match garbage {
        Garbage::NoCredential => "no credential",
        Garbage::Malformed => "a malformed credential",
        Garbage::Forged => "a forged credential",
        Garbage::Expired => "an expired credential",
        Garbage::LongHeader => "a header of 30 KiB",
        Garbage::TooLongHeader => "too long a header",
    }
}

fn load_name(rate_rps: Option<f64>) -> String {
    rate_rps.map_or("saturation".to_owned(), |rate_rps| format!("{} requests/s", grouped(rate_rps)))
}

/// How many rounds of a place stand behind its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundCounts {
    /// Valid rounds: they feed the figures.
    pub used: usize,
    /// Invalid rounds: they feed nothing.
    pub excluded: usize,
}

/// The rounds of one scheme at one level, in the order in which they were measured.
#[derive(Clone, Debug)]
pub struct Group<'record> {
    /// The scheme's id.
    pub scheme: &'record str,
    /// The level.
    pub level: &'record Level,
    /// All rounds, invalid ones too.
    pub rounds: Vec<&'record Round>,
}

impl<'record> Group<'record> {
    /// The valid rounds.
    pub fn valid(&self) -> impl Iterator<Item = &'record Round> {
        self.rounds.iter().copied().filter(|round| round.validity.valid)
    }

    /// How many are valid and how many are not.
    #[must_use]
    pub fn count(&self) -> RoundCounts {
        let used = self.valid().count();
        RoundCounts { used, excluded: self.rounds.len() - used }
    }

    /// Every interval with its round, and whether it counts: it does if it lies inside the window
    /// of a valid round. The percentiles of reports are those of the intervals that count, merged.
    pub fn intervals(&self) -> impl Iterator<Item = (&'record Round, &'record Interval, bool)> {
        self.rounds.iter().copied().flat_map(|round| {
            let counts = |interval: &Interval| round.validity.valid && round.window.contains(interval.start_s);
            round.intervals.iter().map(move |interval| (round, interval, counts(interval)))
        })
    }

    /// Its place in an experiment.
    #[must_use]
    pub fn place(&self, experiment: &'static str) -> Place {
        Place { experiment, scheme: self.scheme.to_owned(), level: self.level.clone() }
    }

    /// Whether it is the control.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.scheme == Scheme::CONTROL.id()
    }
}

/// Sorts rounds into groups: schemes in the order of the record, levels from low to high.
#[must_use]
pub fn groups<'record>(record: &'record Record, rounds: &'record [Round]) -> Vec<Group<'record>> {
    let mut groups: Vec<Group<'record>> = Vec::new();
    for round in rounds {
        let same = |group: &&mut Group<'_>| group.scheme == round.scheme && *group.level == round.level;
        match groups.iter_mut().find(same) {
            Some(group) => group.rounds.push(round),
            None => groups.push(Group { scheme: &round.scheme, level: &round.level, rounds: vec![round] }),
        }
    }
    groups.sort_by(|left, right| {
        let places = scheme_order(record, left.scheme).cmp(&scheme_order(record, right.scheme));
        places.then_with(|| height(left.level).partial_cmp(&height(right.level)).expect("levels are numbers"))
    });
    groups
}

/// The scheme's place in the record; what it does not describe comes last.
pub(crate) fn scheme_order(record: &Record, scheme: &str) -> usize {
    record.schemes.iter().position(|described| described.scheme == scheme).unwrap_or(record.schemes.len())
}

/// The schemes of these, each once, in the order of the record.
pub(crate) fn schemes_in_order<'id>(record: &Record, ids: impl Iterator<Item = &'id String>) -> Vec<&'id str> {
    let mut schemes: Vec<&str> = ids.map(String::as_str).collect();
    // By name, too, so that those which the record does not describe stand together.
    schemes.sort_by_key(|scheme| (scheme_order(record, scheme), *scheme));
    schemes.dedup();
    schemes
}

/// Levels in order: by kind, then from low to high.
fn height(level: &Level) -> (u8, f64) {
    match level {
        Level::AsPlanned => (0, 0.0),
        Level::OfCapacity { fraction } => (1, *fraction),
        Level::EqualRate { rate_rps } => (2, *rate_rps),
        Level::FarStore { rtt_us, rate_rps: Some(_) } => (3, f64::from(*rtt_us)),
        Level::FarStore { rtt_us, rate_rps: None } => (4, f64::from(*rtt_us)),
        // Links first: no way has a thousand hops.
        Level::Hops { hops, rate_rps: Some(_), link_rtt_us } => (5, f64::from(*link_rtt_us) * 1e3 + f64::from(*hops)),
        Level::Hops { hops, rate_rps: None, .. } => (6, f64::from(*hops)),
        Level::BesideLogins { clients, .. } => (7, f64::from(*clients)),
        Level::Population { live, rate_rps: Some(_) } => (8, *live as f64),
        Level::Population { live, rate_rps: None } => (9, *live as f64),
        Level::Saturated => (10, 0.0),
        Level::Refused { garbage } => (11, f64::from(*garbage as u8)),
    }
}
