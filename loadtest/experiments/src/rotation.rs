//! `rotation`: what happens to clients while keys and tokens are replaced?
//!
//! **Key rotation.** Varies: the scheme, and how the other of two nodes gets the new key: not at all, or by fetching
//! the published set. Holds: the rate of Poisson arrivals, one rotation in the middle, and a client population of which
//! some log in throughout. Counts the requests rejected with 401 by node, and by whether the credential is older than
//! the rotation. The key is rotated in one process, and secrets (HMAC, sealing) are not distributed to the other node,
//! as in an unplanned rotation.
//!
//! **Refresh races.** Varies: the grace period for a used refresh token, and how many clients of one family send the
//! same token at the same instant. Counts families that are revoked afterwards although no token was stolen, and, as
//! the cost of a grace period, families in which a copy that another client sends later is accepted; the server's clock
//! is moved instead of waiting.
//!
//! **Refresh bursts.** Credentials are issued within a short burst, and each client refreshes at a fraction of its
//! credential's lifetime. Varies: the jitter of that fraction. Holds: lifetime, fraction, burst and number. Counts the
//! refreshes in each tenth of a second, and their response times from when they were due.
//!
//! Races and bursts need a scheme with refresh tokens. If none is compared, they are measured on the refreshing variant
//! of the first signature scheme, which the record names; it is not listed among the compared schemes. Clients are
//! threads with a connection each, and send refresh tokens in the body, regardless of the run's carrier.
//!
//! Limitations: all families race in one server over one Redis, one after another, and on one machine copies arrive
//! within tens of microseconds of each other. The lifetime of a credential is seconds here and minutes in production,
//! so that a burst is a larger part of it; peak over mean is about the time between two refreshes divided by the
//! duration of the burst.

mod clients;
mod key_rotations;
mod parameters;
mod races;
mod refresh_bursts;
mod refreshing;

use engine::record::RotationExperiment;

use crate::Run;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunContext};
use refreshing::Refreshing;

pub use parameters::{KeyRotationParameters, RaceParameters, RefreshBurstParameters, RotationParameters};

impl Run for RotationExperiment {
    type Parameters = RotationParameters;

    fn parameters(profile: Profile) -> RotationParameters {
        RotationParameters::of(profile)
    }

    fn run(context: &mut RunContext<'_>, parameters: &RotationParameters) -> Result<(), ExperimentError> {
        let key_rotations = key_rotations::planned(context, &parameters.key_rotations);
        let refreshing = Refreshing::of(context)?;
        let races = refreshing.as_ref().map_or(0, |_| races::steps(&parameters.races));
        let refresh_bursts = refreshing.as_ref().map_or(0, |_| refresh_bursts::steps(&parameters.refresh_bursts));
        context.progress.begin("rotation", key_rotations.len() as u64 + races + refresh_bursts);
        key_rotations::run(context, &parameters.key_rotations, key_rotations)?;
        if let Some(refreshing) = refreshing {
            races::run(context, &parameters.races, &refreshing)?;
            refresh_bursts::run(context, &parameters.refresh_bursts, &refreshing)?;
        }
        Ok(())
    }
}
