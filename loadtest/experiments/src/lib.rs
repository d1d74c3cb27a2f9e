//! The experiments: one module each, which states what it varies, what it holds constant and what it measures.
//!
//! Driver and lab meet here: the lab starts and observes the processes, the driver loads them, and the [`Journal`]
//! records the results.

mod balancer;
mod blocks;
mod ceiling;
pub mod cost;
pub mod counters;
pub mod doctor;
mod experiment_store;
pub mod fanout;
pub mod gate;
mod journal;
pub mod latency;
mod links;
pub mod login;
pub mod memory;
mod nodes;
mod order;
pub mod outage;
pub mod population;
pub mod profile;
pub mod reject;
pub mod revocation;
pub mod rotation;
mod round_size;
pub mod rtt;
mod run_context;
pub mod scaling;
mod servers;
pub mod slo;
#[cfg(feature = "toy-experiment")]
pub mod toy;
mod visit;
pub mod wire;

use std::fmt::Debug;

use engine::record::{self, Data};
use engine::{Experiment, each_comparison};

pub use balancer::Balancer;
pub use journal::Journal;
pub use run_context::{ExperimentError, RunConfig, RunContext};
pub use visit::{ObservedProcesses, drive_round, outside_blocks};

use crate::profile::{Parameters, Profile};

/// An experiment of `authbench compare`. The data type of an experiment implements this, in the experiment's module.
pub trait Run: Data {
    /// The amount of measurement.
    type Parameters: Clone + Debug;

    /// Returns the parameters of a profile.
    fn parameters(profile: Profile) -> Self::Parameters;

    /// Measures, and adds each result to the journal.
    fn run(context: &mut RunContext<'_>, parameters: &Self::Parameters) -> Result<(), ExperimentError>;
}

/// Returns the current time as a record stores it: UTC, RFC 3339.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A receiver of progress reports.
pub trait Progress {
    /// An experiment with this number of steps begins.
    fn begin(&mut self, title: &str, steps: u64);
    /// A step begins.
    fn step(&mut self, what: &str);
    /// The experiment has ended.
    fn end(&mut self);
    /// A note that the user should see at once.
    fn note(&mut self, text: &str);
}

/// Runs an experiment with its parameters.
pub fn run(
    experiment: Experiment,
    context: &mut RunContext<'_>,
    parameters: &Parameters,
) -> Result<(), ExperimentError> {
    // Discard exits from before.
    drop(lab::child::take_unexpected_exits());
    let outcome = measure(experiment, context, parameters);
    if !matches!(outcome, Err(ExperimentError::Interrupted)) {
        // An unexpected exit explains more than the error that followed; and without an error, it is unclear what was
        // measured.
        context.config.check_processes()?;
    }
    outcome?;
    context.journal.flush()?;
    context.progress.end();
    Ok(())
}

macro_rules! measure {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident: $needs:tt $title:literal, $compares:literal;)*) => {
        fn measure(
            experiment: Experiment,
            context: &mut RunContext<'_>,
            parameters: &Parameters,
        ) -> Result<(), ExperimentError> {
            $(
                $(#[$on])*
                if experiment == record::$data::EXPERIMENT {
                    return record::$data::run(context, &parameters.$module);
                }
            )*
            Err(ExperimentError::NotCompared(experiment))
        }
    };
}

each_comparison!(measure);
