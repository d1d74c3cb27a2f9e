//! The response that shows a user, and which responses a cache must not store.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use contract::Carrier;
use contract::body::Identity;

/// Caches must not store the response (RFC 9111 section 5.2.2.5).
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A user as `/me`, `/admin` and `/chain` return it.
pub(crate) struct UserResponse {
    pub(crate) identity: Identity,
    pub(crate) carrier: Carrier,
}

impl IntoResponse for UserResponse {
    fn into_response(self) -> Response {
        match self.carrier {
            Carrier::Bearer => Json(self.identity).into_response(),
            Carrier::Cookie => ([(CACHE_CONTROL, NO_STORE)], Json(self.identity)).into_response(),
        }
    }
}

/// Adds `no-store` to a response that may depend on a cookie, which a cache cannot know. A response to `Authorization`
/// needs none, because a shared cache stores it only where it is allowed to (RFC 9111 section 3.5).
pub(crate) fn forbid_caching(response: &mut Response, carrier: Carrier) {
    if carrier == Carrier::Cookie {
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    }
}
