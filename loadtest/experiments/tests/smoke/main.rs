//! Smoke tests: every experiment at its smallest, on real servers and a real Redis.

#![expect(clippy::unwrap_used, reason = "what tests share fails them as they would fail themselves")]

mod counters;
mod credentials;
mod fanout;
mod journal;
mod load;
mod login;
mod outage;
mod revocation;
mod rotation;
mod scaling;
mod testbed;
#[cfg(feature = "toy-experiment")]
mod toy;
