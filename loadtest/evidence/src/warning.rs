//! What a reader must know before trusting a number: each caveat is a type of its own.

use std::fmt;

use crate::capacity::Part;
use crate::group::{Place, level_name};
use crate::memory::FEWEST_POPULATIONS;
use crate::wire::COOKIE_LIMIT_BYTES;
use crate::{BrokenPromise, NoHeadline};

/// A caveat. Its `Display` is the sentence that reports print.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the sentence of each variant is its description, and the fields are its figures")]
pub enum Warning {
    IncompleteRun { reason: String },
    Omitted { what: String, reason: String },
    InvalidRound { place: Place, block: u32, reasons: Vec<String> },
    InvalidPoints { experiment: &'static str, points: Vec<String>, reasons: Vec<String> },
    VoidRounds { experiment: &'static str, void: usize, of: usize, reasons: Vec<(&'static str, usize)> },
    NothingValid { experiment: &'static str, places: Vec<Place> },
    Inconsistent { place: Place, block: u32 },
    Failures { place: Place, failed: u64, sent: u64 },
    NoControl { experiment: &'static str },
    UsageUnseen { schemes: Vec<String> },
    StoreUnseen { schemes: Vec<String> },
    TooFewRounds { experiment: &'static str, needed: usize, places: Vec<(Place, usize)> },
    TooFewPopulations { scheme: String, found: usize },
    NotStraight { scheme: String, r_squared: f64 },
    SingleFill { schemes: Vec<String> },
    UnsupportedPercentile { experiment: &'static str, percentile: &'static str, places: Vec<Place>, of: usize },
    LowerBound { schemes: Vec<String> },
    NothingFull { schemes: Vec<String> },
    NoHeadline { why: NoHeadline },
    SharedProcessors { schemes: Vec<String>, parts: Vec<Part> },
    WarmupNotDetected { experiment: &'static str, rounds: usize },
    Steal { experiment: &'static str, rounds: usize, highest: f64 },
    StealUnseen,
    NotPinned,
    NotRealtime { class: String },
    LocalStore { schemes: Vec<String> },
    DifferentCarriers { schemes: Vec<(String, String)> },
    CookieTooLarge { scheme: String, roles: u16, bytes: u64 },
    ClassBroken { broken: BrokenPromise },
    Virtualized,
    Governor { name: String },
    ClockSource { name: String },
    UncommittedCode { revision: Option<String> },
}

/// What a caveat is about, in the order in which reports list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// What is missing from the run.
    Run,
    /// What was measured and does not count.
    Invalid,
    /// What the numbers cannot carry.
    Statistics,
    /// What may not be compared just so.
    Comparison,
    /// What the bench did to the measurement.
    Bench,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "What is missing",
            Self::Invalid => "What was measured but does not count",
            Self::Statistics => "What the numbers cannot carry",
            Self::Comparison => "What to mind when comparing",
            Self::Bench => "The bench and the machine",
        })
    }
}

impl Warning {
    /// What it is about.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::IncompleteRun { .. } | Self::Omitted { .. } => Topic::Run,
            Self::InvalidRound { .. }
            | Self::InvalidPoints { .. }
            | Self::VoidRounds { .. }
            | Self::NothingValid { .. }
            | Self::Inconsistent { .. }
            | Self::Failures { .. } => Topic::Invalid,
            Self::NoControl { .. }
            | Self::UsageUnseen { .. }
            | Self::StoreUnseen { .. }
            | Self::TooFewRounds { .. }
            | Self::TooFewPopulations { .. }
            | Self::NotStraight { .. }
            | Self::SingleFill { .. }
            | Self::UnsupportedPercentile { .. } => Topic::Statistics,
            Self::LowerBound { .. }
            | Self::NothingFull { .. }
            | Self::NoHeadline { .. }
            | Self::SharedProcessors { .. }
            | Self::LocalStore { .. }
            | Self::DifferentCarriers { .. }
            | Self::CookieTooLarge { .. }
            | Self::ClassBroken { .. } => Topic::Comparison,
            Self::WarmupNotDetected { .. }
            | Self::Steal { .. }
            | Self::StealUnseen
            | Self::NotPinned
            | Self::NotRealtime { .. }
            | Self::Virtualized
            | Self::Governor { .. }
            | Self::ClockSource { .. }
            | Self::UncommittedCode { .. } => Topic::Bench,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.topic() {
            Topic::Run | Topic::Invalid => self.say_what_does_not_count(f),
            Topic::Statistics => self.say_what_is_too_little(f),
            Topic::Comparison => self.say_what_differs(f),
            Topic::Bench => self.say_how_it_was_measured(f),
        }
    }
}

