//! The answer that shows a user, and which answers a cache may not keep.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use contract::Carrier;
use contract::body::Identity;

/// No cache may keep the answer (RFC 9111 section 5.2.2.5).
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A user as `/me`, `/admin` and `/chain` show him.
pub(crate) struct Shown {
    pub(crate) identity: Identity,
    pub(crate) carrier: Carrier,
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        match self.carrier {
            Carrier::Bearer => Json(self.identity).into_response(),
            Carrier::Cookie => ([(CACHE_CONTROL, NO_STORE)], Json(self.identity)).into_response(),
        }
    }
}

/// Adds `no-store` to an answer that may depend on a cookie: a cache does not know that. An answer to `Authorization`
/// needs none, because a shared cache keeps it only where it is allowed to (RFC 9111 section 3.5).
pub(crate) fn forbid_caching(response: &mut Response, carrier: Carrier) {
    if carrier == Carrier::Cookie {
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    }
}
