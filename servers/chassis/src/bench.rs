//! The routes for the load test: what is served here, and credentials without their price.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use contract::body::{ClockRequest, ClockResponse, MintRequest, MintResponse, MintedCredential, RotateRequest};
use contract::{ProblemKind, SchemeDescriptor};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::app::App;
use crate::auth::AuthError;
use crate::body::body;
use crate::carrier;
use crate::problem::ProblemResponse;

/// Maximum number of credentials per call; it bounds the memory of a response to some tens of megabytes.
const MAX_COUNT: u32 = 100_000;
/// Credentials in the making at a time, so that a store's round trips overlap.
const CONCURRENCY: usize = 256;

pub(crate) async fn scheme(State(app): State<Arc<App>>) -> Json<SchemeDescriptor> {
    Json(app.descriptor.clone())
}

pub(crate) async fn mint(State(app): State<Arc<App>>, request: Request) -> Result<Json<MintResponse>, ProblemResponse> {
    app.require_loopback(request.headers())?;
    let MintRequest { count, first_user, revoked } = body(request).await.map_err(|kind| app.problem(kind))?;
    if count > MAX_COUNT {
        return Err(app.problem(ProblemKind::MalformedRequest));
    }
    let places = (0..u64::from(count)).map(|place| u64::from(first_user) + place);
    let minting = stream::iter(places).map(|place| mint_one(&app, place, revoked)).buffered(CONCURRENCY);
    let credentials = minting.try_collect().await.map_err(|error| app.auth_problem(&error))?;
    Ok(Json(MintResponse { credentials }))
}

async fn mint_one(app: &App, place: u64, revoked: bool) -> Result<MintedCredential, AuthError> {
    let identity = app.users.identity(app.users.number_at(place));
    let now = app.clock.now();
    let issued = app.authenticator.issue(&identity, now).await?;
    if revoked {
        app.authenticator.revoke(issued.credential.as_deref(), now).await?;
    }
    let mut headers = BTreeMap::new();
    if let Some(credential) = issued.credential {
        let (name, value) = carrier::request_header(app.carrier, &credential, issued.refresh_token.as_deref());
        headers.insert(name.to_owned(), value);
    }
    Ok(MintedCredential { username: identity.username, headers, refresh_token: issued.refresh_token })
}

/// Advances the clock without waiting, for tests of timeouts.
pub(crate) async fn clock(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<ClockResponse>, ProblemResponse> {
    app.require_loopback(request.headers())?;
    let ClockRequest { advance_s } = body(request).await.map_err(|kind| app.problem(kind))?;
    if advance_s > ClockRequest::MAX_ADVANCE_S {
        return Err(app.problem(ProblemKind::MalformedRequest));
    }
    app.clock.advance(advance_s);
    Ok(Json(ClockResponse { now_s: app.clock.now() }))
}

pub(crate) async fn rotate(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, ProblemResponse> {
    app.require_loopback(request.headers())?;
    let RotateRequest {} = body(request).await.map_err(|kind| app.problem(kind))?;
    let rotated = app.authenticator.rotate(app.clock.now()).await.map_err(|error| app.auth_problem(&error))?;
    if rotated { Ok(StatusCode::NO_CONTENT) } else { Err(app.problem(ProblemKind::NotFound)) }
}
