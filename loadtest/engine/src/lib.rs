//! Plans, schedules, recording and the record of a run.
//!
//! The leaf of the load test: it knows of time, randomness and files, but nothing of HTTP and
//! nothing of the load generator that serves its tickets, so that another generator can be
//! added.

pub mod arrivals;
pub mod chooser;
pub mod clock;
pub mod experiment;
pub mod input;
pub mod median;
pub mod output;
pub mod plan;
pub mod record;
pub mod recorder;
pub mod round;
pub mod shortage;
pub mod slo;
pub mod ticket;
pub mod validity;
pub mod warmup;

pub use experiment::Experiment;
