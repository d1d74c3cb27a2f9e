//! The wire table as a router.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use contract::{ProblemKind, route};

use crate::app::App;
use crate::auth::Authenticator;
use crate::metrics::Metrics;
use crate::problem::Refusal;
use crate::{account, bench, status};

/// Bytes of the largest body that any route reads.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What is offered to whom.
#[derive(Clone)]
pub(crate) struct Routes {
    everyone: Router,
    loopback: Router,
}

impl Routes {
    /// `minting` adds `/bench/mint` for peers on this machine; to all others it does not exist.
    pub(crate) fn new<A: Authenticator>(app: Arc<App<A>>, metrics: Arc<Metrics>, minting: bool) -> Self {
        let everyone = table(Arc::clone(&app), metrics);
        let mut loopback = everyone.clone();
        if minting {
            let mint = post(bench::mint::<A>).layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
            loopback = loopback.route(route::BENCH_MINT, mint.with_state(app));
        }
        Self { everyone, loopback }
    }

    /// The routes for a connection from this address.
    pub(crate) fn for_peer(&self, peer: IpAddr) -> &Router {
        if peer.to_canonical().is_loopback() { &self.loopback } else { &self.everyone }
    }
}

fn table<A: Authenticator>(app: Arc<App<A>>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route(route::ME, get(account::me::<A>))
        .route(route::ADMIN, get(account::admin::<A>))
        .route(route::LOGIN, post(account::login::<A>).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)))
        .route(route::REFRESH, post(account::refresh::<A>))
        .route(route::LOGOUT, post(account::logout::<A>))
        .route(route::LOGOUT_ALL, post(account::logout_all::<A>))
        .route(route::JWKS, get(status::jwks::<A>))
        .route(route::OPENAPI, get(status::api))
        .route(route::HEALTHZ, get(status::healthz))
        .route(route::READYZ, get(status::readyz::<A>))
        .route(route::METRICS, get(status::metrics).with_state(metrics))
        .route(route::BENCH_SCHEME, get(bench::scheme::<A>))
        .fallback(not_found::<A>)
        .method_not_allowed_fallback(method_not_allowed::<A>)
        .with_state(app)
}

async fn not_found<A: Authenticator>(State(app): State<Arc<App<A>>>) -> Refusal {
    app.refusal(ProblemKind::NotFound)
}

async fn method_not_allowed<A: Authenticator>(State(app): State<Arc<App<A>>>) -> Refusal {
    app.refusal(ProblemKind::MethodNotAllowed)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::body::Body;
    use axum::http::Request;
    use contract::body::Identity;
    use contract::{Scheme, StoreDown};
    use tower_service::Service;

    use super::*;
    use crate::auth::{AuthError, Description, Issued, UnixSeconds};
    use crate::clock::Clock;
    use crate::settings::Settings;

    /// The instant of the test.
    const NOW: UnixSeconds = 1_234_567_890;

    /// Remembers the instant that it was last given, and knows nobody.
    #[derive(Default)]
    struct Witness(AtomicU64);

    impl Witness {
        fn refuse<T>(&self, now: UnixSeconds) -> Result<T, AuthError> {
            self.0.store(now, Ordering::Relaxed);
            Err(AuthError::Missing)
        }
    }

    impl Authenticator for Witness {
        fn describe(&self) -> Description {
            Description {
                scheme: Scheme::CONTROL,
                revocation_window_s: None,
                store_down: StoreDown::NotNeeded,
                credential_ttl_s: None,
                absolute_ttl_s: None,
                touch: None,
                leeway_s: None,
            }
        }

        async fn issue(&self, _: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
            self.refuse(now)
        }

        async fn verify(&self, _: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
            self.refuse(now)
        }

        async fn renew(&self, _: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
            self.refuse(now)
        }

        async fn revoke(&self, _: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
            self.refuse(now)
        }

        async fn revoke_all(&self, _: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
            self.refuse(now)
        }

        async fn ready(&self) -> Result<(), AuthError> {
            Ok(())
        }
    }

    fn routes(minting: bool) -> (Routes, Arc<App<Witness>>) {
        let app = Arc::new(App::new(Witness::default(), &Settings::defaults("anonymous-server"), Clock(|| NOW)));
        (Routes::new(Arc::clone(&app), Arc::new(Metrics::new()), minting), app)
    }

    async fn status(routes: &Routes, peer: &str, method: &str, path: &str) -> u16 {
        let body = Body::from(r#"{"count":0,"first_user":0}"#);
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json").body(body);
        routes.for_peer(peer.parse().unwrap()).clone().call(request.unwrap()).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn minting_exists_for_peers_on_this_machine_only() {
        let (routes, _) = routes(true);
        for near in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(status(&routes, near, "POST", route::BENCH_MINT).await, 200, "{near}");
        }
        for far in ["203.0.113.7", "10.0.0.1", "::ffff:203.0.113.7", "2001:db8::1"] {
            assert_eq!(status(&routes, far, "POST", route::BENCH_MINT).await, 404, "{far}");
            assert_eq!(status(&routes, far, "GET", route::BENCH_SCHEME).await, 200, "{far}");
        }
    }

    #[tokio::test]
    async fn every_route_judges_by_the_clock_it_was_given() {
        let (routes, app) = routes(false);
        for (method, path) in [
            ("GET", route::ME),
            ("GET", route::ADMIN),
            ("POST", route::REFRESH),
            ("POST", route::LOGOUT),
            ("POST", route::LOGOUT_ALL),
        ] {
            assert_eq!(status(&routes, "::1", method, path).await, 401);
            assert_eq!(app.authenticator.0.swap(0, Ordering::Relaxed), NOW, "{path}");
        }
    }
}
