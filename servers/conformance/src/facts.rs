//! What is known of a server before the checks: from `/bench/scheme` if it has that, else from its response to
//! a login. What a check applies to follows from these facts, never from a scheme's name.

use contract::{Carrier, LogoutScope, RevocationClass, SchemeDescriptor, StoreDown, StoreKind, Touch};

use crate::login::Handed;
use crate::token::Token;

/// The facts.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) descriptor: Option<SchemeDescriptor>,
    pub(crate) carrier: Carrier,
    /// Whether the credential is a compact JWS.
    pub(crate) jws: bool,
    /// Whether a refresh token is issued.
    pub(crate) refresh_token: bool,
    /// The cookies that hold the credential and the refresh token.
    pub(crate) cookie: String,
    pub(crate) refresh_cookie: String,
    /// Whether the clock is adjustable.
    pub(crate) clock: bool,
    /// How many users there are, as far as is known.
    pub(crate) users: u32,
}

impl Facts {
    /// Reads the server's description and what it has issued.
    pub(crate) fn of(descriptor: Option<SchemeDescriptor>, handed: &Handed, clock: bool) -> Self {
        Self {
            carrier: handed.carrier,
            jws: Token::open(&handed.credential).is_some(),
            refresh_token: handed.refresh_token.is_some(),
            cookie: handed.cookie.clone(),
            refresh_cookie: handed.refresh_cookie.clone(),
            clock,
            users: descriptor.as_ref().map_or(FEW_USERS, |descriptor| descriptor.users),
            descriptor,
        }
    }

    /// Whether the cookie of this name, or of this `Set-Cookie`, has the credential or the refresh token. Others, as a
    /// balancer's, are only sent back.
    pub(crate) fn is_credential(&self, cookie: &str) -> bool {
        let name = cookie.split(['=', ';']).next().unwrap_or_default().trim();
        !name.is_empty() && (name == self.cookie || name == self.refresh_cookie)
    }

    fn told<T>(&self, fact: impl FnOnce(&SchemeDescriptor) -> Option<T>) -> Option<T> {
        self.descriptor.as_ref().and_then(fact)
    }

    pub(crate) fn class(&self) -> Option<RevocationClass> {
        self.told(|told| told.revocation_class)
    }

    pub(crate) fn window_s(&self) -> Option<u64> {
        self.told(|told| told.revocation_window_s)
    }

    pub(crate) fn logout(&self) -> Option<LogoutScope> {
        self.told(|told| told.logout)
    }

    pub(crate) fn store_down(&self) -> Option<StoreDown> {
        self.told(|told| Some(told.store_down))
    }

    pub(crate) fn credential_ttl_s(&self) -> Option<u64> {
        self.told(|told| told.credential_ttl_s)
    }

    pub(crate) fn absolute_ttl_s(&self) -> Option<u64> {
        self.told(|told| told.absolute_ttl_s)
    }

    pub(crate) fn touch(&self) -> Option<Touch> {
        self.told(|told| told.touch)
    }

    pub(crate) fn leeway_s(&self) -> Option<u64> {
        self.told(|told| told.leeway_s)
    }

    /// Whether the store is a separate process.
    pub(crate) fn store_apart(&self) -> Option<bool> {
        self.told(|told| Some(told.store.is_external()))
    }

    /// Whether the credential is the sealed session itself: there is no store, and the credential is not a token.
    pub(crate) fn sealed(&self) -> Option<bool> {
        self.told(|told| Some(told.store == StoreKind::None && !self.jws))
    }
}

/// The number of users assumed where the server does not state it.
pub(crate) const FEW_USERS: u32 = 100;
