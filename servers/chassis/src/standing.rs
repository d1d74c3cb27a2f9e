//! The routes that change a user: password, roles, lock-out. Each revokes every credential that was
//! issued to the user before.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use contract::ProblemKind;
use contract::body::{Identity, PasswordChange, UserChange};

use crate::account::take_back;
use crate::app::App;
use crate::auth::AuthError;
use crate::body::body;
use crate::directory::Change;
use crate::peer::Peer;
use crate::problem::Refusal;
use crate::throttle::{Attempt, Purpose};

/// Minimum length of a new password, as SP 800-63B section 3.1.1.2 requires for a single factor. A list of
/// common passwords and NFC normalisation are out of scope.
const LEAST_PASSWORD_CHARS: usize = 15;

pub(crate) async fn password(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    app.not_forged(request.headers())?;
    let peer = Peer::of_request(&request);
    let (head, payload) = request.into_parts();
    let identity = current(&app, &head.headers).await?;
    let PasswordChange { password, new_password } =
        body(Request::from_parts(head, payload)).await.map_err(|kind| app.refusal(kind))?;
    if new_password.chars().count() < LEAST_PASSWORD_CHARS {
        return Err(app.refusal(ProblemKind::MalformedRequest));
    }
    let now = app.clock.now();
    let attempt = Attempt { name: &identity.username, peer, purpose: Purpose::PasswordChange };
    let proved = app.users.authenticate(attempt, password, now).await;
    let (proved, turn) = proved.map_err(|error| app.login_refused(error))?;
    // First the change, then the revocation of earlier credentials, so that no login slips in between.
    if !app.users.set_password(&proved, turn, new_password).await.map_err(|error| app.refused(&error))? {
        return Err(app.refusal(ProblemKind::LoginFailed));
    }
    app.authenticator.revoke_user(proved.identity.id, now).await.map_err(|error| app.refused(&error))?;
    Ok(take_back(&app))
}

pub(crate) async fn user(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, Refusal> {
    app.not_forged(request.headers())?;
    let (head, payload) = request.into_parts();
    app.admin(current(&app, &head.headers).await?)?;
    let UserChange { username, disabled, roles } =
        body(Request::from_parts(head, payload)).await.map_err(|kind| app.refusal(kind))?;
    let number = app.users.number(&username).ok_or_else(|| app.refusal(ProblemKind::NotFound))?;
    let change = Change { disabled, roles, password: None };
    app.users.change(number, change).await.map_err(|error| app.refused(&error))?;
    app.authenticator.revoke_user(number, app.clock.now()).await.map_err(|error| app.refused(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the user of the credential in these headers, in the directory's current state.
///
/// A read may be served within the scheme's revocation window; a privileged write may not (ASVS 8.3). The user must not
/// be disabled, the roles are those of the directory, and no change since the credential was issued may have
/// revoked it. A directory that cannot be read results in 503. A change of this user that begins after this check
/// does not stop a write in progress.
async fn current(app: &App, headers: &HeaderMap) -> Result<Identity, Refusal> {
    let (credential, now) = app.presented(headers)?;
    let verified = app.authenticator.verify_current(credential, now).await;
    let number = verified.map_err(|error| app.refused(&error))?.id;
    let user = app.users.current(number).await.map_err(|error| app.refused(&error))?;
    user.ok_or_else(|| app.refused(&DISABLED))
}

const DISABLED: AuthError = AuthError::Invalid("the user is disabled or unknown");
