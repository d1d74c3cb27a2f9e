//! The results of a record: tables, statistics and warnings.
//!
//! Everything here is a pure function of a record: no files, no clock, no randomness. Reports and
//! gates take their numbers from here, so that each number is computed in one place.

pub mod statistics;

mod capacity;
mod cost;
mod counters;
mod demand;
mod fanout;
mod gate;
mod group;
mod latency;
mod level;
mod load;
mod login;
mod memory;
mod number;
mod outage;
mod population;
mod reject;
mod revocation;
mod rotation;
mod rtt;
mod scaling;
mod slo;
mod timeline;
#[cfg(feature = "toy-experiment")]
mod toy;
mod violation;
mod warning;
mod warnings;
mod wire;

pub use capacity::{Capacity, Part, SATURATED_CPU_SHARE};
pub use demand::DemandRow;
pub use group::{Group, Place, RoundCounts};
pub use level::Level;
pub use number::grouped;
pub use timeline::{Timeline, TimelinePoint};
pub use violation::Violation;
pub use warning::{InvalidRound, Topic, Warning};

use engine::record::{Data, HistogramError, Measurement, Record, Round};
use engine::{Experiment, each_experiment};

/// How the data of an experiment are analysed; implemented in the module of each experiment.
pub trait Analyse: Data {
    /// Its figures.
    type Table;

    /// Returns the figures; none if nothing was measured that could show any.
    fn analyse(&self, record: &Record) -> Result<Option<Self::Table>, EvidenceError>;

    /// Returns the caveats of these figures.
    fn warnings(&self, record: &Record, table: Option<&Self::Table>) -> Vec<Warning>;

    /// Returns the rounds of load, grouped by repetition; none for an experiment without rounds of
    /// load.
    fn groups<'record>(&'record self, _: &'record Record) -> Vec<Group<'record>> {
        Vec::new()
    }

    /// Returns events that must never happen, in valid and invalid rounds.
    #[must_use]
    fn violations(_: &Self::Table) -> Vec<Violation> {
        Vec::new()
    }
}

macro_rules! evidence {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident: $needs:tt $title:literal, $compares:literal;)*) => {
        $($(#[$on])* pub use $module::*;)*

        /// All results of a record: the figures of each experiment, and the caveats of all of them.
        #[derive(Clone, Debug)]
        pub struct Evidence {
            $($(#[$on])* #[doc = $title] pub $module: Option<<engine::record::$data as Analyse>::Table>,)*
            /// Caveats, by topic.
            pub warnings: Vec<Warning>,
            /// The invalid rounds.
            pub invalid_rounds: Vec<InvalidRound>,
            /// Events that must never happen; empty for a correct server.
            pub violations: Vec<Violation>,
        }

        impl Evidence {
            /// Computes the results of a record.
            pub fn of(record: &Record) -> Result<Self, EvidenceError> {
                let mut collected = Collected { warnings: warnings::for_run(record), ..Collected::default() };
                $($(#[$on])* let $module = collected.analyse::<engine::record::$data>(record)?;)*
                let Collected { mut warnings, invalid_rounds, violations } = collected;
                warnings.extend(warnings::for_machine(record));
                warnings.sort_by_key(|warning| warning.topic);
                Ok(Self { $($(#[$on])* $module,)* warnings, invalid_rounds, violations })
            }
        }

        /// Returns the rounds of load of an experiment, grouped by repetition.
        ///
        /// Schemes are in the order of the record, levels from low to high.
        #[must_use]
        pub fn groups<'record>(record: &'record Record, measurement: &'record Measurement) -> Vec<Group<'record>> {
            match measurement {
                $($(#[$on])* Measurement::$data(data) => data.groups(record),)*
            }
        }
    };
}

each_experiment!(evidence);

/// Results so far, apart from figures.
#[derive(Default)]
struct Collected {
    warnings: Vec<Warning>,
    invalid_rounds: Vec<InvalidRound>,
    violations: Vec<Violation>,
}

impl Collected {
    fn analyse<D: Analyse>(&mut self, record: &Record) -> Result<Option<D::Table>, EvidenceError> {
        let Some(data) = record.data::<D>() else { return Ok(None) };
        let table = data.analyse(record)?;
        self.warnings.extend(data.warnings(record, table.as_ref()));
        let groups = data.groups(record);
        self.invalid_rounds.extend(groups.iter().flat_map(|group| group.invalid(D::EXPERIMENT)));
        self.violations.extend(table.iter().flat_map(D::violations));
        Ok(table)
    }
}

/// A record contains a histogram that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read a histogram of {experiment}, scheme {scheme}, block {block}: {source}; the record is damaged, \
     repeat the run"
)]
pub struct EvidenceError {
    experiment: Experiment,
    scheme: String,
    block: u32,
    source: UnusableHistogram,
}

/// Why a histogram cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableHistogram {
    /// It is not a histogram.
    #[error(transparent)]
    Encoding(#[from] HistogramError),
    /// It contains times beyond the range that authbench records.
    #[error("its values are outside the range of authbench's histograms ({0})")]
    Bounds(#[from] hdrhistogram::AdditionError),
}

impl EvidenceError {
    /// Creates the error for a histogram of this round.
    #[must_use]
    pub fn new(experiment: Experiment, round: &Round, source: UnusableHistogram) -> Self {
        Self { experiment, scheme: round.scheme.clone(), block: round.block, source }
    }
}
