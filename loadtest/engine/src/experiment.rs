//! The table of experiments: one row each.
//!
//! A row names the module that holds the experiment in each crate, and the type of its data.
//! `experiments`, `evidence` and `report` expand [`each_experiment`](crate::each_experiment) or
//! [`each_comparison`](crate::each_comparison) where they need all of them, so that the build fails
//! if one of them lacks an experiment.

use std::fmt;
use std::str::FromStr;

use crate::record;

/// Passes all rows to a macro, in report order: `module "id" DataType: [needs] "title", "what is
/// compared";`.
#[macro_export]
macro_rules! each_experiment {
    ($then:ident) => {
        $crate::each_comparison! {
            $then
            load "load" LoadExperiment: [Timed, Paced] "Load", "nothing: one target under one load";
            slo "slo" SloExperiment: [Timed, Paced] "Highest sustained rate", "one target at different rates";
            gate "gate" GateExperiment: [Valgrind] "Regression gate", "two versions of the same schemes";
        }
    };
}

/// Passes the rows of `authbench compare` to a macro, in the order of execution.
///
/// Any other rows that are given come first.
#[macro_export]
macro_rules! each_comparison {
    ($then:ident $($before:tt)*) => {
        $then! {
            $($before)*
            cost "cost" CostExperiment: [Timed, Saturated] "CPU time per request", "schemes with the control";
            counters "counters" CountersExperiment: [Valgrind] "Counted work per request", "versions of a scheme with each other";
            latency "latency" LatencyExperiment: [Timed, Saturated, Paced, RateOfCapacity] "Response times", "schemes at equal rates, and at equal fractions of their capacities";
            rtt "rtt" RttExperiment: [Timed, Saturated, Paced, Proxied] "Store round-trip time", "each scheme over a local store with itself over a remote one";
            login "login" LoginExperiment: [Timed, Paced] "Login cost", "reads during a login burst with reads without concurrent logins";
            reject "reject" RejectExperiment: [Timed, Saturated] "Rejecting invalid requests", "invalid credentials with valid ones";
            scaling "scaling" ScalingExperiment: [Timed, Saturated, CpuQuotas] "Horizontal scaling", "several nodes with one";
            population "population" PopulationExperiment: [Timed, Saturated, Paced, FillsMemory] "Growing number of live credentials", "many live credentials with few";
            revocation "revocation" RevocationExperiment: [Timed, Proxied] "Revocation delay", "the observed delay with the limit of the scheme's revocation class";
            outage "outage" OutageExperiment: [Timed, Paced, Proxied] "Outages", "schemes during the same fault at the same time";
            fanout "fanout" FanoutExperiment: [Timed, Saturated, Paced] "Requests across several servers", "several hops with no hop, after subtraction of the control's difference";
            rotation "rotation" RotationExperiment: [Timed, Paced] "Key and token rotation", "before, during and after a rotation";
            memory "memory" MemoryExperiment: [FillsMemory] "Memory per live credential", "many live credentials with few";
            wire "wire" WireExperiment: [] "Bytes on the wire", "schemes with the control";
            #[cfg(feature = "toy-experiment")] toy "toy" ToyExperiment: [] "Toy experiment", "nothing";
        }
    };
}

/// An experiment of the table.
#[derive(Clone, Copy)]
pub struct Experiment {
    row: &'static Row,
}

/// The row of one experiment.
struct Row {
    /// The place in the table.
    place: usize,
    id: &'static str,
    title: &'static str,
    compares: &'static str,
    needs: &'static [Need],
}

/// A requirement of an experiment on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its figures are times and rates.
    Timed,
    /// It saturates a server.
    Saturated,
    /// It sends at times that a plan sets.
    Paced,
    /// It sends at a fraction of the capacity of a server.
    RateOfCapacity,
    /// It puts the delay proxy in front of a store.
    Proxied,
    /// It creates credentials up to a memory limit.
    FillsMemory,
    /// It sets a CPU quota for each server.
    CpuQuotas,
    /// It runs servers under valgrind.
    Valgrind,
}

/// `authbench compare` has no experiment of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown experiment {0:?}; available experiments: {all}", all = names())]
pub struct UnknownExperiment(String);

macro_rules! table {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident: [$($need:ident),*] $title:literal, $compares:literal;)*) => {
        /// The places of the rows.
        #[allow(non_camel_case_types, reason = "named as in the table")]
        #[derive(Clone, Copy)]
        enum Place {
            $($(#[$on])* $module,)*
        }

        static TABLE: &[Row] = &[$(
            $(#[$on])*
            Row {
                place: Place::$module as usize,
                id: $id,
                title: $title,
                compares: $compares,
                needs: &[$(Need::$need),*],
            },
        )*];

        $(
            $(#[$on])*
            impl record::$data {
                /// Its row in the table.
                pub const EXPERIMENT: Experiment = Experiment { row: &TABLE[Place::$module as usize] };
            }
        )*
    };
}

each_experiment!(table);

macro_rules! comparisons {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident: [$($need:ident),*] $title:literal, $compares:literal;)*) => {
        const COMPARISONS: &[Experiment] = &[$($(#[$on])* record::$data::EXPERIMENT,)*];
    };
}

each_comparison!(comparisons);

fn names() -> String {
    Experiment::all().map(Experiment::id).collect::<Vec<_>>().join(", ")
}

impl Experiment {
    /// Returns the experiments of `authbench compare`, in their order.
    pub fn all() -> impl Iterator<Item = Self> {
        COMPARISONS.iter().copied()
    }

    /// Returns its name on the command line and in the record.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.row.id
    }

    /// Returns its title in reports.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row.title
    }

    /// Returns what is compared with what.
    #[must_use]
    pub const fn compares(self) -> &'static str {
        self.row.compares
    }

    /// Returns whether it has this requirement.
    #[must_use]
    pub fn needs(self, need: Need) -> bool {
        self.row.needs.contains(&need)
    }
}

impl PartialEq for Experiment {
    fn eq(&self, other: &Self) -> bool {
        self.row.place == other.row.place
    }
}

impl Eq for Experiment {}

impl fmt::Debug for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Experiment({})", self.row.id)
    }
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row.id)
    }
}

impl FromStr for Experiment {
    type Err = UnknownExperiment;

    fn from_str(word: &str) -> Result<Self, UnknownExperiment> {
        Self::all().find(|experiment| experiment.id() == word).ok_or_else(|| UnknownExperiment(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_back_and_unknown_id_error_lists_the_known() {
        for experiment in Experiment::all() {
            assert_eq!(experiment.to_string().parse(), Ok(experiment));
        }
        let error = "weather".parse::<Experiment>().unwrap_err().to_string();
        assert!(
            error.starts_with("unknown experiment \"weather\"; available experiments: cost, counters, latency"),
            "{error}"
        );
        assert!("load".parse::<Experiment>().is_err(), "no comparison runs it");
    }

    #[test]
    fn experiments_with_load_need_timing() {
        let timed = |experiment: &Experiment| experiment.needs(Need::Timed);
        let others = [Need::Saturated, Need::Paced, Need::RateOfCapacity, Need::Proxied, Need::CpuQuotas];
        let others = Experiment::all().filter(|each| others.iter().any(|need| each.needs(*need)));
        assert_eq!(others.filter(|each| !timed(each)).collect::<Vec<_>>(), []);
        assert!(record::CostExperiment::EXPERIMENT.needs(Need::Timed));
        assert!(!record::WireExperiment::EXPERIMENT.needs(Need::Timed), "bytes do not depend on the rate");
    }
}
