//! The routes that change a user: password, roles, lock-out. Each revokes every credential that was
//! issued to the user before.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use contract::ProblemKind;
use contract::body::{Identity, PasswordChange, UserChange};

use crate::account::respond_revoked;
use crate::app::App;
use crate::auth::AuthError;
use crate::body::body;
use crate::directory::Change;
use crate::peer::Peer;
use crate::problem::ProblemResponse;
use crate::throttle::{Attempt, Purpose};

/// Minimum length of a new password, as SP 800-63B section 3.1.1.2 requires for a single factor. A list of
/// common passwords and NFC normalisation are out of scope.
const MIN_PASSWORD_CHARS: usize = 15;

pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    app.require_same_origin(request.headers())?;
    let peer = Peer::of_request(&request);
    let (head, payload) = request.into_parts();
    let identity = current_user(&app, &head.headers).await?;
    let PasswordChange { password, new_password } =
        body(Request::from_parts(head, payload)).await.map_err(|kind| app.problem(kind))?;
    if new_password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(app.problem(ProblemKind::MalformedRequest));
    }
    let now = app.clock.now();
    let attempt = Attempt { name: &identity.username, peer, purpose: Purpose::PasswordChange };
    let authenticated = app.users.authenticate(attempt, password, now).await;
    let (authenticated, permit) = authenticated.map_err(|error| app.login_problem(error))?;
    // First the change, then the revocation of earlier credentials, so that no login slips in between.
    if !app.users.set_password(&authenticated, permit, new_password).await.map_err(|error| app.auth_problem(&error))? {
        return Err(app.problem(ProblemKind::LoginFailed));
    }
    app.authenticator.revoke_user(authenticated.identity.id, now).await.map_err(|error| app.auth_problem(&error))?;
    Ok(respond_revoked(&app))
}

pub(crate) async fn change_user(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, ProblemResponse> {
    app.require_same_origin(request.headers())?;
    let (head, payload) = request.into_parts();
    app.require_admin(current_user(&app, &head.headers).await?)?;
    let UserChange { username, disabled, roles } =
        body(Request::from_parts(head, payload)).await.map_err(|kind| app.problem(kind))?;
    let number = app.users.number(&username).ok_or_else(|| app.problem(ProblemKind::NotFound))?;
    let change = Change { disabled, roles, password: None };
    app.users.change(number, change).await.map_err(|error| app.auth_problem(&error))?;
    app.authenticator.revoke_user(number, app.clock.now()).await.map_err(|error| app.auth_problem(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the user of the credential in these headers, in the directory's current state.
///
/// A read may be served within the scheme's revocation window; a privileged write may not (ASVS 8.3). The user must not
/// be disabled, the roles are those of the directory, and no change since the credential was issued may have
/// revoked it. A directory that cannot be read results in 503. A change of this user that begins after this check
/// does not stop a write in progress.
async fn current_user(app: &App, headers: &HeaderMap) -> Result<Identity, ProblemResponse> {
    let (credential, now) = app.presented_credential(headers)?;
    let verified = app.authenticator.verify_current(credential, now).await;
    let number = verified.map_err(|error| app.auth_problem(&error))?.id;
    let user = app.users.current_identity(number).await.map_err(|error| app.auth_problem(&error))?;
    user.ok_or_else(|| app.auth_problem(&DISABLED_OR_UNKNOWN))
}

const DISABLED_OR_UNKNOWN: AuthError = AuthError::Invalid("the user is disabled or unknown");
