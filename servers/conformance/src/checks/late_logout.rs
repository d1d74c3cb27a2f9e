//! Row 24: a client with a refresh token can log out, also when the access token has expired.

use contract::{Carrier, LogoutScope, route};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, fail, reason};
use crate::login::Login;
use crate::wire::Request;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "logout-by-refresh-token",
        row: 24,
        title: "A logout with a refresh token revokes the login of that token, even if the access token has expired.",
        source: "RFC 7009 section 2; OWASP ASVS 7.4.1",
        run: logout,
    },
    Check {
        id: "logout-all-by-refresh-token",
        row: 24,
        title: "A logout-all with a refresh token revokes every login of its user, and none of other users.",
        source: "RFC 7009 section 2; OWASP ASVS 7.4.3",
        run: logout_all,
    },
];

fn token(login: &Login) -> CheckResult<&str> {
    login.refresh_token.as_deref().map_or_else(|| fail("a login without a refresh token"), Ok)
}

/// Lets the access tokens of these logins expire, if the clock is adjustable.
fn expire(context: &CheckContext<'_>, logins: &[&Login]) -> CheckResult {
    let ttl_s = context.facts.credential_ttl_s().filter(|_| context.facts.clock);
    let Some(ttl_s) = ttl_s else { return Ok(()) };
    context.advance(ttl_s + context.facts.leeway_s().unwrap_or(0) + 1)?;
    logins.iter().try_for_each(|login| context.must_be_rejected(&login.credential, "an expired access token"))
}

fn must_end(context: &CheckContext<'_>, login: &Login, what: &str) -> CheckResult {
    context.send(&context.renewal_request_with(token(login)?))?.must_be(401, what)
}

fn logout(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let alone = context.login()?;
    let (with_access, other) = (context.login()?, context.login_as(&alone.username)?);
    expire(context, &[&alone, &with_access, &other])?;
    context
        .send(&context.request_with_refresh_token(route::LOGOUT, token(&alone)?))?
        .must_be(204, "/logout with the refresh token")?;
    must_end(context, &alone, "the renewal after a logout with the refresh token")?;
    context.send(&with_both(context, &with_access)?)?.must_be(204, "/logout with both tokens")?;
    must_end(context, &with_access, "the renewal after a logout with both tokens")?;
    match context.facts.logout() {
        Some(LogoutScope::Credential) => context.renew(&other).map(drop),
        _ => Ok(()),
    }
}

/// Like a client that adds its access token, or its browser every cookie, to every request.
fn with_both(context: &CheckContext<'_>, login: &Login) -> CheckResult<Request> {
    let token = token(login)?;
    Ok(match context.facts.carrier {
        Carrier::Bearer => context.with(context.request_with_refresh_token(route::LOGOUT, token), &login.credential),
        Carrier::Cookie => {
            let (own, refresh) = (&context.facts.cookie, &context.facts.refresh_cookie);
            let cookies = format!("{own}={}; {refresh}={token}", login.credential);
            context.as_same_origin(context.with_cookie(Request::post(route::LOGOUT), cookies))
        }
    })
}

fn logout_all(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let one = context.login()?;
    let (other, bystander) = (context.login_as(&one.username)?, context.login()?);
    expire(context, &[&one, &other, &bystander])?;
    context
        .send(&context.request_with_refresh_token(route::LOGOUT_ALL, token(&one)?))?
        .must_be(204, "/logout-all with the refresh token")?;
    must_end(context, &one, "a renewal after a logout-all with the refresh token")?;
    must_end(context, &other, "the renewal of the user's other login after a logout-all with the refresh token")?;
    context.renew(&bystander).map(drop)
}
