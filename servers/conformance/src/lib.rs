//! One behavioural and security suite, run against any server that speaks the wire of [`contract`].
//!
//! It knows servers by their base URL only. Every row of the security table is one or several [checks](checks::ALL);
//! [`run`] makes them all and gives a [`Report`], [`matrix`] puts reports side by side. What a server says of itself at
//! `/bench/scheme` decides what applies to it. What a bare URL cannot show (forged tokens, outages, dumps, logs,
//! refused starts) is shown where the caller lends more with the [`Subject`].
//!
//! Absent on purpose: any server crate, any scheme's name, any client library that would mend a request.

mod case;
pub mod checks;
mod facts;
mod half_open;
mod keys;
mod login;
mod matrix;
mod mutation;
mod outcome;
mod run;
mod standstill;
mod stop;
mod subject;
mod token;
mod wire;

pub use keys::SigningKeys;
pub use matrix::matrix;
pub use outcome::{CheckResult, Ending, Exchange, Report, Verdict};
pub use run::{Observer, RunError, run, run_those};
pub use subject::{Extent, MemoryGauge, Start, Starter, StoreControl, Subject};
pub use wire::{Base, BaseError};
