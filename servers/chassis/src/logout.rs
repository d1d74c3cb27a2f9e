//! The routes that end credentials: those of one login, and those of every login of a user.
//!
//! A refresh token outlives the credential that came with it. So where a scheme has refresh tokens, one is enough to log
//! out (RFC 7009 section 2): in the body by bearer, in its own cookie by cookie.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use contract::body::LogoutRequest;
use contract::{Carrier, ProblemKind};

use crate::account::respond_revoked;
use crate::app::App;
use crate::auth::Presented;
use crate::body::optional_body;
use crate::carrier;
use crate::problem::ProblemResponse;

pub(crate) async fn logout(State(app): State<Arc<App>>, request: Request) -> Result<Response, ProblemResponse> {
    app.require_same_origin(request.headers())?;
    let credentials = LogoutCredentials::from_request(&app, request).await?;
    let ended = app.authenticator.log_out(credentials.presented(&app)?, app.clock.now()).await;
    ended.map_err(|error| app.auth_problem(&error))?;
    Ok(respond_revoked(&app))
}

pub(crate) async fn logout_all(State(app): State<Arc<App>>, request: Request) -> Result<Response, ProblemResponse> {
    app.require_same_origin(request.headers())?;
    let credentials = LogoutCredentials::from_request(&app, request).await?;
    let now = app.clock.now();
    let user =
        app.authenticator.user_of(credentials.presented(&app)?, now).await.map_err(|error| app.auth_problem(&error))?;
    app.authenticator.revoke_user(user, now).await.map_err(|error| app.auth_problem(&error))?;
    Ok(respond_revoked(&app))
}

/// What a request to log out brings along.
struct LogoutCredentials {
    headers: HeaderMap,
    refresh_token: Option<String>,
}

impl LogoutCredentials {
    async fn from_request(app: &App, request: Request) -> Result<Self, ProblemResponse> {
        let headers = request.headers().clone();
        let refresh_token = match (app.descriptor.refresh_token, app.carrier) {
            (false, _) => None,
            (true, Carrier::Cookie) => match carrier::refresh_cookie(&headers) {
                // A cookie that holds no token names no login, and the other may.
                Err(ProblemKind::InvalidCredential) => None,
                found => found.map_err(|kind| app.problem(kind))?.map(str::to_owned),
            },
            (true, Carrier::Bearer) => {
                let body: Option<LogoutRequest> = optional_body(request).await.map_err(|kind| app.problem(kind))?;
                body.and_then(|body| body.refresh_token)
            }
        };
        Ok(Self { headers, refresh_token })
    }

    fn presented(&self, app: &App) -> Result<Presented<'_>, ProblemResponse> {
        let refresh_token = self.refresh_token.as_deref();
        let credential = match carrier::credential(&self.headers, app.carrier) {
            Err(ProblemKind::InvalidCredential) if refresh_token.is_some() => None,
            found => found.map_err(|kind| app.problem(kind))?,
        };
        Ok(Presented { credential, refresh_token })
    }
}
