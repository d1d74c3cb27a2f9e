//! Reports and histogram logs of synthetic and committed records.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod damaged;
mod exports;
mod histogram_logs;
mod many_schemes;
mod reference_runs;
mod reports;
