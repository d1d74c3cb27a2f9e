//! What the handlers share: the authenticator and everything that serves it.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;
use contract::{Carrier, ProblemKind, SchemeDescriptor};

use crate::auth::{AuthError, Authenticator, UnixSeconds};
use crate::carrier;
use crate::clock::Clock;
use crate::problem::Refusal;
use crate::settings::Settings;
use crate::users::Users;

/// One server at work. Static over the authenticator, so that a call to it costs what the scheme
/// costs and no more.
pub(crate) struct App<A> {
    pub(crate) authenticator: A,
    pub(crate) users: Users,
    pub(crate) carrier: Carrier,
    pub(crate) clock: Clock,
    pub(crate) descriptor: SchemeDescriptor,
    /// What a browser is told to keep the cookie for at most, in seconds; none: as long as the credential.
    pub(crate) cookie_max_age_s: Option<u64>,
    /// When the log last told that the store is down: an outage refuses every request, and logs a line a second.
    store_down_told: AtomicU64,
}

impl<A: Authenticator> App<A> {
    pub(crate) fn new(authenticator: A, settings: &Settings, clock: Clock) -> Self {
        let descriptor = describe(&authenticator, settings);
        // A sliding session outlives the time that was left to it at login, so its cookie has to.
        let sliding = descriptor.touch.is_some_and(|touch| touch != contract::Touch::Never);
        Self {
            users: Users::seeded(settings.users, settings.start.roles),
            carrier: settings.carrier,
            clock,
            cookie_max_age_s: descriptor.absolute_ttl_s.filter(|_| sliding),
            descriptor,
            authenticator,
            store_down_told: AtomicU64::new(0),
        }
    }

    /// The credential of a request and the instant at which it is judged.
    pub(crate) fn presented<'h>(&self, headers: &'h HeaderMap) -> Result<(Option<&'h str>, UnixSeconds), Refusal> {
        let credential = carrier::credential(headers, self.carrier).map_err(|kind| self.refusal(kind))?;
        Ok((credential, self.clock.now()))
    }

    pub(crate) fn refusal(&self, kind: ProblemKind) -> Refusal {
        Refusal { kind, carrier: self.carrier }
    }

    /// The refusal that answers this error. The reasons go to the log; neither holds a credential.
    pub(crate) fn refused(&self, error: &AuthError) -> Refusal {
        match error {
            AuthError::Missing => self.refusal(ProblemKind::MissingCredential),
            AuthError::Invalid(reason) => {
                tracing::debug!(reason, "credential refused");
                self.refusal(ProblemKind::InvalidCredential)
            }
            AuthError::StoreUnavailable(reason) => {
                let now = self.clock.now();
                if self.store_down_told.swap(now, Ordering::Relaxed) != now {
                    tracing::warn!(reason, "store unavailable; answering 503");
                }
                self.refusal(ProblemKind::StoreUnavailable)
            }
            AuthError::Internal(reason) => {
                tracing::error!(reason, "internal fault");
                self.refusal(ProblemKind::Internal)
            }
        }
    }
}

fn describe(authenticator: &impl Authenticator, settings: &Settings) -> SchemeDescriptor {
    let own = authenticator.describe();
    SchemeDescriptor {
        scheme: own.scheme.id().to_owned(),
        carrier: settings.carrier,
        revocation_class: own.scheme.revocation_class(),
        revocation_window_s: own.revocation_window_s,
        store: own.scheme.store(),
        store_down: own.store_down,
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
