//! The routes of an account: log in, ask who one is, renew, log out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::body::{Identity, LoginRequest, LoginResponse};
use contract::{Carrier, ProblemKind, user};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::auth::{Authenticator, Issued};
use crate::carrier;
use crate::problem::Refusal;

pub(crate) async fn login<A: Authenticator>(
    State(app): State<Arc<App<A>>>,
    request: Request,
) -> Result<Response, Refusal> {
    let LoginRequest { username, password } = body(request).await.map_err(|kind| app.refusal(kind))?;
    let identity = app.users.authenticate(&username, password).await;
    let identity = identity.ok_or_else(|| app.refusal(ProblemKind::LoginFailed))?;
    let issued = app.authenticator.issue(&identity, app.clock.now()).await;
    Ok(hand_out(&app, identity, issued.map_err(|error| app.refused(&error))?))
}

/// The route that is measured: nothing is done here that is not needed.
pub(crate) async fn me<A: Authenticator>(
    State(app): State<Arc<App<A>>>,
    request: Request,
) -> Result<Json<Identity>, Refusal> {
    who(&app, request).await.map(Json)
}

pub(crate) async fn admin<A: Authenticator>(
    State(app): State<Arc<App<A>>>,
    request: Request,
) -> Result<Json<Identity>, Refusal> {
    let identity = who(&app, request).await?;
    if !identity.has_role(user::ADMIN_ROLE) {
        return Err(app.refusal(ProblemKind::InsufficientRole));
    }
    Ok(Json(identity))
}

pub(crate) async fn refresh<A: Authenticator>(
    State(app): State<Arc<App<A>>>,
    request: Request,
) -> Result<Response, Refusal> {
    let headers = request.into_parts().0.headers;
    let (credential, now) = app.presented(&headers)?;
    let renewed = app.authenticator.renew(credential, now).await;
    let (identity, issued) = renewed.map_err(|error| app.refused(&error))?;
    Ok(hand_out(&app, identity, issued))
}

pub(crate) async fn logout<A: Authenticator>(
    State(app): State<Arc<App<A>>>,
    request: Request,
) -> Result<Response, Refusal> {
    let headers = request.into_parts().0.headers;
    let (credential, now) = app.presented(&headers)?;
    app.authenticator.revoke(credential, now).await.map_err(|error| app.refused(&error))?;
    Ok(take_back(&app))
}

pub(crate) async fn logout_all<A: Authenticator>(
    State(app): State<Arc<App<A>>>,
    request: Request,
) -> Result<Response, Refusal> {
    let headers = request.into_parts().0.headers;
    let (credential, now) = app.presented(&headers)?;
    app.authenticator.revoke_all(credential, now).await.map_err(|error| app.refused(&error))?;
    Ok(take_back(&app))
}

async fn who<A: Authenticator>(app: &App<A>, request: Request) -> Result<Identity, Refusal> {
    // The body cannot be shared between threads, and a reference into the request would hold it over the await.
    let headers = request.into_parts().0.headers;
    let (credential, now) = app.presented(&headers)?;
    app.authenticator.verify(credential, now).await.map_err(|error| app.refused(&error))
}

/// A JSON body. What was wrong with it is told by the kind alone: its text may hold a password.
pub(crate) async fn body<T: DeserializeOwned>(request: Request) -> Result<T, ProblemKind> {
    match Json::from_request(request, &()).await {
        Ok(Json(body)) => Ok(body),
        Err(rejection) => Err(match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemKind::UnsupportedMediaType,
            _ => ProblemKind::MalformedRequest,
        }),
    }
}

/// A new credential, by the carrier; not to be kept by any cache (RFC 6750 section 5.3).
fn hand_out<A>(app: &App<A>, user: Identity, issued: Issued) -> Response {
    let Issued { credential, expires_in } = issued;
    let (token, cookie) = match (app.carrier, credential) {
        (Carrier::Bearer, token) => (token, None),
        (Carrier::Cookie, credential) => (None, credential),
    };
    let answer = LoginResponse { user, expires_in, token, refresh_token: None };
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        let max_age_s = app.cookie_max_age_s.unwrap_or(expires_in);
        insert_cookie(&mut response, &carrier::set_cookie(&cookie, max_age_s));
    }
    response
}

fn take_back<A>(app: &App<A>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if app.carrier == Carrier::Cookie {
        insert_cookie(&mut response, &carrier::clear_cookie());
    }
    response
}

fn insert_cookie(response: &mut Response, cookie: &str) {
    let value = HeaderValue::from_str(cookie).expect("a credential is visible ASCII");
    response.headers_mut().insert(SET_COOKIE, value);
}
