//! Error responses: `application/problem+json` (RFC 9457) with the header fields that their
//! status requires.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::{Carrier, ProblemKind, problem};

use crate::carrier;
use crate::user_response::forbid_caching;

/// A rejected request, and the carrier for its challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProblemResponse {
    pub(crate) kind: ProblemKind,
    pub(crate) carrier: Carrier,
    /// Seconds until a retry, where that is known.
    pub(crate) retry_after_s: Option<u64>,
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.kind.body()).expect("a problem is JSON");
        let status = StatusCode::from_u16(self.kind.status()).expect("the table has HTTP statuses");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
        if let Some(challenge) = carrier::challenge(self.carrier, self.kind) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        forbid_caching(&mut response, self.carrier);
        response
    }
}
