//! `rotation`: what becomes of clients while keys and tokens are replaced?
//!
//! **Keys that roll.** Varies: the scheme, and how the other of two nodes comes to the new key: not at all, or by fetching
//! the published set. Holds: the rate of Poisson arrivals, one roll in the middle, and a client population of which some
//! log in all the time. Counts the requests refused with 401 by node, and by whether the credential is older than the roll.
//! A key rolls in one process here, and nothing brings a secret (HMAC, sealing) to the other node, which is what a roll
//! without a plan for it does.
//!
//! **Refreshes that race.** Varies: the grace for a used refresh token, and how many clients of one family send the same
//! token at the same instant. Counts families that are dead afterwards although nobody stole anything, and, for the price of grace,
//! families in which a copy that somebody else sends later passes; the server's clock is moved on instead of waiting.
//!
//! **Refreshes all at once.** Credentials are issued within a short storm, and each client refreshes at a share of its credential's
//! life. Varies: how far clients stray from that share. Holds: life, share, storm and number. Counts the refreshes in
//! each tenth of a second, and their response times from when they were due.
//!
//! Races and storms want a scheme with refresh tokens. Where none is compared, they are measured on the refreshing variant of
//! the first signature scheme, which the record names; it is not entered among the schemes compared. Clients are threads with
//! a connection each, and send refresh tokens in the body, whatever the run's carrier.
//!
//! Weak: all families race in one server over one Redis, one after another, and on one machine copies arrive within tens
//! of microseconds of each other. The life of a credential is seconds here and minutes elsewhere, so that a storm is a larger
//! part of it than it would be; peak over mean is about the time between two refreshes over the storm's length.

mod clients;
mod parameters;
mod races;
mod refreshing;
mod rolls;
mod storms;

use engine::record::RotationExperiment;

use crate::Run;
use crate::bench::{Bench, ExperimentError};
use crate::profile::Profile;
use refreshing::Refreshing;

pub use parameters::{RaceParameters, RollParameters, RotationParameters, StormParameters};

impl Run for RotationExperiment {
    type Parameters = RotationParameters;

    fn parameters(profile: Profile) -> RotationParameters {
        RotationParameters::of(profile)
    }

    fn run(bench: &mut Bench<'_>, parameters: &RotationParameters) -> Result<(), ExperimentError> {
        let rolls = rolls::planned(bench, &parameters.rolls);
        let refreshing = Refreshing::of(bench)?;
        let races = refreshing.as_ref().map_or(0, |_| races::steps(&parameters.races));
        let storms = refreshing.as_ref().map_or(0, |_| storms::steps(&parameters.storms));
        bench.progress.begin("rotation", rolls.len() as u64 + races + storms);
        rolls::run(bench, &parameters.rolls, rolls)?;
        if let Some(refreshing) = refreshing {
            races::run(bench, &parameters.races, &refreshing)?;
            storms::run(bench, &parameters.storms, &refreshing)?;
        }
        Ok(())
    }
}
