//! Caveats: what a reader must know before trusting a number.

use std::fmt;

use engine::Experiment;
use engine::record::{Quantiles, Round, Validity};

use crate::group::Place;

/// A caveat: a sentence and its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The topic.
    pub topic: Topic,
    /// The sentence in reports.
    pub text: String,
}

/// An invalid round.
#[derive(Clone, Debug, PartialEq)]
pub struct InvalidRound {
    /// Its place.
    pub place: Place,
    /// Its block.
    pub block: u32,
    /// Requests per second that it achieved.
    pub achieved_rps: f64,
    /// Its response times.
    pub response_us: Quantiles,
    /// The reasons, each a sentence with its figures.
    pub reasons: Vec<String>,
}

impl InvalidRound {
    pub(crate) fn of(place: Place, round: &Round) -> Self {
        Self {
            place,
            block: round.block,
            achieved_rps: round.achieved_rps,
            response_us: round.response_us,
            reasons: round.validity.reasons.clone(),
        }
    }
}

/// The topic of a caveat, in the order in which reports list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// What is missing from the run.
    Run,
    /// Invalid measurements.
    Invalid,
    /// Statistical limitations.
    Statistics,
    /// Limitations of the comparison.
    Comparison,
    /// Effects of the machine and the setup.
    Setup,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Run, Self::Invalid, Self::Statistics, Self::Comparison, Self::Setup];

    /// Creates a caveat of this topic.
    pub(crate) fn warning(self, text: impl Into<String>) -> Warning {
        Warning { topic: self, text: text.into() }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "Missing from this run",
            Self::Invalid => "Invalid measurements",
            Self::Statistics => "Statistical limitations",
            Self::Comparison => "Limitations of the comparison",
            Self::Setup => "Machine and setup",
        })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns a caveat about these items, if there are any.
pub(crate) fn if_any<T>(found: &[T], warning: impl FnOnce(&[T]) -> Warning) -> Option<Warning> {
    (!found.is_empty()).then(|| warning(found))
}

/// Returns the caveat that there is no control to compare with.
pub(crate) fn no_control(experiment: Experiment) -> Warning {
    Topic::Statistics.warning(format!(
        "{experiment}: the control has no valid figures, so the cost of authentication is unknown; include the \
         scheme anonymous in the run."
    ))
}

/// Returns the caveat about places without an interval, each given with its number of valid rounds.
pub(crate) fn too_few_rounds(experiment: Experiment, needed: usize, places: &[(Place, usize)]) -> Option<Warning> {
    if_any(places, |places| {
        let most = places.iter().map(|(_, found)| *found).max().unwrap_or(0);
        Topic::Statistics.warning(format!(
            "{experiment}: a 95 % interval needs {needed} valid rounds; with at most {most} there is none for {}.",
            by_level(places.iter().map(|(place, _)| place))
        ))
    })
}

/// Returns one caveat for all points that are invalid for the same reasons.
pub(crate) fn invalid_points<'record>(
    experiment: Experiment,
    points: impl Iterator<Item = (String, &'record Validity)>,
) -> Vec<Warning> {
    let mut found: Vec<(&[String], Vec<String>)> = Vec::new();
    for (point, validity) in points.filter(|(_, validity)| !validity.valid) {
        match found.iter_mut().find(|(reasons, _)| *reasons == validity.reasons) {
            Some((_, points)) => points.push(point),
            None => found.push((&validity.reasons, vec![point])),
        }
    }
    let warning = |(reasons, points): (&[String], Vec<String>)| {
        Topic::Invalid.warning(format!(
            "{experiment}: invalid results for {}: {}.",
            points.join(", "),
            reasons.join("; ")
        ))
    };
    found.into_iter().map(warning).collect()
}

/// Lists places by level: `50 % of its capacity (session-redis, jwt-hs256); 4,000 requests/s
/// (jwt-eddsa)`.
pub(crate) fn by_level<'place>(places: impl Iterator<Item = &'place Place>) -> String {
    let mut levels: Vec<(String, Vec<&str>)> = Vec::new();
    for place in places {
        let name = place.level.to_string();
        match levels.iter_mut().find(|(known, _)| *known == name) {
            Some((_, schemes)) => schemes.push(&place.scheme),
            None => levels.push((name, vec![&place.scheme])),
        }
    }
    let items: Vec<String> =
        levels.into_iter().map(|(name, schemes)| format!("{name} ({})", schemes.join(", "))).collect();
    items.join("; ")
}
