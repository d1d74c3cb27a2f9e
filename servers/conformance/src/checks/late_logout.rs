//! Row 24: a client with a refresh token can log out, also when the access token has expired.

use contract::{Carrier, LogoutScope, route};

use super::Check;
use crate::case::Case;
use crate::login::Login;
use crate::stop::{Step, applicable, fail, reason};
use crate::wire::Request;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "logout-by-refresh-token",
        row: 24,
        title: "A logout with a refresh token revokes the login that it renews, also if the access token has expired.",
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

fn token(login: &Login) -> Step<&str> {
    login.refresh_token.as_deref().map_or_else(|| fail("a login without a refresh token"), Ok)
}

/// Lets the access tokens of these logins expire, if the clock is adjustable.
fn expire(case: &Case<'_>, logins: &[&Login]) -> Step {
    let ttl_s = case.facts.credential_ttl_s().filter(|_| case.facts.clock);
    let Some(ttl_s) = ttl_s else { return Ok(()) };
    case.advance(ttl_s + case.facts.leeway_s().unwrap_or(0) + 1)?;
    logins.iter().try_for_each(|login| case.must_be_refused(&login.credential, "an expired access token"))
}

fn must_end(case: &Case<'_>, login: &Login, what: &str) -> Step {
    case.send(&case.renewal_by(token(login)?))?.must_be(401, what)
}

fn logout(case: &Case<'_>) -> Step {
    applicable(case.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let alone = case.login()?;
    let (with_access, other) = (case.login()?, case.login_as(&alone.username)?);
    expire(case, &[&alone, &with_access, &other])?;
    case.send(&case.by_refresh_token(route::LOGOUT, token(&alone)?))?.must_be(204, "/logout with the refresh token")?;
    must_end(case, &alone, "the renewal after a logout with the refresh token")?;
    case.send(&with_both(case, &with_access)?)?.must_be(204, "/logout with both tokens")?;
    must_end(case, &with_access, "the renewal after a logout with both tokens")?;
    match case.facts.logout() {
        Some(LogoutScope::Credential) => case.renew(&other).map(drop),
        _ => Ok(()),
    }
}

/// Like a client that adds its access token, or its browser every cookie, to every request.
fn with_both(case: &Case<'_>, login: &Login) -> Step<Request> {
    let token = token(login)?;
    Ok(match case.facts.carrier {
        Carrier::Bearer => case.with(case.by_refresh_token(route::LOGOUT, token), &login.credential),
        Carrier::Cookie => {
            let (own, refresh) = (&case.facts.cookie, &case.facts.refresh_cookie);
            let cookies = format!("{own}={}; {refresh}={token}", login.credential);
            case.as_own_site(case.with_cookie(Request::post(route::LOGOUT), cookies))
        }
    })
}

fn logout_all(case: &Case<'_>) -> Step {
    applicable(case.facts.refresh_token, reason::NO_REFRESH_TOKEN)?;
    let one = case.login()?;
    let (other, bystander) = (case.login_as(&one.username)?, case.login()?);
    expire(case, &[&one, &other, &bystander])?;
    case.send(&case.by_refresh_token(route::LOGOUT_ALL, token(&one)?))?
        .must_be(204, "/logout-all with the refresh token")?;
    must_end(case, &one, "a renewal after a logout-all with the refresh token")?;
    must_end(case, &other, "the renewal of the user's other login after a logout-all with the refresh token")?;
    case.renew(&bystander).map(drop)
}
