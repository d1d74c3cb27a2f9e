//! Refusals as responses: `application/problem+json` (RFC 9457) with the header fields that their
//! status wants.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::{Carrier, ProblemKind, problem};

use crate::carrier;

/// Seconds after which a client may ask again when the store was down.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// A request that is not granted, and the carrier whose challenge goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: ProblemKind,
    pub(crate) carrier: Carrier,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.kind.body()).expect("a problem is JSON");
        let status = StatusCode::from_u16(self.kind.status()).expect("the table has HTTP statuses");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
        if let Some(challenge) = carrier::challenge(self.carrier, self.kind) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.kind == ProblemKind::StoreUnavailable {
            headers.insert(RETRY_AFTER, RETRY_AFTER_S);
        }
        response
    }
}
