//! The claims of a token, and the conditions for accepting them.

use std::borrow::Cow;

use contract::body::Identity;
use serde::{Deserialize, Serialize};

use crate::audience::Audience;
use crate::numeric_date::NumericDate;
use crate::token_id::TokenId;

/// The media type of a token, after `application/` (RFC 9068 section 2.1): no other token of this or another
/// issuer passes for one (RFC 8725 section 3.11).
pub(crate) const MEDIA_TYPE: &str = "at+jwt";

/// The claims of a token (RFC 7519 section 4.1, RFC 9068 section 2.2), all required but the last two. There is no
/// `client_id`, because there is no OAuth client. Our own times are whole seconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Audience<'a>,
    /// The user's number. With the last three it makes up the facts that a session's payload has too.
    #[serde(borrow)]
    sub: Cow<'a, str>,
    exp: NumericDate,
    nbf: NumericDate,
    iat: NumericDate,
    #[serde(borrow)]
    jti: Cow<'a, str>,
    /// When the user gave the password: `/refresh` keeps it.
    auth_time: NumericDate,
    #[serde(borrow)]
    username: Cow<'a, str>,
    #[serde(borrow)]
    email: Cow<'a, str>,
    roles: Cow<'a, [String]>,
    /// What a revocation of the user is compared with, in the scheme's own count; absent for 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    epoch: u64,
    /// The family of refresh tokens that it came from.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sid: Option<Cow<'a, str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(epoch: &u64) -> bool {
    *epoch == 0
}

/// The issuer, the audience and the lifetimes of tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenPolicy {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    /// Seconds a token lives.
    pub(crate) ttl_s: u64,
    /// Seconds after login at which no token lives any more.
    pub(crate) absolute_ttl_s: u64,
    /// Seconds by which the clocks of issuer and verifier may differ.
    pub(crate) leeway_s: u64,
}

/// The claims of a token in addition to user and times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant<'a> {
    /// When the user gave the password.
    pub(crate) auth_time: u64,
    /// When no token of this login lives any more.
    pub(crate) ends_at: u64,
    /// The claim `epoch`; 0 for none.
    pub(crate) epoch: u64,
    /// The claim `sid`.
    pub(crate) sid: Option<&'a str>,
}

/// The user of a valid token.
pub(crate) struct VerifiedToken {
    pub(crate) identity: Identity,
    pub(crate) auth_time: u64,
    pub(crate) id: TokenId,
    pub(crate) exp: u64,
    pub(crate) epoch: u64,
    pub(crate) sid: Option<String>,
}

impl TokenPolicy {
    /// Returns when a login at `auth_time` expires in any case.
    pub(crate) fn absolute_expiry(&self, auth_time: u64) -> u64 {
        auth_time.saturating_add(self.absolute_ttl_s)
    }

    /// When a token that is issued `now` ends.
    pub(crate) fn expiry(&self, grant: &Grant<'_>, now: u64) -> u64 {
        now.saturating_add(self.ttl_s).min(grant.ends_at)
    }

    /// Returns the seconds after which no earlier token is accepted anywhere.
    pub(crate) const fn max_lifetime_s(&self) -> u64 {
        self.ttl_s + self.leeway_s
    }

    /// The claims of a token issued `now`.
    pub(crate) fn claims<'a>(&'a self, identity: &'a Identity, id: TokenId, grant: &Grant<'a>, now: u64) -> Claims<'a> {
        Claims {
            iss: Cow::Borrowed(&self.issuer),
            aud: Audience::One(Cow::Borrowed(&self.audience)),
            sub: Cow::Owned(identity.id.to_string()),
            exp: self.expiry(grant, now).into(),
            nbf: now.into(),
            iat: now.into(),
            jti: Cow::Owned(id.to_text()),
            auth_time: grant.auth_time.into(),
            username: Cow::Borrowed(&identity.username),
            email: Cow::Borrowed(&identity.email),
            roles: Cow::Borrowed(&identity.roles),
            epoch: grant.epoch,
            sid: grant.sid.map(Cow::Borrowed),
        }
    }

    /// Returns the user of this token, if it is valid here and now; otherwise the reason.
    pub(crate) fn accept(&self, claims: Claims<'_>, now: u64) -> Result<VerifiedToken, &'static str> {
        let early = now.saturating_add(self.leeway_s);
        let (exp, auth_time) = (claims.exp.floor(), claims.auth_time.floor());
        let rejections = [
            (claims.iss != self.issuer, "another issuer"),
            (!claims.aud.includes(&self.audience), "for another audience"),
            (claims.jti.is_empty(), "no token id"),
            (exp.saturating_add(self.leeway_s) <= now, "expired"),
            (claims.nbf.ceil() > early, "not yet valid"),
            (claims.iat.ceil() > early, "issued in the future"),
            (claims.auth_time > claims.iat, "issued before login"),
            (self.absolute_expiry(auth_time) <= now, "past the absolute timeout"),
        ];
        if let Some((_, reason)) = rejections.into_iter().find(|(rejected, _)| *rejected) {
            return Err(reason);
        }
        let identity = Identity {
            id: claims.sub.parse().map_err(|_| "the subject is not a user number")?,
            username: claims.username.into_owned(),
            email: claims.email.into_owned(),
            roles: claims.roles.into_owned(),
        };
        Ok(VerifiedToken {
            identity,
            auth_time,
            id: TokenId::parse(&claims.jti).ok_or("the token id is not one of this server's")?,
            exp,
            epoch: claims.epoch,
            sid: claims.sid.map(Cow::into_owned),
        })
    }
}
