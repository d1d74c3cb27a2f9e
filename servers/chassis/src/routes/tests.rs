//! The routes with an authenticator that records its calls.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::Request;
use contract::Scheme;
use contract::body::Identity;
use futures_util::future::BoxFuture;
use tower_service::Service;

use super::*;
use crate::auth::{AuthError, Description, Issued, UnixSeconds};
use crate::clock::Clock;
use crate::directory::{Change, Directory, InMemory, UserState};
use crate::module::Built;
use crate::settings::Settings;

/// The instant of the test.
const NOW: UnixSeconds = 1_234_567_890;

/// Records the last instant it received, and accepts no credential.
#[derive(Default)]
struct RecordingAuthenticator(AtomicU64);

impl RecordingAuthenticator {
    fn record<T>(&self, now: UnixSeconds) -> Result<T, AuthError> {
        self.0.store(now, Ordering::Relaxed);
        Err(AuthError::Missing)
    }
}

impl Authenticator for RecordingAuthenticator {
    fn describe(&self) -> Description {
        Description::of(Scheme::CONTROL)
    }

    async fn issue(&self, _: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        self.record(now)
    }

    async fn verify(&self, _: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.record(now)
    }

    async fn renew(&self, _: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        self.record(now)
    }

    async fn revoke(&self, _: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        self.record(now)
    }

    async fn revoke_user(&self, _: u32, now: UnixSeconds) -> Result<(), AuthError> {
        self.record(now)
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }
}

fn routes(minting: bool) -> (Routes, Arc<App<RecordingAuthenticator>>) {
    let built = Built::with_memory_directory(RecordingAuthenticator::default());
    let app = Arc::new(App::new(built, &Settings::defaults("anonymous-server"), Clock::new(|| NOW)));
    (Routes::new(Arc::clone(&app), Arc::new(Metrics::new()), minting), app)
}

async fn status(routes: &Routes, peer: &str, method: &str, path: &str) -> u16 {
    let body = Body::from(r#"{"count":0,"first_user":0}"#);
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.header("content-type", "application/json").body(body);
    routes.for_peer(peer.parse().unwrap()).clone().call(request.unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn mint_is_available_only_to_loopback_peers() {
    let (routes, _) = routes(true);
    for local in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(status(&routes, local, "POST", route::BENCH_MINT).await, 200, "{local}");
    }
    for remote in ["203.0.113.7", "10.0.0.1", "::ffff:203.0.113.7", "2001:db8::1"] {
        assert_eq!(status(&routes, remote, "POST", route::BENCH_MINT).await, 404, "{remote}");
        assert_eq!(status(&routes, remote, "GET", route::BENCH_SCHEME).await, 200, "{remote}");
    }
}

#[tokio::test]
async fn every_route_uses_the_injected_clock() {
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

/// A directory in which a user changes between any two look-ups.
#[derive(Default)]
struct ChangingDirectory(AtomicU64);

impl Directory for ChangingDirectory {
    fn user_state(&self, _: u32) -> BoxFuture<'_, Result<UserState, AuthError>> {
        let epoch = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(UserState { epoch, ..UserState::default() })))
    }

    fn change(&self, _: u32, _: Change) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn change_at_epoch(&self, _: u32, _: u64, _: Change) -> BoxFuture<'_, Result<bool, AuthError>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}

/// Issues a credential, and records which one it had to revoke.
#[derive(Default)]
struct IssuingAuthenticator(Mutex<Vec<String>>);

impl Authenticator for IssuingAuthenticator {
    fn describe(&self) -> Description {
        Description::of(Scheme::CONTROL)
    }

    async fn issue(&self, _: &Identity, _: UnixSeconds) -> Result<Issued, AuthError> {
        Ok(Issued::new("issued".to_owned(), 10))
    }

    async fn verify(&self, _: Option<&str>, _: UnixSeconds) -> Result<Identity, AuthError> {
        Err(AuthError::Missing)
    }

    async fn renew(&self, _: Option<&str>, _: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        Err(AuthError::Missing)
    }

    async fn revoke(&self, credential: Option<&str>, _: UnixSeconds) -> Result<(), AuthError> {
        self.0.lock().unwrap().extend(credential.map(str::to_owned));
        Ok(())
    }

    async fn revoke_user(&self, _: u32, _: UnixSeconds) -> Result<(), AuthError> {
        Ok(())
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }
}

#[tokio::test]
async fn login_concurrent_with_a_user_change_is_revoked() {
    for (directory, expected, revoked) in [
        (Arc::new(ChangingDirectory::default()) as Arc<dyn Directory>, 401, vec!["issued".to_owned()]),
        (Arc::new(InMemory::default()), 200, vec![]),
    ] {
        let built = Built { authenticator: IssuingAuthenticator::default(), directory };
        let app = Arc::new(App::new(built, &Settings::defaults("anonymous-server"), Clock::new(|| NOW)));
        let routes = Routes::new(Arc::clone(&app), Arc::new(Metrics::new()), false);
        let body = format!(r#"{{"username":"user-000001","password":"{}"}}"#, contract::user::PASSWORD);
        let request = Request::post(route::LOGIN).header("content-type", "application/json").body(Body::from(body));
        let mut everyone = routes.for_peer("::1".parse().unwrap()).clone();
        let response = everyone.call(request.unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
        assert_eq!(*app.authenticator.0.lock().unwrap(), revoked);
    }
}
