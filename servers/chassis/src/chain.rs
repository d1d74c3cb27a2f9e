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
use crate::outbound::Answer;
use crate::problem::Refusal;
use crate::shown::forbid_caching;

/// Servers that may stand behind one.
const MAX_HOPS: u8 = 16;

pub(crate) async fn chain(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let head = request.into_parts().0;
    let hops = hops(&head.uri).ok_or_else(|| app.refusal(ProblemKind::MalformedRequest))?;
    let (credential, now) = app.presented(&head.headers)?;
    let identity = app.authenticator.verify(credential, now).await.map_err(|error| app.refused(&error))?;
    let Some(behind) = hops.checked_sub(1) else { return Ok(app.shown(identity).into_response()) };
    let next = app.next_hop.as_ref().ok_or_else(|| app.refusal(ProblemKind::NotFound))?;
    let header = match credential {
        None => None,
        Some(credential) => {
            let inward = app.authenticator.inward(credential, &identity, now).await;
            let inward = inward.map_err(|error| app.refused(&error))?;
            Some(inward.map_or_else(|| header(app.carrier, credential), |token| header(Carrier::Bearer, &token)))
        }
    };
    match next.get(behind, header).await {
        Ok(answer) => Ok(passed_on(&answer, app.carrier)),
        Err(error) => {
            tracing::warn!(%error, "the next hop does not respond");
            Err(app.refusal(ProblemKind::NextHopUnavailable))
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

fn passed_on(answer: &Answer, carrier: Carrier) -> Response {
    let mut response = (answer.status, answer.body.clone()).into_response();
    for name in [CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE] {
        match answer.headers.get(&name) {
            Some(value) => response.headers_mut().insert(name, value.clone()),
            None => response.headers_mut().remove(name),
        };
    }
    forbid_caching(&mut response, carrier);
    response
}
