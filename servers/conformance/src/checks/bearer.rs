//! Row 9: how a credential is presented, and how its absence, its badness and its doubling are answered.

use contract::{Carrier, route};

use super::Check;
use crate::case::Case;
use crate::stop::{Step, applicable, ensure, fail, reason};
use crate::wire::{Answer, Request};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "credential-works",
        row: 9,
        title: "What a login hands out opens /me as the user who logged in.",
        source: "RFC 6750 section 2",
        run: works,
    },
    Check {
        id: "no-credential",
        row: 9,
        title: "A request without a credential gets 401 and a challenge that names no error.",
        source: "RFC 6750 section 3.1; RFC 9110 section 11.6.1",
        run: none,
    },
    Check {
        id: "bad-credential",
        row: 9,
        title: "A bad credential gets 401 and, by bearer, the error invalid_token.",
        source: "RFC 6750 section 3.1",
        run: bad,
    },
    Check {
        id: "role-missing",
        row: 9,
        title: "A good credential without the role gets 403, and the admin gets 200.",
        source: "RFC 6750 section 3.1",
        run: role,
    },
    Check {
        id: "two-credentials",
        row: 9,
        title: "A request with two credentials gets 400, whatever they are worth.",
        source: "RFC 6750 section 3.1",
        run: two,
    },
    Check {
        id: "bearer-spelling",
        row: 9,
        title: "Bearer is taken in any case, and with several spaces behind it.",
        source: "RFC 6750 section 2.1; RFC 9110 sections 11.1 and 11.4",
        run: spelling,
    },
    Check {
        id: "credentials-not-cached",
        row: 9,
        title: "An answer that hands out a credential forbids every cache to keep it.",
        source: "RFC 6750 section 5.3; OWASP Session Management Cheat Sheet",
        run: not_cached,
    },
];

fn works(case: &Case<'_>) -> Step {
    let login = case.login()?;
    let answer = case.send(&case.with(Request::get(route::ME), &login.credential))?;
    answer.must_be(200, "/me with a fresh credential")?;
    let name = answer.json()["username"].clone();
    ensure(name == login.username.as_str(), || format!("/me is {name} instead of {}", login.username))
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
            ensure(bare, || format!("{challenge:?} is no bare Bearer challenge"))?;
        }
    }
    Ok(())
}

fn bad(case: &Case<'_>) -> Step {
    let unknown = case.login()?.credential.chars().rev().collect::<String>();
    for credential in ["not-a-credential", &unknown] {
        let answer = case.send(&case.with(Request::get(route::ME), credential))?;
        answer.must_be(401, "a bad credential")?;
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
        ("a cookie beside a bearer", both(Request::get(route::ME))),
        ("two different ones", twice(&one, &other)),
        ("the same twice", twice(&one, &one)),
        ("a good one behind a bad one", twice("bad", &one)),
        ("a bad one behind a good one", twice(&one, "bad")),
    ];
    if case.facts.carrier == Carrier::Cookie {
        let pair = format!("{cookie_name}={one}; a=b; {cookie_name}={other}");
        requests.push(("two cookies in one line", case.with_cookie(Request::get(route::ME), pair)));
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
        case.send(&me)?.must_be(200, &format!("a good credential behind {scheme:?}"))?;
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
