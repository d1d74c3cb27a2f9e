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
use crate::problem::Refusal;
use crate::settings::Settings;
use crate::shown::Shown;
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
    store_down_told: AtomicU64,
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
            store_down_told: AtomicU64::new(0),
            authenticator,
        }
    }
}

impl<A: ?Sized> App<A> {
    /// The credential of a request and the instant at which it is judged.
    pub(crate) fn presented<'h>(&self, headers: &'h HeaderMap) -> Result<(Option<&'h str>, UnixSeconds), Refusal> {
        let credential = carrier::credential(headers, self.carrier).map_err(|kind| self.refusal(kind))?;
        Ok((credential, self.clock.now()))
    }

    /// Rejects requests that the browser marks as coming from another site.
    pub(crate) fn not_from_elsewhere(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let foreign = self.carrier == Carrier::Cookie && cross_site::source(headers) == Source::Foreign;
        if foreign { Err(self.refusal(ProblemKind::CrossSite)) } else { Ok(()) }
    }

    /// Rejects a request for a route under `--bench` that does not come from this machine: a web page that the user has
    /// open could send it too, under another `Host` after its name was rebound, or from another origin.
    pub(crate) fn is_local(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let local = host::of(headers).is_some_and(Authority::is_loopback);
        let own = local && cross_site::source(headers) != Source::Foreign;
        if own { Ok(()) } else { Err(self.refusal(ProblemKind::CrossSite)) }
    }

    /// Rejects a state change by cookie unless the request is same-origin.
    pub(crate) fn not_forged(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let carried = self.carrier == Carrier::Cookie && carrier::has_cookie(headers);
        let own = !carried || cross_site::source(headers) == Source::Own;
        if own { Ok(()) } else { Err(self.refusal(ProblemKind::CrossSite)) }
    }

    /// Returns this user, if the user is an admin.
    pub(crate) fn admin(&self, identity: Identity) -> Result<Identity, Refusal> {
        let admin = identity.has_role(user::ADMIN_ROLE);
        if admin { Ok(identity) } else { Err(self.refusal(ProblemKind::InsufficientRole)) }
    }

    /// Returns the response with this user, as the carrier requires it.
    pub(crate) const fn shown(&self, identity: Identity) -> Shown {
        Shown { identity, carrier: self.carrier }
    }

    pub(crate) fn refusal(&self, kind: ProblemKind) -> Refusal {
        let store = matches!(kind, ProblemKind::StoreUnavailable | ProblemKind::StoreNotWritable);
        let retry_after_s = store.then_some(RETRY_AFTER_S);
        Refusal { kind, carrier: self.carrier, retry_after_s }
    }

    /// Returns the response to a failed login.
    pub(crate) fn login_refused(&self, error: LoginError) -> Refusal {
        match error {
            LoginError::Failed => self.refusal(ProblemKind::LoginFailed),
            LoginError::Throttled { wait_s } => {
                Refusal { retry_after_s: Some(wait_s), ..self.refusal(ProblemKind::TooManyAttempts) }
            }
            LoginError::Overloaded => {
                Refusal { retry_after_s: Some(OVERLOADED_RETRY_AFTER_S), ..self.refusal(ProblemKind::Overloaded) }
            }
            LoginError::Directory(error) => self.refused(&error),
        }
    }

    /// Returns the response to this error. The reasons go to the log; neither contains a credential.
    pub(crate) fn refused(&self, error: &AuthError) -> Refusal {
        match error {
            AuthError::Missing => self.refusal(ProblemKind::MissingCredential),
            AuthError::Invalid(reason) => {
                tracing::debug!(reason, "credential rejected");
                self.refusal(ProblemKind::InvalidCredential)
            }
            AuthError::StoreUnavailable(reason) => {
                if self.is_log_due() {
                    tracing::warn!(reason, "store unavailable; responding with 503");
                }
                self.refusal(ProblemKind::StoreUnavailable)
            }
            AuthError::StoreNotWritable(reason) => {
                if self.is_log_due() {
                    tracing::warn!(reason, "store not writable; responding with 503");
                }
                self.refusal(ProblemKind::StoreNotWritable)
            }
            AuthError::TooLarge(reason) => {
                tracing::error!(reason, "credential too large");
                self.refusal(ProblemKind::CredentialTooLarge)
            }
            AuthError::Internal(reason) => {
                tracing::error!(reason, "internal error");
                self.refusal(ProblemKind::Internal)
            }
        }
    }

    /// Returns whether a second has passed since the log last reported the store.
    fn is_log_due(&self) -> bool {
        let now = self.clock.now();
        self.store_down_told.swap(now, Ordering::Relaxed) != now
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
