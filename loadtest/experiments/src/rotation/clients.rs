//! Shared functions of this experiment's clients: sending on time, and keeping tokens.

use std::time::{Duration, Instant};

use contract::body::{LoginResponse, RefreshRequest};
use contract::route;
use engine::clock::{now_ns, sleep_until};
use lab::http::{Client, DEADLINE, HttpError};
use lab::server::Server;

use crate::run_context::{ExperimentError, RunContext};

/// Families minted between two checks for an interruption.
const BATCH: u32 = 500;

/// The outcome of a refresh.
#[derive(Debug)]
pub(super) enum Refreshed {
    /// The next refresh token.
    Granted(String),
    /// 401.
    Rejected,
    /// Anything else.
    Failed,
}

/// Sends a refresh token.
pub(super) fn refresh(client: &Client, token: &str) -> Result<Refreshed, HttpError> {
    let response = client.post(route::REFRESH, &RefreshRequest { refresh_token: token.to_owned() }, DEADLINE)?;
    let next = || serde_json::from_slice::<LoginResponse>(&response.body).ok()?.refresh_token;
    Ok(match response.status {
        200 => next().map_or(Refreshed::Failed, Refreshed::Granted),
        401 => Refreshed::Rejected,
        _ => Refreshed::Failed,
    })
}

/// Returns the refresh tokens of this number of new families.
pub(super) fn families(context: &RunContext<'_>, server: &Server, count: u32) -> Result<Vec<String>, ExperimentError> {
    let client = server.client();
    let mut tokens = Vec::with_capacity(count as usize);
    for first in (0..count).step_by(BATCH as usize) {
        context.check_can_continue()?;
        let minted = client.mint(BATCH.min(count - first), first)?;
        tokens.extend(minted.into_iter().filter_map(|credential| credential.refresh_token));
    }
    Ok(tokens)
}

/// Sleeps until this instant; returns at once if it has passed.
pub(super) fn wait_until(instant: Instant) {
    let ahead = instant.saturating_duration_since(Instant::now());
    if ahead > Duration::ZERO {
        sleep_until(now_ns() + ahead.as_nanos() as u64);
    }
}

/// Returns the microseconds from one instant to a later one.
pub(super) fn us_between(from: Instant, to: Instant) -> u64 {
    to.saturating_duration_since(from).as_micros() as u64
}
