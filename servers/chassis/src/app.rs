//! What the handlers share: the authenticator and everything that serves it.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;
use contract::body::Identity;
use contract::{Carrier, ProblemKind, SchemeDescriptor, user};

use crate::auth::{AuthError, Authenticator, DynAuthenticator, UnixSeconds};
use crate::carrier;
use crate::clock::Clock;
use crate::cross_site::{self, Source};
use crate::host::{self, Authority};
use crate::module::Built;
use crate::next_hop::NextHop;
use crate::problem::ProblemResponse;
use crate::settings::Settings;
use crate::user_response::UserResponse;
use crate::users::{LoginError, Users};

/// Seconds until a retry when the store was down or accepted no writes.
const RETRY_AFTER_S: u64 = 1;
/// Seconds until a retry when too many logins waited; a full queue takes a minute.
const OVERLOADED_RETRY_AFTER_S: u64 = 10;

/// One server at work.
///
/// The measured route is static over the authenticator, so that a call to it costs what the scheme costs and no more. All
/// others share one `App` whatever the scheme is.
pub(crate) struct App<A: ?Sized = dyn DynAuthenticator> {
    pub(crate) users: Users,
    pub(crate) carrier: Carrier,
    pub(crate) clock: Clock,
    pub(crate) descriptor: SchemeDescriptor,
    pub(crate) next_hop: Option<NextHop>,
    /// The maximum lifetime of the cookie in the browser, in seconds; none: as long as the credential.
    pub(crate) cookie_max_age_s: Option<u64>,
    /// When the log last reported that the store is down: an outage rejects every request, but logs one line a second.
    store_down_logged_at: AtomicU64,
    pub(crate) authenticator: A,
}

impl<A: Authenticator> App<A> {
    pub(crate) fn new(built: Built<A>, settings: &Settings, clock: Clock) -> Self {
        let Built { authenticator, directory } = built;
        let descriptor = describe(&authenticator, settings);
        // A sliding session outlives the time that was left to it at login, so its cookie has to.
        let sliding = descriptor.touch.is_some_and(|touch| touch != contract::Touch::Never);
        Self {
            users: Users::seeded(settings.users, settings.start.roles, settings.password_memory, directory),
            carrier: settings.start.carrier,
            next_hop: settings.next_hop.as_ref().map(NextHop::new),
            clock,
            cookie_max_age_s: descriptor.absolute_ttl_s.filter(|_| sliding),
            descriptor,
            store_down_logged_at: AtomicU64::new(0),
            authenticator,
        }
    }
}

