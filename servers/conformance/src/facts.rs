//! What is known of a server before the checks: from `/bench/scheme` if it has that, else from its response to
//! a login. What a check applies to follows from these facts, never from a scheme's name.

use contract::{Carrier, LogoutScope, RevocationClass, SchemeDescriptor, StoreDown, StoreKind, Touch};

use crate::login::IssuedCredential;
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
    pub(crate) fn of(descriptor: Option<SchemeDescriptor>, issued: &IssuedCredential, clock: bool) -> Self {
        Self {
            carrier: issued.carrier,
            jws: Token::open(&issued.credential).is_some(),
            refresh_token: issued.refresh_token.is_some(),
            cookie: issued.cookie.clone(),
            refresh_cookie: issued.refresh_cookie.clone(),
            clock,
            users: descriptor.as_ref().map_or(DEFAULT_USER_COUNT, |descriptor| descriptor.users),
            descriptor,
        }
    }

    /// Whether the cookie of this name, or of this `Set-Cookie`, has the credential or the refresh token. Others, as a
    /// balancer's, are only sent back.
    pub(crate) fn is_credential(&self, cookie: &str) -> bool {
        let name = cookie.split(['=', ';']).next().unwrap_or_default().trim();
        !name.is_empty() && (name == self.cookie || name == self.refresh_cookie)
    }

    fn declared<T>(&self, fact: impl FnOnce(&SchemeDescriptor) -> Option<T>) -> Option<T> {
        self.descriptor.as_ref().and_then(fact)
    }

    pub(crate) fn class(&self) -> Option<RevocationClass> {
        self.declared(|declared| declared.revocation_class)
    }

    pub(crate) fn window_s(&self) -> Option<u64> {
        self.declared(|declared| declared.revocation_window_s)
    }

    pub(crate) fn logout(&self) -> Option<LogoutScope> {
        self.declared(|declared| declared.logout)
    }

    pub(crate) fn store_down(&self) -> Option<StoreDown> {
        self.declared(|declared| Some(declared.store_down))
    }

    pub(crate) fn credential_ttl_s(&self) -> Option<u64> {
        self.declared(|declared| declared.credential_ttl_s)
    }

    pub(crate) fn absolute_ttl_s(&self) -> Option<u64> {
        self.declared(|declared| declared.absolute_ttl_s)
    }

    pub(crate) fn touch(&self) -> Option<Touch> {
        self.declared(|declared| declared.touch)
    }

    pub(crate) fn leeway_s(&self) -> Option<u64> {
        self.declared(|declared| declared.leeway_s)
    }

    /// Whether the store is a separate process.
    pub(crate) fn has_external_store(&self) -> Option<bool> {
        self.declared(|declared| Some(declared.store.is_external()))
    }

    /// Whether the credential is the sealed session itself: there is no store, and the credential is not a token.
    pub(crate) fn sealed(&self) -> Option<bool> {
        self.declared(|declared| Some(declared.store == StoreKind::None && !self.jws))
    }
}

/// The number of users assumed where the server does not state it.
pub(crate) const DEFAULT_USER_COUNT: u32 = 100;
