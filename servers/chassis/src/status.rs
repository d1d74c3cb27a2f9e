//! The routes that describe the server: liveness, readiness, metrics, keys and the API itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use contract::ProblemKind;
use contract::body::Health;

use crate::app::App;
use crate::metrics::Metrics;
use crate::problem::ProblemResponse;

pub(crate) async fn healthz() -> Json<Health> {
    Json(Health::OK)
}

pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<Json<Health>, ProblemResponse> {
    app.authenticator.ready().await.map_err(|error| app.auth_problem(&error))?;
    Ok(Json(Health::OK))
}

pub(crate) async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    ([(CONTENT_TYPE, Metrics::MEDIA_TYPE)], metrics.text()).into_response()
}

pub(crate) async fn jwks(State(app): State<Arc<App>>) -> Result<Json<serde_json::Value>, ProblemResponse> {
    app.authenticator.jwks(app.clock.now()).map(Json).ok_or_else(|| app.problem(ProblemKind::NotFound))
}

pub(crate) async fn api() -> Response {
    ([(CONTENT_TYPE, "application/json")], contract::OPENAPI).into_response()
}
