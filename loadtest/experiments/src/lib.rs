//! The experiments: one module each, with what it varies, what it holds and what it measures.
//!
//! Here driver and lab meet: the lab starts the processes and watches them, the driver loads them,
//! and the [`Journal`] keeps what came of it.

mod balancer;
mod bench;
mod blocks;
mod ceiling;
pub mod cost;
pub mod doctor;
pub mod fanout;
mod fleet;
mod journal;
pub mod latency;
mod links;
pub mod login;
pub mod memory;
mod nodes;
mod order;
pub mod outage;
mod own_store;
pub mod population;
pub mod profile;
pub mod reject;
pub mod revocation;
pub mod rotation;
mod round_size;
pub mod rtt;
pub mod scaling;
pub mod slo;
#[cfg(feature = "toy-experiment")]
pub mod toy;
mod visit;
pub mod wire;

use std::fmt::Debug;

use engine::record::{self, Data};
use engine::{Experiment, each_comparison};

pub use balancer::Balancer;
pub use bench::{Bench, ExperimentError, Setting};
pub use journal::Journal;
pub use visit::{Watched, alone, drive_round};

use crate::profile::{Parameters, Profile};

/// An experiment of `authbench compare`. What it measures implements this, in the module of the experiment.
pub trait Run: Data {
    /// How much it measures.
    type Parameters: Clone + Debug;

    /// Returns the parameters of a profile.
    fn parameters(profile: Profile) -> Self::Parameters;

    /// Measures, and adds each result to the journal.
    fn run(bench: &mut Bench<'_>, parameters: &Self::Parameters) -> Result<(), ExperimentError>;
}

/// The present moment as it stands in a record: UTC, RFC 3339.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Somebody who is told how far an experiment has come.
pub trait Progress {
    /// An experiment of so many steps begins.
    fn begin(&mut self, title: &str, steps: u64);
    /// A step begins.
    fn step(&mut self, what: &str);
    /// The experiment has ended.
    fn end(&mut self);
    /// Something the user should know now.
    fn note(&mut self, text: &str);
}

/// Runs an experiment with its parameters.
pub fn run(experiment: Experiment, bench: &mut Bench<'_>, parameters: &Parameters) -> Result<(), ExperimentError> {
    // Of before.
    drop(lab::child::lost());
    let outcome = measure(experiment, bench, parameters);
    if !matches!(outcome, Err(ExperimentError::Interrupted)) {
        // Who has ended unasked says more than what came of it; and if nothing came of it, nobody knows what was measured.
        bench.setting.bereaved()?;
    }
    outcome?;
    bench.journal.flush()?;
    bench.progress.end();
    Ok(())
}

macro_rules! measure {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident: $needs:tt $title:literal, $compares:literal;)*) => {
        fn measure(
            experiment: Experiment,
            bench: &mut Bench<'_>,
            parameters: &Parameters,
        ) -> Result<(), ExperimentError> {
            $(
                $(#[$on])*
                if experiment == record::$data::EXPERIMENT {
                    return record::$data::run(bench, &parameters.$module);
                }
            )*
            Err(ExperimentError::NotCompared(experiment))
        }
    };
}

each_comparison!(measure);
