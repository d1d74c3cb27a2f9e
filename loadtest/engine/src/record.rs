//! The record of a run: the versioned JSON from which every report is made.
//!
//! Units stand last in names: `_s` seconds, `_us` microseconds, `_ns` nanoseconds, `_bytes`,
//! `_rps` requests per second. Times of a request are in microseconds throughout.

mod cost;
mod counters;
mod fanout;
mod gate;
mod histogram;
mod latency;
mod load;
mod login;
mod memory;
mod outage;
mod population;
mod quantiles;
mod reject;
mod revocation;
mod rotation;
mod round;
mod rtt;
mod run;
mod scaling;
mod slo;
#[cfg(feature = "toy-experiment")]
mod toy;
mod version;
mod wire;

use std::collections::BTreeMap;

use contract::SchemeDescriptor;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::each_experiment;
use crate::experiment::Experiment;

pub use histogram::{EncodedHistogram, HistogramError, MAX_US, MIN_US, SIGNIFICANT_DIGITS, empty_histogram};
pub use quantiles::{MIN_SAMPLES_ABOVE, Quantiles};
pub use round::{Counts, Interval, Load, Round, RoundAt, Usage, Validity, Window};
pub use run::{Conformance, Host, Omission, Placement, Run, Status};
pub use version::{FORMAT, FormatVersion};

/// The JSON Schema of the record, as committed in `results/schema/`.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Record).to_value()
}

/// One run: its request, findings and measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of this format.
    pub format: FormatVersion,
    /// What was run, when and how it ended.
    pub run: Run,
    /// The machine.
    pub host: Host,
    /// Programs and libraries that took part, by name, with their versions.
    pub software: BTreeMap<String, String>,
    /// Which processors the parts ran on, and how they were kept there.
    pub placement: Placement,
    /// The servers as they described themselves, one per scheme, in the requested order.
    pub schemes: Vec<SchemeDescriptor>,
    /// What was requested and left out.
    pub omitted: Vec<Omission>,
    /// How the servers did in the conformance suite before they were timed; empty where it was skipped.
    #[serde(default)]
    pub conformance: Vec<Conformance>,
    /// The measurements, in the order of the requested experiments.
    pub experiments: Vec<Measurement>,
}

macro_rules! measurement {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident : $needs:tt $title:literal, $compares:literal;)*) => {
        /// What one experiment measured: its name, and data of its own kind.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(tag = "id", content = "data", deny_unknown_fields)]
        #[expect(missing_docs, reason = "the data type of each variant describes it")]
        pub enum Measurement {
            $($(#[$on])* #[serde(rename = $id)] $data($data),)*
        }

        $($(#[$on])* pub use $module::*;)*

        /// Derived, this would compile the reading of each kind of data twice: after its id, and before it.
        impl<'de> Deserialize<'de> for Measurement {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let Unread { id, data } = Unread::deserialize(from)?;
                let read = match id.as_str() {
                    $($(#[$on])* $id => serde_json::from_str(data.get()).map(Self::$data),)*
                    _ => return Err(D::Error::custom(format_args!("there is no experiment `{id}`"))),
                };
                read.map_err(|error| D::Error::custom(format_args!("the data of `{id}`: {error}")))
            }
        }

        impl Measurement {
            /// The experiment that it is of.
            #[must_use]
            pub const fn experiment(&self) -> Experiment {
                match self { $($(#[$on])* Self::$data(_) => $data::EXPERIMENT,)* }
            }

            fn data(&self) -> &dyn Measured {
                match self { $($(#[$on])* Self::$data(data) => data,)* }
            }
        }

        $(
            $(#[$on])*
            impl Data for $data {
                const EXPERIMENT: Experiment = Self::EXPERIMENT;

                fn wrap(self) -> Measurement {
                    Measurement::$data(self)
                }

                fn of(measurement: &Measurement) -> Option<&Self> {
                    if let Measurement::$data(data) = measurement { Some(data) } else { None }
                }

                fn of_mut(measurement: &mut Measurement) -> Option<&mut Self> {
                    if let Measurement::$data(data) = measurement { Some(data) } else { None }
                }
            }
        )*
    };
}

each_experiment!(measurement);

/// A measurement whose data are still JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unread {
    id: String,
    data: Box<RawValue>,
}

/// What an experiment measures.
pub trait Measured {
    /// Its rounds of load; none for an experiment that keeps none, or keeps them with what it made of each.
    fn rounds(&self) -> Vec<&Round> {
        Vec::new()
    }

    /// Whether nothing is there yet.
    fn is_empty(&self) -> bool {
        false
    }
}

/// The data of one kind of experiment, which stand once in a record.
pub trait Data: Measured + Default {
    /// The experiment.
    const EXPERIMENT: Experiment;

    /// As a part of a record.
    fn wrap(self) -> Measurement;

    /// The data in this, if they are of this kind.
    fn of(measurement: &Measurement) -> Option<&Self>;

    /// The same, to be changed.
    fn of_mut(measurement: &mut Measurement) -> Option<&mut Self>;
}

impl Measurement {
    /// Its rounds of load; see [`Measured::rounds`].
    #[must_use]
    pub fn rounds(&self) -> Vec<&Round> {
        self.data().rounds()
    }

    /// Whether nothing has been measured yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data().is_empty()
    }
}

impl Record {
    /// What this kind of experiment measured, if it was made.
    #[must_use]
    pub fn data<D: Data>(&self) -> Option<&D> {
        self.experiments.iter().find_map(D::of)
    }

    /// The same, to be changed.
    #[must_use]
    pub fn data_mut<D: Data>(&mut self) -> Option<&mut D> {
        self.experiments.iter_mut().find_map(D::of_mut)
    }

    /// The same, empty at first.
    pub fn data_or_new<D: Data>(&mut self) -> &mut D {
        if self.data::<D>().is_none() {
            self.experiments.push(D::default().wrap());
        }
        self.data_mut().expect("it exists by now")
    }
}
