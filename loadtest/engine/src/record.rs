//! The record of a run: the versioned JSON from which every report is made.
//!
//! Units stand last in names: `_s` seconds, `_us` microseconds, `_ns` nanoseconds, `_bytes`,
//! `_rps` requests per second. Times of a request are in microseconds throughout.

mod counts;
mod file;
mod histogram;
mod login;
mod memory;
mod outage;
mod population;
mod quantiles;
mod revocation;
mod rotation;
mod round;
mod run;
mod scaling;
mod slo;
mod version;
mod wire;

use std::collections::BTreeMap;

use contract::SchemeDescriptor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use file::{FILE_NAME, ReadError, WriteError, parse, read, schema, write};
pub use histogram::{EncodedHistogram, HIGHEST_US, HistogramError, LOWEST_US, SIGNIFICANT_DIGITS, empty_histogram};
pub use login::{Issuance, LoginExperiment, LoginStorm};
pub use memory::{MemoryExperiment, MemoryPoint};
pub use outage::{OutageExperiment, OutageFault, OutageRound, OutageSetup, Outcome};
pub use population::{Fill, FillState, PopulationExperiment};
pub use quantiles::{MIN_SAMPLES_ABOVE, Quantiles};
pub use revocation::{
    Acceptances, EventKind, PushLink, RevocationEvent, RevocationExperiment, RevocationPrice, RevocationSeries,
};
pub use rotation::{Learning, Presented, Race, Replay, Roll, RotationExperiment, Storm};
pub use round::{Counts, Garbage, Interval, Level, LoadExperiment, Round, Usage, Validity, Window};
pub use run::{Conformance, Host, Omission, Placement, Run, Status};
pub use scaling::{Balancing, ScalingExperiment, ScalingPoint, ServiceDemand, Slicing, Step};
pub use slo::{SearchEnd, SearchStep, SloExperiment, SloRound, SloVerdict};
pub use version::{FORMAT, FormatVersion};
pub use wire::{WireExperiment, WirePoint};

/// One run: everything that was asked, found and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The servers as they described themselves, one a scheme, in the order asked for.
    pub schemes: Vec<SchemeDescriptor>,
    /// What was asked for and left out.
    pub omitted: Vec<Omission>,
    /// How the servers did in the conformance suite before they were timed; empty where it was skipped.
    #[serde(default)]
    pub conformance: Vec<Conformance>,
    /// The measurements, in the order of the experiments asked for.
    pub experiments: Vec<Experiment>,
}

/// One experiment's measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "experiment", deny_unknown_fields)]
pub enum Experiment {
    /// `authbench load`: one load on one target.
    Load(LoadExperiment),
    /// `authbench load --slo`: the highest rate at which one target meets it.
    Slo(SloExperiment),
    /// CPU time of a request, in saturated closed loops.
    Cost(LoadExperiment),
    /// Response and service time, in open loops at set rates.
    Latency(LoadExperiment),
    /// What a store further away changes.
    Rtt(LoadExperiment),
    /// What logging in costs, and what it does to those who are logged in.
    Login(LoginExperiment),
    /// What refusing garbage costs, in saturated closed loops.
    Reject(LoadExperiment),
    /// Capacity against the number of nodes.
    Scaling(ScalingExperiment),
    /// More and more live credentials.
    Population(PopulationExperiment),
    /// From the acknowledgement of an event to the denial on every node.
    Revocation(RevocationExperiment),
    /// Requests that cross several servers.
    Fanout(LoadExperiment),
    /// Keys and refresh tokens that are replaced under load.
    Rotation(RotationExperiment),
    /// What is answered while something is broken.
    Outage(OutageExperiment),
    /// Bytes a live credential takes.
    Memory(MemoryExperiment),
    /// Bytes on the wire.
    Wire(WireExperiment),
}

impl Experiment {
    /// The experiment's name on the command line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Slo(_) => "slo",
            Self::Cost(_) => "cost",
            Self::Latency(_) => "latency",
            Self::Rtt(_) => "rtt",
            Self::Login(_) => "login",
            Self::Reject(_) => "reject",
            Self::Scaling(_) => "scaling",
            Self::Population(_) => "population",
            Self::Revocation(_) => "revocation",
            Self::Fanout(_) => "fanout",
            Self::Rotation(_) => "rotation",
            Self::Outage(_) => "outage",
            Self::Memory(_) => "memory",
            Self::Wire(_) => "wire",
        }
    }

    /// Its rounds of load; empty for an experiment that keeps none, or keeps them with what it made of each.
    #[must_use]
    pub fn rounds(&self) -> &[Round] {
        match self {
            Self::Load(load)
            | Self::Cost(load)
            | Self::Latency(load)
            | Self::Rtt(load)
            | Self::Reject(load)
            | Self::Fanout(load) => &load.rounds,
            Self::Login(login) => &login.rounds,
            Self::Population(population) => &population.rounds,
            Self::Slo(_)
            | Self::Scaling(_)
            | Self::Revocation(_)
            | Self::Rotation(_)
            | Self::Outage(_)
            | Self::Memory(_)
            | Self::Wire(_) => &[],
        }
    }
}

/// What one kind of experiment measures, which stands once in a record.
pub trait Measured: Default {
    /// As a part of a record.
    fn wrap(self) -> Experiment;

    /// The one that this is, if it is of this kind.
    fn of(experiment: &mut Experiment) -> Option<&mut Self>;
}

macro_rules! measured {
    ($($variant:ident $kind:ty),+ $(,)?) => {$(
        impl Measured for $kind {
            fn wrap(self) -> Experiment {
                Experiment::$variant(self)
            }

            fn of(experiment: &mut Experiment) -> Option<&mut Self> {
                if let Experiment::$variant(this) = experiment { Some(this) } else { None }
            }
        }
    )+};
}

measured!(
    Slo SloExperiment,
    Login LoginExperiment,
    Scaling ScalingExperiment,
    Population PopulationExperiment,
    Revocation RevocationExperiment,
    Rotation RotationExperiment,
    Outage OutageExperiment,
    Memory MemoryExperiment,
    Wire WireExperiment,
);