impl<A: ?Sized> App<A> {
    /// The credential of a request and the instant at which it is judged.
    pub(crate) fn presented_credential<'h>(
        &self,
        headers: &'h HeaderMap,
    ) -> Result<(Option<&'h str>, UnixSeconds), ProblemResponse> {
        let credential = carrier::credential(headers, self.carrier).map_err(|kind| self.problem(kind))?;
        Ok((credential, self.clock.now()))
    }

    /// Rejects requests that the browser marks as coming from another site.
    pub(crate) fn reject_cross_site(&self, headers: &HeaderMap) -> Result<(), ProblemResponse> {
        let foreign = self.carrier == Carrier::Cookie && cross_site::source(headers) == Source::CrossOrigin;
        if foreign { Err(self.problem(ProblemKind::CrossSite)) } else { Ok(()) }
    }

    /// Rejects a request for a route under `--bench` that does not come from this machine: a web page that the user has
    /// open could send it too, under another `Host` after its name was rebound, or from another origin.
    pub(crate) fn require_loopback(&self, headers: &HeaderMap) -> Result<(), ProblemResponse> {
        let local = host::authority(headers).is_some_and(Authority::is_loopback);
        let own = local && cross_site::source(headers) != Source::CrossOrigin;
        if own { Ok(()) } else { Err(self.problem(ProblemKind::CrossSite)) }
    }

    /// Rejects a state change by cookie unless the request is same-origin.
    pub(crate) fn require_same_origin(&self, headers: &HeaderMap) -> Result<(), ProblemResponse> {
        let carried = self.carrier == Carrier::Cookie && carrier::has_cookie(headers);
        let own = !carried || cross_site::source(headers) == Source::SameOrigin;
        if own { Ok(()) } else { Err(self.problem(ProblemKind::CrossSite)) }
    }

    /// Returns this user, if the user is an admin.
    pub(crate) fn require_admin(&self, identity: Identity) -> Result<Identity, ProblemResponse> {
        let admin = identity.has_role(user::ADMIN_ROLE);
        if admin { Ok(identity) } else { Err(self.problem(ProblemKind::InsufficientRole)) }
    }

    /// Returns the response with this user, as the carrier requires it.
    pub(crate) const fn user_response(&self, identity: Identity) -> UserResponse {
        UserResponse { identity, carrier: self.carrier }
    }

    pub(crate) fn problem(&self, kind: ProblemKind) -> ProblemResponse {
        let store = matches!(kind, ProblemKind::StoreUnavailable | ProblemKind::StoreNotWritable);
        let retry_after_s = store.then_some(RETRY_AFTER_S);
        ProblemResponse { kind, carrier: self.carrier, retry_after_s }
    }

    /// Returns the response to a failed login.
    pub(crate) fn login_problem(&self, error: LoginError) -> ProblemResponse {
        match error {
            LoginError::Failed => self.problem(ProblemKind::LoginFailed),
            LoginError::Throttled { wait_s } => {
                ProblemResponse { retry_after_s: Some(wait_s), ..self.problem(ProblemKind::TooManyAttempts) }
            }
            LoginError::Overloaded => ProblemResponse {
                retry_after_s: Some(OVERLOADED_RETRY_AFTER_S),
                ..self.problem(ProblemKind::Overloaded)
            },
            LoginError::Directory(error) => self.auth_problem(&error),
        }
    }

    /// Returns the response to this error. The reasons go to the log; neither contains a credential.
    pub(crate) fn auth_problem(&self, error: &AuthError) -> ProblemResponse {
        match error {
            AuthError::Missing => self.problem(ProblemKind::MissingCredential),
            AuthError::Invalid(reason) => {
                tracing::debug!(reason, "credential rejected");
                self.problem(ProblemKind::InvalidCredential)
            }
            AuthError::StoreUnavailable(reason) => {
                if self.is_log_due() {
                    tracing::warn!(reason, "store unavailable; responding with 503");
                }
                self.problem(ProblemKind::StoreUnavailable)
            }
            AuthError::StoreNotWritable(reason) => {
                if self.is_log_due() {
                    tracing::warn!(reason, "store not writable; responding with 503");
                }
                self.problem(ProblemKind::StoreNotWritable)
            }
            AuthError::TooLarge(reason) => {
                tracing::error!(reason, "credential too large");
                self.problem(ProblemKind::CredentialTooLarge)
            }
            AuthError::Internal(reason) => {
                tracing::error!(reason, "internal error");
                self.problem(ProblemKind::Internal)
            }
        }
    }

    /// Returns whether a second has passed since the log last reported the store.
    fn is_log_due(&self) -> bool {
        let now = self.clock.now();
        self.store_down_logged_at.swap(now, Ordering::Relaxed) != now
    }
}

fn describe(authenticator: &impl Authenticator, settings: &Settings) -> SchemeDescriptor {
    let own = authenticator.describe();
    SchemeDescriptor {
        scheme: own.scheme.id().to_owned(),
        carrier: settings.start.carrier,
        revocation_class: own.scheme.revocation_class(),
        revocation_window_s: own.revocation_window_s,
        store: own.scheme.store(),
        store_down: own.scheme.store_down(),
        logout: own.scheme.logout(),
        refresh_token: own.refresh_token,
        inner_window_s: own.inner_window_s,
        credential_ttl_s: own.credential_ttl_s,
        absolute_ttl_s: own.absolute_ttl_s,
        touch: own.touch,
        leeway_s: own.leeway_s,
        node: settings.node.clone(),
        users: settings.users,
        roles: settings.start.roles,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
