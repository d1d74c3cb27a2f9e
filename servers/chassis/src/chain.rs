//! Requests that cross several servers, as between services: each of these checks the credential
//! that it receives, and the last one responds.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use contract::{Carrier, ProblemKind};

use crate::app::App;
use crate::carrier;
use crate::outbound::ClientResponse;
use crate::problem::ProblemResponse;
use crate::user_response::forbid_caching;

/// Servers that may stand behind one.
const MAX_HOPS: u8 = 16;

pub(crate) async fn chain(State(app): State<Arc<App>>, request: Request) -> Result<Response, ProblemResponse> {
    let head = request.into_parts().0;
    let hops = hops(&head.uri).ok_or_else(|| app.problem(ProblemKind::MalformedRequest))?;
    let (credential, now) = app.presented_credential(&head.headers)?;
    let identity = app.authenticator.verify(credential, now).await.map_err(|error| app.auth_problem(&error))?;
    let Some(remaining) = hops.checked_sub(1) else { return Ok(app.user_response(identity).into_response()) };
    let next = app.next_hop.as_ref().ok_or_else(|| app.problem(ProblemKind::NotFound))?;
    let header = match credential {
        None => None,
        Some(credential) => {
            let downstream = app.authenticator.downstream_token(credential, &identity, now).await;
            let downstream = downstream.map_err(|error| app.auth_problem(&error))?;
            Some(downstream.map_or_else(|| header(app.carrier, credential), |token| header(Carrier::Bearer, &token)))
        }
    };
    match next.get(remaining, header).await {
        Ok(response) => Ok(forward_response(&response, app.carrier)),
        Err(error) => {
            tracing::warn!(%error, "the next hop does not respond");
            Err(app.problem(ProblemKind::NextHopUnavailable))
        }
    }
}

/// `?hops=N`; none of it is none behind.
fn hops(uri: &Uri) -> Option<u8> {
    let Some(query) = uri.query() else { return Some(0) };
    query.strip_prefix("hops=")?.parse().ok().filter(|hops| *hops <= MAX_HOPS)
}

fn header(carrier: Carrier, credential: &str) -> (HeaderName, HeaderValue) {
    let name = match carrier {
        Carrier::Bearer => AUTHORIZATION,
        Carrier::Cookie => COOKIE,
    };
    let (_, value) = carrier::request_header(carrier, credential, None);
    (name, HeaderValue::from_str(&value).expect("a credential is visible ASCII"))
}

fn forward_response(received: &ClientResponse, carrier: Carrier) -> Response {
    let mut response = (received.status, received.body.clone()).into_response();
    for name in [CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE] {
        match received.headers.get(&name) {
            Some(value) => response.headers_mut().insert(name, value.clone()),
            None => response.headers_mut().remove(name),
        };
    }
    forbid_caching(&mut response, carrier);
    response
}
