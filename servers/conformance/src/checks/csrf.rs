//! Row 17: a state change by cookie must come from the site itself.

use contract::{Carrier, route, user};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, reason};
use crate::wire::Request;

const SOURCE: &str = "OWASP Cross-Site Request Forgery Prevention Cheat Sheet; Fetch Metadata";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "csrf-rejected",
        row: 17,
        title: "A state change by cookie gets 403 unless the browser marks the request as same-origin.",
        source: SOURCE,
        run: cross_site_is_rejected,
    },
    Check {
        id: "csrf-own-site-passes",
        row: 17,
        title: "A state change by cookie is accepted if Origin is the server's host or Sec-Fetch-Site is same-origin.",
        source: SOURCE,
        run: same_origin_is_accepted,
    },
    Check {
        id: "csrf-default-port",
        row: 17,
        title: "An Origin without a port matches a Host with the default port, and the reverse.",
        source: "RFC 6454 section 4; RFC 9110 section 4.2.3",
        run: default_port,
    },
    Check {
        id: "csrf-login-rejected",
        row: 17,
        title: "Another site cannot log a browser in as a different user.",
        source: "OWASP Cross-Site Request Forgery Prevention Cheat Sheet, login CSRF",
        run: login,
    },
    Check {
        id: "csrf-bearer-exempt",
        row: 17,
        title: "A request with a bearer token needs no Origin, because browsers do not add the token by themselves.",
        source: SOURCE,
        run: exempt,
    },
];

/// Headers of a request from another site.
fn cross_site_headers(own: &str) -> [(&'static str, Vec<(&'static str, String)>); 9] {
    let own_origin = format!("https://{own}");
    [
        ("neither Origin nor Sec-Fetch-Site", vec![]),
        ("a foreign Origin", vec![("origin", "https://evil.test".to_owned())]),
        ("the Origin null", vec![("origin", "null".to_owned())]),
        ("an Origin that begins like the server's own", vec![("origin", format!("https://{own}.evil.test"))]),
        ("an Origin that ends like the server's own", vec![("origin", format!("https://evil.test#{own}"))]),
        ("two Origins", vec![("origin", own_origin.clone()), ("origin", "https://evil.test".to_owned())]),
        ("Sec-Fetch-Site cross-site", vec![("sec-fetch-site", "cross-site".to_owned())]),
        ("Sec-Fetch-Site same-site", vec![("sec-fetch-site", "same-site".to_owned())]),
        (
            "the server's own Origin, but cross-site",
            vec![("origin", own_origin), ("sec-fetch-site", "cross-site".to_owned())],
        ),
    ]
}

fn with_headers(request: Request, headers: &[(&'static str, String)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, value.clone()))
}

fn cross_site_is_rejected(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    let login = context.login()?;
    for path in [route::LOGOUT, route::LOGOUT_ALL, route::REFRESH, route::PASSWORD, route::ADMIN_USER] {
        for (what, headers) in cross_site_headers(context.first_node().authority()) {
            let request = with_headers(context.with(Request::post(path), &login.credential), &headers);
            let response = context.send(&request)?;
            response.must_be(403, &format!("{path} with {what}"))?;
            ensure(context.set_credentials(&response).next().is_none(), || {
                format!("{path} with {what} sets a cookie")
            })?;
        }
    }
    context.must_be_accepted(&login.credential, "after rejected state changes")
}

fn same_origin_is_accepted(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    let own = context.first_node().authority();
    for (name, value) in [
        ("origin", format!("http://{own}")),
        ("origin", format!("https://{own}")),
        ("sec-fetch-site", "same-origin".to_owned()),
    ] {
        let login = context.login()?;
        let request =
            with_headers(context.with(Request::post(route::LOGOUT), &login.credential), &[(name, value.clone())]);
        context.send(&request)?.must_be(204, &format!("/logout with {name}: {value}"))?;
    }
    Ok(())
}

/// The change itself is incomplete: a same-origin request gets the error for that, any other gets 403.
fn default_port(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    let (login, own) = (context.login()?, context.first_node().host());
    let post = |host: &str, origin: &str| {
        let request = context.with(Request::post(route::PASSWORD), &login.credential).hosts(&[host]);
        context.send(&request.header("origin", origin))
    };
    for (host_port, scheme, origin_port) in
        [(":443", "https", ""), ("", "https", ":443"), (":80", "http", ""), ("", "http", ":80")]
    {
        let (host, origin) = (format!("{own}{host_port}"), format!("{scheme}://{own}{origin_port}"));
        let response = post(&host, &origin)?;
        let passed = (400..500).contains(&response.status) && response.status != 403;
        ensure(passed, || format!("Host {host} and Origin {origin}, without a body: {}", response.status))?;
    }
    for (host, origin) in
        [(format!("{own}:444"), format!("https://{own}")), (own.to_owned(), format!("https://{own}:444"))]
    {
        post(&host, &origin)?.must_be(403, &format!("Host {host} and Origin {origin}"))?;
    }
    Ok(())
}

fn login(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    for (what, headers) in cross_site_headers(context.first_node().authority()).into_iter().skip(1) {
        let response = context
            .send(&with_headers(CheckContext::login_request(&context.fresh_user(), user::PASSWORD), &headers))?;
        response.must_be(403, &format!("/login with {what}"))?;
        ensure(context.set_credentials(&response).next().is_none(), || format!("/login with {what} sets a cookie"))?;
    }
    Ok(())
}

fn exempt(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Bearer, reason::NOT_BEARER)?;
    for (what, headers) in cross_site_headers(context.first_node().authority()) {
        let login = context.login()?;
        let response = context.send(&with_headers(context.post(route::LOGOUT, &login.credential), &headers))?;
        response.must_be(204, &format!("/logout by bearer with {what}"))?;
    }
    Ok(())
}
