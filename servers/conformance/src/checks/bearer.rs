//! Row 9: how a credential is presented, and the responses to missing, invalid and duplicate ones.

use contract::{Carrier, route};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, fail, reason};
use crate::wire::{Request, Response};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "credential-works",
        row: 9,
        title: "The credential that a login issues authenticates /me as the user who logged in.",
        source: "RFC 6750 section 2",
        run: credential_authenticates_user,
    },
    Check {
        id: "no-credential",
        row: 9,
        title: "A request without a credential gets 401 and a challenge without an error code.",
        source: "RFC 6750 section 3.1; RFC 9110 section 11.6.1",
        run: missing_is_rejected,
    },
    Check {
        id: "bad-credential",
        row: 9,
        title: "An invalid credential gets 401 and, with the bearer carrier, the error invalid_token.",
        source: "RFC 6750 section 3.1",
        run: invalid_is_rejected,
    },
    Check {
        id: "role-missing",
        row: 9,
        title: "A valid credential without the role gets 403, and the admin gets 200.",
        source: "RFC 6750 section 3.1",
        run: role,
    },
    Check {
        id: "two-credentials",
        row: 9,
        title: "A request with two credentials gets 400, whether they are valid or not.",
        source: "RFC 6750 section 3.1",
        run: two_are_rejected,
    },
    Check {
        id: "bearer-spelling",
        row: 9,
        title: "The scheme name Bearer is accepted in any letter case and with several spaces after it.",
        source: "RFC 6750 section 2.1; RFC 9110 sections 11.1 and 11.4",
        run: spelling,
    },
    Check {
        id: "credentials-not-cached",
        row: 9,
        title: "A response that issues a credential has Cache-Control: no-store.",
        source: "RFC 6750 section 5.3; OWASP Session Management Cheat Sheet",
        run: not_cached,
    },
];

fn credential_authenticates_user(context: &CheckContext<'_>) -> CheckResult {
    let login = context.login()?;
    let response = context.send(&context.with(Request::get(route::ME), &login.credential))?;
    response.must_be(200, "/me with a fresh credential")?;
    let name = response.json()["username"].clone();
    ensure(name == login.username.as_str(), || format!("/me returns the user {name} instead of {}", login.username))
}

fn challenge(response: &Response) -> CheckResult<&str> {
    response.header("www-authenticate").map_or_else(|| fail("a 401 without WWW-Authenticate"), Ok)
}

fn missing_is_rejected(context: &CheckContext<'_>) -> CheckResult {
    for path in [route::ME, route::ADMIN] {
        let response = context.send(&Request::get(path))?;
        response.must_be(401, "no credential")?;
        let challenge = challenge(&response)?;
        if context.facts.carrier == Carrier::Bearer {
            let is_bare = challenge.starts_with("Bearer") && !challenge.contains("error=");
            ensure(is_bare, || format!("{challenge:?} is not a Bearer challenge without parameters"))?;
        }
    }
    Ok(())
}

fn invalid_is_rejected(context: &CheckContext<'_>) -> CheckResult {
    let unknown = context.login()?.credential.chars().rev().collect::<String>();
    for credential in ["not-a-credential", &unknown] {
        let response = context.send(&context.with(Request::get(route::ME), credential))?;
        response.must_be(401, "an invalid credential")?;
        let challenge = challenge(&response)?;
        if context.facts.carrier == Carrier::Bearer {
            let has_error_code = challenge.starts_with("Bearer") && challenge.contains(r#"error="invalid_token""#);
            ensure(has_error_code, || format!("{challenge:?} does not name invalid_token"))?;
        }
    }
    Ok(())
}

fn role(context: &CheckContext<'_>) -> CheckResult {
    let admin = context.admin()?;
    let login = context.login()?;
    let rejected = context.send(&context.with(Request::get(route::ADMIN), &login.credential))?;
    rejected.must_be(403, "/admin for an ordinary user")?;
    if context.facts.carrier == Carrier::Bearer {
        let challenge = rejected.header("www-authenticate").unwrap_or_default();
        let has_error_code = challenge.contains(r#"error="insufficient_scope""#);
        ensure(has_error_code, || format!("{challenge:?} does not name insufficient_scope"))?;
    }
    context.send(&context.with(Request::get(route::ADMIN), &admin.credential))?.must_be(200, "/admin for the admin")
}

fn two_are_rejected(context: &CheckContext<'_>) -> CheckResult {
    let (one, other) = (context.login()?.credential, context.login()?.credential);
    let cookie_name = if context.facts.cookie.is_empty() { Carrier::COOKIE_NAME } else { &context.facts.cookie };
    let both = |request: Request| {
        let request = request.header("authorization", format!("Bearer {one}"));
        context.with_cookie(request, format!("{cookie_name}={one}"))
    };
    let twice = |first: &str, second: &str| context.with(context.with(Request::get(route::ME), first), second);
    let mut requests = vec![
        ("a cookie and a bearer token", both(Request::get(route::ME))),
        ("two different bearer tokens", twice(&one, &other)),
        ("the same bearer token twice", twice(&one, &one)),
        ("a valid bearer token after an invalid one", twice("bad", &one)),
        ("an invalid bearer token after a valid one", twice(&one, "bad")),
    ];
    if context.facts.carrier == Carrier::Cookie {
        let pair = format!("{cookie_name}={one}; a=b; {cookie_name}={other}");
        requests.push(("two cookies in one header line", context.with_cookie(Request::get(route::ME), pair)));
    }
    for (what, request) in requests {
        context.send(&request)?.must_be(400, what)?;
    }
    Ok(())
}

fn spelling(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Bearer, reason::NOT_BEARER)?;
    let credential = context.login()?.credential;
    for scheme in ["Bearer  ", "Bearer     ", "bearer ", "BEARER "] {
        let me = context.with_other_cookies(Request::get(route::ME));
        let me = me.header("authorization", format!("{scheme}{credential}"));
        context.send(&me)?.must_be(200, &format!("a valid credential after {scheme:?}"))?;
    }
    Ok(())
}

fn not_cached(context: &CheckContext<'_>) -> CheckResult {
    let login = context.login()?;
    let renewed = context.renew(&login)?;
    for (what, response) in [("the login", &login.response), ("the renewal", &renewed.response)] {
        let cached = response.header("cache-control").unwrap_or_default();
        ensure(cached.contains("no-store"), || format!("{what} has Cache-Control {cached:?} instead of no-store"))?;
    }
    Ok(())
}
