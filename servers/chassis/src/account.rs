//! The routes of an account: login, current user, renewal.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::body::{Identity, LoginRequest, LoginResponse, RefreshRequest};
use contract::{Carrier, ProblemKind};

use crate::app::App;
use crate::auth::{Authenticator, Issued};
use crate::body::body;
use crate::carrier;
use crate::peer::Peer;
use crate::problem::ProblemResponse;
use crate::throttle::{Attempt, Purpose};
use crate::user_response::{NO_STORE, UserResponse};

pub(crate) async fn login(State(app): State<Arc<App>>, request: Request) -> Result<Response, ProblemResponse> {
    // There is no cookie yet that could be abused, but a browser could be logged in as another user.
    app.reject_cross_site(request.headers())?;
    let peer = Peer::of_request(&request);
    let LoginRequest { username, password } = body(request).await.map_err(|kind| app.problem(kind))?;
    let now = app.clock.now();
    let attempt = Attempt { name: &username, peer, purpose: Purpose::Login };
    let authenticated = app.users.authenticate(attempt, password, now).await;
    let (authenticated, permit) = authenticated.map_err(|error| app.login_problem(error))?;
    drop(permit);
    let issued =
        app.authenticator.issue(&authenticated.identity, now).await.map_err(|error| app.auth_problem(&error))?;
    if !app.users.is_unchanged(&authenticated).await.map_err(|error| app.auth_problem(&error))? {
        let revoked = app.authenticator.revoke(issued.credential.as_deref(), now).await;
        revoked.map_err(|error| app.auth_problem(&error))?;
        return Err(app.problem(ProblemKind::LoginFailed));
    }
    respond_with_credential(&app, authenticated.identity, issued)
}

/// The route that is measured: nothing is done here that is not needed.
pub(crate) async fn me<A: Authenticator>(
    State(app): State<Arc<App<A>>>,
    request: Request,
) -> Result<UserResponse, ProblemResponse> {
    let headers = headers(request);
    let (credential, now) = app.presented_credential(&headers)?;
    let verified = app.authenticator.verify(credential, now).await;
    verified.map(|identity| app.user_response(identity)).map_err(|error| app.auth_problem(&error))
}

pub(crate) async fn admin(State(app): State<Arc<App>>, request: Request) -> Result<UserResponse, ProblemResponse> {
    authenticate(&app, &headers(request))
        .await
        .and_then(|identity| app.require_admin(identity))
        .map(|identity| app.user_response(identity))
}

pub(crate) async fn refresh(State(app): State<Arc<App>>, request: Request) -> Result<Response, ProblemResponse> {
    app.require_same_origin(request.headers())?;
    let now = app.clock.now();
    let renewed = match (app.descriptor.refresh_token, app.carrier) {
        (false, _) => {
            let headers = headers(request);
            app.authenticator.renew(app.presented_credential(&headers)?.0, now).await
        }
        (true, Carrier::Cookie) => {
            let headers = headers(request);
            let token = carrier::refresh_cookie(&headers).map_err(|kind| app.problem(kind))?;
            app.authenticator.renew(token, now).await
        }
        (true, Carrier::Bearer) => {
            let RefreshRequest { refresh_token } = body(request).await.map_err(|kind| app.problem(kind))?;
            app.authenticator.renew(Some(&refresh_token), now).await
        }
    };
    let (identity, issued) = renewed.map_err(|error| app.auth_problem(&error))?;
    respond_with_credential(&app, identity, issued)
}

/// The headers alone: the body cannot be shared between threads, so no future may hold it over an await by reference.
fn headers(request: Request) -> HeaderMap {
    request.into_parts().0.headers
}

/// Returns the user of the credential in these headers.
pub(crate) async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Identity, ProblemResponse> {
    let (credential, now) = app.presented_credential(headers)?;
    app.authenticator.verify(credential, now).await.map_err(|error| app.auth_problem(&error))
}

/// A new credential, by the carrier; not to be kept by any cache (RFC 6750 section 5.3).
fn respond_with_credential(app: &App, user: Identity, issued: Issued) -> Result<Response, ProblemResponse> {
    let Issued { credential, refresh_token, expires_in } = issued;
    if credential.as_deref().is_some_and(|credential| !carrier::fits(app.carrier, credential)) {
        return Err(app.problem(ProblemKind::CredentialTooLarge));
    }
    let mut cookies = vec![];
    let (token, refresh_token) = match app.carrier {
        Carrier::Bearer => (credential, refresh_token),
        Carrier::Cookie => {
            let cookie = |name, value: &str, max_age_s| carrier::set_cookie(name, value, max_age_s);
            let max_age_s = app.cookie_max_age_s.unwrap_or(expires_in);
            cookies.extend(credential.map(|value| cookie(Carrier::COOKIE_NAME, &value, max_age_s)));
            // It is valid for as long as it is used; the server knows the maximum.
            let max_age_s = app.descriptor.absolute_ttl_s.unwrap_or(expires_in);
            cookies.extend(refresh_token.map(|value| cookie(Carrier::REFRESH_COOKIE_NAME, &value, max_age_s)));
            (None, None)
        }
    };
    let mut response = Json(LoginResponse { user, expires_in, token, refresh_token }).into_response();
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    append_cookies(&mut response, &cookies);
    Ok(response)
}

/// Returns the response to a client that revokes its credential.
pub(crate) fn respond_revoked(app: &App) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if app.carrier == Carrier::Cookie {
        append_cookies(&mut response, &[carrier::clear_cookie(Carrier::COOKIE_NAME)]);
        if app.descriptor.refresh_token {
            append_cookies(&mut response, &[carrier::clear_cookie(Carrier::REFRESH_COOKIE_NAME)]);
        }
    }
    response
}

fn append_cookies(response: &mut Response, cookies: &[String]) {
    for cookie in cookies {
        let value = HeaderValue::from_str(cookie).expect("a credential is visible ASCII");
        response.headers_mut().append(SET_COOKIE, value);
    }
}
