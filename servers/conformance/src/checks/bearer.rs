//! Row 9: how a credential is presented, and the responses to missing, invalid and duplicate ones.

use contract::{Carrier, route};

use super::Check;
use crate::case::Case;
use crate::stop::{Step, applicable, ensure, fail, reason};
use crate::wire::{Answer, Request};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "credential-works",
        row: 9,
        title: "The credential that a login issues authenticates /me as the user who logged in.",
        source: "RFC 6750 section 2",
        run: works,
    },
    Check {
        id: "no-credential",
        row: 9,
        title: "A request without a credential gets 401 and a challenge without an error code.",
        source: "RFC 6750 section 3.1; RFC 9110 section 11.6.1",
        run: none,
    },
    Check {
        id: "bad-credential",
        row: 9,
        title: "An invalid credential gets 401 and, with the bearer carrier, the error invalid_token.",
        source: "RFC 6750 section 3.1",
        run: bad,
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
        run: two,
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

fn works(case: &Case<'_>) -> Step {
    let login = case.login()?;
    let answer = case.send(&case.with(Request::get(route::ME), &login.credential))?;
    answer.must_be(200, "/me with a fresh credential")?;
    let name = answer.json()["username"].clone();
    ensure(name == login.username.as_str(), || format!("/me returns the user {name} instead of {}", login.username))
}

fn challenge(answer: &Answer) -> Step<&str> {
    answer.header("www-authenticate").map_or_else(|| fail("a 401 without WWW-Authenticate"), Ok)
}

fn none(case: &Case<'_>) -> Step {
    for path in [route::ME, route::ADMIN] {
        let answer = case.send(&Request::get(path))?;
        answer.must_be(401, "no credential")?;
        let challenge = challenge(&answer)?;
        if case.facts.carrier == Carrier::Bearer {
            let bare = challenge.starts_with("Bearer") && !challenge.contains("error=");
            ensure(bare, || format!("{challenge:?} is not a Bearer challenge without parameters"))?;
        }
    }
    Ok(())
}

fn bad(case: &Case<'_>) -> Step {
    let unknown = case.login()?.credential.chars().rev().collect::<String>();
    for credential in ["not-a-credential", &unknown] {
        let answer = case.send(&case.with(Request::get(route::ME), credential))?;
        answer.must_be(401, "an invalid credential")?;
        let challenge = challenge(&answer)?;
        if case.facts.carrier == Carrier::Bearer {
            let named = challenge.starts_with("Bearer") && challenge.contains(r#"error="invalid_token""#);
            ensure(named, || format!("{challenge:?} does not name invalid_token"))?;
        }
    }
    Ok(())
}

fn role(case: &Case<'_>) -> Step {
    let admin = case.admin()?;
    let login = case.login()?;
    let refused = case.send(&case.with(Request::get(route::ADMIN), &login.credential))?;
    refused.must_be(403, "/admin for an ordinary user")?;
    if case.facts.carrier == Carrier::Bearer {
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        let named = challenge.contains(r#"error="insufficient_scope""#);
        ensure(named, || format!("{challenge:?} does not name insufficient_scope"))?;
    }
    case.send(&case.with(Request::get(route::ADMIN), &admin.credential))?.must_be(200, "/admin for the admin")
}

fn two(case: &Case<'_>) -> Step {
    let (one, other) = (case.login()?.credential, case.login()?.credential);
    let cookie_name = if case.facts.cookie.is_empty() { Carrier::COOKIE_NAME } else { &case.facts.cookie };
    let both = |request: Request| {
        let request = request.header("authorization", format!("Bearer {one}"));
        case.with_cookie(request, format!("{cookie_name}={one}"))
    };
    let twice = |first: &str, second: &str| case.with(case.with(Request::get(route::ME), first), second);
    let mut requests = vec![
        ("a cookie and a bearer token", both(Request::get(route::ME))),
        ("two different bearer tokens", twice(&one, &other)),
        ("the same bearer token twice", twice(&one, &one)),
        ("a valid bearer token after an invalid one", twice("bad", &one)),
        ("an invalid bearer token after a valid one", twice(&one, "bad")),
    ];
    if case.facts.carrier == Carrier::Cookie {
        let pair = format!("{cookie_name}={one}; a=b; {cookie_name}={other}");
        requests.push(("two cookies in one header line", case.with_cookie(Request::get(route::ME), pair)));
    }
    for (what, request) in requests {
        case.send(&request)?.must_be(400, what)?;
    }
    Ok(())
}

fn spelling(case: &Case<'_>) -> Step {
    applicable(case.facts.carrier == Carrier::Bearer, reason::NOT_BEARER)?;
    let credential = case.login()?.credential;
    for scheme in ["Bearer  ", "Bearer     ", "bearer ", "BEARER "] {
        let me = case.with_companions(Request::get(route::ME));
        let me = me.header("authorization", format!("{scheme}{credential}"));
        case.send(&me)?.must_be(200, &format!("a valid credential after {scheme:?}"))?;
    }
    Ok(())
}

fn not_cached(case: &Case<'_>) -> Step {
    let login = case.login()?;
    let renewed = case.renew(&login)?;
    for (what, answer) in [("the login", &login.answer), ("the renewal", &renewed.answer)] {
        let cached = answer.header("cache-control").unwrap_or_default();
        ensure(cached.contains("no-store"), || format!("{what} has Cache-Control {cached:?} instead of no-store"))?;
    }
    Ok(())
}
