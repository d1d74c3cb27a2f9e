//! The wire table as a router.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{MethodRouter, get, post};
use contract::{ProblemKind, route};

use crate::app::App;
use crate::auth::Authenticator;
use crate::metrics::Metrics;
use crate::problem::ProblemResponse;
use crate::{account, bench, chain, logout, status, user_administration};

/// Bytes of the largest body that any route reads.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The routes and the clients that may use them.
#[derive(Clone)]
pub(crate) struct Routes {
    everyone: Router,
    loopback: Router,
    /// Responds to a request whose `Host` is missing, repeated or malformed.
    malformed: ProblemResponse,
}

impl Routes {
    /// `bench` adds what only a load test may do, for peers on this machine; to all others it does not exist.
    pub(crate) fn new<A: Authenticator>(app: Arc<App<A>>, metrics: Arc<Metrics>, bench: bool) -> Self {
        let malformed = app.problem(ProblemKind::MalformedRequest);
        let measured = get(account::me::<A>).with_state(Arc::clone(&app));
        let everyone = table(measured, Arc::clone(&app) as Arc<App>, metrics);
        let loopback = if bench { everyone.clone().merge(bench_table(app)) } else { everyone.clone() };
        Self { everyone, loopback, malformed }
    }

    /// Responds to a request whose `Host` is invalid.
    pub(crate) const fn malformed(&self) -> ProblemResponse {
        self.malformed
    }

    /// The routes for a connection from this address.
    pub(crate) fn for_peer(&self, peer: IpAddr) -> &Router {
        if peer.to_canonical().is_loopback() { &self.loopback } else { &self.everyone }
    }
}

fn bench_table(app: Arc<App>) -> Router {
    Router::new()
        .route(route::BENCH_MINT, post(bench::mint))
        .route(route::BENCH_CLOCK, post(bench::clock))
        .route(route::BENCH_ROTATE, post(bench::rotate))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app)
}

fn table(measured: MethodRouter<Arc<App>>, app: Arc<App>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route(route::ME, measured)
        .route(route::ADMIN, get(account::admin))
        .route(route::LOGIN, post(account::login).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)))
        .route(route::REFRESH, post(account::refresh).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)))
        .route(route::LOGOUT, post(logout::logout).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)))
        .route(route::LOGOUT_ALL, post(logout::logout_all).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)))
        .route(route::PASSWORD, post(user_administration::change_password).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)))
        .route(route::ADMIN_USER, post(user_administration::change_user).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)))
        .route(route::CHAIN, get(chain::chain))
        .route(route::JWKS, get(status::jwks))
        .route(route::OPENAPI, get(status::api))
        .route(route::HEALTHZ, get(status::healthz))
        .route(route::READYZ, get(status::readyz))
        .route(route::METRICS, get(status::metrics).with_state(metrics))
        .route(route::BENCH_SCHEME, get(bench::scheme))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

async fn not_found(State(app): State<Arc<App>>) -> ProblemResponse {
    app.problem(ProblemKind::NotFound)
}

async fn method_not_allowed(State(app): State<Arc<App>>) -> ProblemResponse {
    app.problem(ProblemKind::MethodNotAllowed)
}

#[cfg(test)]
mod tests;