impl Warning {
    fn say_what_does_not_count(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IncompleteRun { reason } => {
                write!(f, "The run is incomplete ({reason}): it shows what was measured until then.")
            }
            Self::Omitted { what, reason } => write!(f, "{what} was asked for and left out: {reason}"),
            Self::InvalidRound { place, block, reasons } => {
                write!(
                    f,
                    "{}: the round of {place} in block {block} is invalid: {}.",
                    place.experiment,
                    reasons.join("; ")
                )
            }
            Self::InvalidPoints { experiment, points, reasons } => {
                write!(f, "{experiment}: invalid are {}: {}.", points.join(", "), reasons.join("; "))
            }
            Self::VoidRounds { experiment, void, of, reasons } => {
                let reasons: Vec<String> = reasons.iter().map(|(what, rounds)| format!("{what} in {rounds}")).collect();
                write!(
                    f,
                    "{experiment}: {void} of {of} rounds say nothing of the target and were made again: {}.",
                    reasons.join(", ")
                )
            }
            Self::NothingValid { experiment, places } => {
                let places: Vec<&Place> = places.iter().collect();
                write!(f, "{experiment}: there is no valid round, and so no figure, for {}.", by_level(&places))
            }
            Self::Inconsistent { place, block } => write!(
                f,
                "{}: the percentiles that the record states for {place} in block {block} are not those of its own histograms; the report uses the histograms.",
                place.experiment
            ),
            Self::Failures { place, failed, sent } => write!(
                f,
                "{}: {failed} of {sent} requests of {place} failed in valid rounds; their times are in the histograms.",
                place.experiment
            ),
            _ => Ok(()),
        }
    }

    fn say_what_is_too_little(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoControl { experiment } => write!(
                f,
                "{experiment}: the control has no valid figures, so nothing can be said of what authentication adds; run with the scheme anonymous."
            ),
            Self::UsageUnseen { schemes } => write!(
                f,
                "The processes of {} could not be observed, so there is no CPU time for them; run the servers on this machine.",
                schemes.join(", ")
            ),
            Self::StoreUnseen { schemes } => write!(
                f,
                "The store of {} could not be observed: its CPU time is missing from the cost, not zero.",
                schemes.join(", ")
            ),
            Self::TooFewRounds { experiment, needed, places } => {
                let most = places.iter().map(|(_, found)| *found).max().unwrap_or(0);
                let places: Vec<&Place> = places.iter().map(|(place, _)| place).collect();
                write!(
                    f,
                    "{experiment}: an interval at 95 % needs {needed} valid rounds; with at most {most} there is none for {}.",
                    by_level(&places)
                )
            }
            Self::TooFewPopulations { scheme, found } => write!(
                f,
                "memory: no fill of {scheme} has {FEWEST_POPULATIONS} valid population sizes ({found} in all), so there is no slope."
            ),
            Self::NotStraight { scheme, r_squared } => write!(
                f,
                "memory: the points of {scheme} do not lie on a line (R² = {r_squared:.3}): the slope is an average over the sizes tried."
            ),
            Self::SingleFill { schemes } => write!(
                f,
                "memory: filled once were {}: their intervals hold the scatter about the line but not the difference between processes, and are too narrow.",
                schemes.join(", ")
            ),
            Self::UnsupportedPercentile { experiment, percentile, places, of } => {
                write!(f, "{experiment}: {percentile} has fewer than 100 samples above it ")?;
                if places.len() == *of {
                    return write!(f, "everywhere, and is greyed.");
                }
                let places: Vec<&Place> = places.iter().collect();
                write!(f, "at {} of {of} places, and is greyed there: {}.", places.len(), by_level(&places))
            }
            _ => Ok(()),
        }
    }

    fn say_what_differs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClassBroken { broken } => write!(f, "revocation: {broken}; its prices do not count at that class."),
            Self::LowerBound { schemes } => write!(
                f,
                "The generator was full before the server of {}: the capacity is a lower bound.",
                schemes.join(", ")
            ),
            Self::NothingFull { schemes } => write!(
                f,
                "Nothing was full at the capacity of {}: too few connections kept it waiting, or other programs took the processors. Neither its capacity nor its CPU time is that of a full server.",
                schemes.join(", ")
            ),
            Self::NoHeadline { why } => write!(f, "scaling: {why}"),
            Self::SharedProcessors { schemes, parts } => {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "{} shared full processors at the capacity of {}: it is the capacity of this bench, generator included, and not that of the server.",
                    parts.join(" and "),
                    schemes.join(", ")
                )
            }
            Self::LocalStore { schemes } => write!(
                f,
                "The store of {} ran on this machine, so its round-trip time is next to nothing. Every network between server and store adds its own to each look-up: this run alone decides nothing about latency.",
                schemes.join(", ")
            ),
            Self::DifferentCarriers { schemes } => {
                let schemes: Vec<String> =
                    schemes.iter().map(|(scheme, carrier)| format!("{scheme} by {carrier}")).collect();
                write!(
                    f,
                    "The schemes travel by different carriers ({}): a part of the difference is the carrier's.",
                    schemes.join(", ")
                )
            }
            Self::CookieTooLarge { scheme, roles, bytes } => write!(
                f,
                "wire: the credential of {scheme} with {roles} roles has {bytes} bytes; browsers drop a cookie above {COOKIE_LIMIT_BYTES}."
            ),
            _ => Ok(()),
        }
    }

    fn say_how_it_was_measured(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WarmupNotDetected { experiment, rounds } => {
                write!(f, "{experiment}: in {rounds} valid rounds the warm-up was set, not detected.")
            }
            Self::Steal { experiment, rounds, highest } => write!(
                f,
                "{experiment}: the hypervisor gave CPU time to others in {rounds} valid rounds, up to {:.1} %.",
                highest * 100.0
            ),
            Self::StealUnseen => write!(f, "Whether a hypervisor gave CPU time to others cannot be seen here."),
            Self::NotPinned => write!(
                f,
                "Nothing was pinned to processors: the kernel moved server, store and generator as it liked, and they disturbed one another."
            ),
            Self::NotRealtime { class } => write!(
                f,
                "The generator ran under {class}, not SCHED_FIFO: where others use its processors it wakes late, which shows as lag. Allow CAP_SYS_NICE to mend it."
            ),
            Self::Virtualized => {
                write!(
                    f,
                    "This is a virtual machine: absolute times depend on what else its host does. Compare only within this run."
                )
            }
            Self::Governor { name } => write!(
                f,
                "The processors' frequency governor is {name}, not performance: the clock follows the load, and CPU times with it."
            ),
            Self::ClockSource { name } => {
                write!(
                    f,
                    "The kernel's clock source is {name}, not tsc: reading the clock is slow here and adds to every time."
                )
            }
            Self::UncommittedCode { revision: Some(revision) } => {
                write!(
                    f,
                    "authbench was built from {revision}, with changes that no commit has: nobody else can build it."
                )
            }
            Self::UncommittedCode { revision: None } => {
                write!(f, "authbench was built outside a checkout: its revision is unknown.")
            }
            _ => Ok(()),
        }
    }
}

/// Places sorted by level: `50 % of its capacity (session-redis, jwt-hs256); 4,000 requests/s (jwt-eddsa)`.
fn by_level(places: &[&Place]) -> String {
    let mut levels: Vec<(String, Vec<&str>)> = Vec::new();
    for place in places {
        let name = level_name(&place.level);
        match levels.iter_mut().find(|(known, _)| *known == name) {
            Some((_, schemes)) => schemes.push(&place.scheme),
            None => levels.push((name, vec![&place.scheme])),
        }
    }
    let told: Vec<String> =
        levels.into_iter().map(|(name, schemes)| format!("{name} ({})", schemes.join(", "))).collect();
    told.join("; ")
}
