//! Evidence of records with a known truth: estimates match it, and excluded data have no effect.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod comparison;
mod counters;
mod fanout_and_rotation;
mod gate;
mod logins;
mod outage;
mod population;
mod revocation;
mod scaling;
mod slo;
