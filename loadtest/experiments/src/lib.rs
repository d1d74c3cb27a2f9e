//! The experiments: one module each, with what it varies, what it holds and what it measures.
//!
//! Here driver and lab meet: the lab starts the processes and watches them, the driver loads them,
//! and the [`Journal`] keeps what came of it.

mod balancer;
mod bench;
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
pub mod rtt;
pub mod scaling;
pub mod slo;
mod visit;
pub mod wire;

pub use balancer::Balancer;
pub use bench::{Bench, ExperimentError, Setting};
pub use journal::{Journal, Rounds};
pub use visit::{Watched, alone, drive_round};

use crate::profile::{Experiment, Parameters};

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
    let outcome = match experiment {
        Experiment::Cost => cost::run(bench, &parameters.cost),
        Experiment::Latency => latency::run(bench, &parameters.latency),
        Experiment::Rtt => rtt::run(bench, &parameters.rtt),
        Experiment::Login => login::run(bench, &parameters.login),
        Experiment::Reject => reject::run(bench, &parameters.reject),
        Experiment::Scaling => scaling::run(bench, &parameters.scaling),
        Experiment::Population => population::run(bench, &parameters.population),
        Experiment::Revocation => revocation::run(bench, &parameters.revocation),
        Experiment::Fanout => fanout::run(bench, &parameters.fanout),
        Experiment::Rotation => rotation::run(bench, &parameters.rotation),
        Experiment::Outage => outage::run(bench, &parameters.outage),
        Experiment::Memory => memory::run(bench, &parameters.memory),
        Experiment::Wire => wire::run(bench, &parameters.wire),
    };
    if !matches!(outcome, Err(ExperimentError::Interrupted)) {
        // Who has ended unasked says more than what came of it; and if nothing came of it, nobody knows what was measured.
        bench.setting.bereaved()?;
    }
    outcome?;
    bench.journal.flush()?;
    bench.progress.end();
    Ok(())
}
