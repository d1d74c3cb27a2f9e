//! One behavioural and security suite, run against any server that speaks the wire of [`contract`].
//!
//! It knows servers by their base URL only. Every row of the security table is one or several [checks](checks::ALL);
//! [`run`] runs all of them and returns a [`Report`], [`matrix`] combines reports. What a server states at
//! `/bench/scheme` decides which checks apply. What a bare URL cannot show (forged tokens, outages, dumps, logs,
//! failed starts) is checked if the caller gives more in the [`Subject`].
//!
//! Deliberately absent: any server crate, any scheme's name, any client library that would correct a request.

mod check_context;
mod check_error;
pub mod checks;
mod facts;
mod half_open;
mod keys;
mod login;
mod matrix;
mod mutation;
mod outcome;
mod pause_detector;
mod run;
mod subject;
mod token;
mod wire;

pub use keys::SigningKeys;
pub use matrix::matrix;
pub use outcome::{CheckOutcome, Ending, Exchange, Report, Verdict};
pub use run::{Observer, RunError, run, run_selected};
pub use subject::{Extent, MemoryGauge, StartOutcome, Starter, StoreControl, Subject};
pub use wire::{Base, BaseError};
