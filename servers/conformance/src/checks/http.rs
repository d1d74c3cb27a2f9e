//! Row 29: a request has exactly one `Host`, and caches do not store responses that depend on a cookie.

use contract::{Carrier, route, user};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, reason};
use crate::wire::Request;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "host-exactly-one",
        row: 29,
        title: "An HTTP/1.1 request with no Host header or with two gets 400.",
        source: "RFC 9112 section 3.2",
        run: host,
    },
    Check {
        id: "cookie-responses-not-cached",
        row: 29,
        title: "A response that depends on a cookie has Cache-Control: no-store.",
        source: "RFC 9111 section 5.2.2.5; OWASP ASVS 14.3.2",
        run: not_cached,
    },
];

fn host(context: &CheckContext<'_>) -> CheckResult {
    let login = context.login()?;
    let own = context.first_node().authority();
    let hosts: [(&str, Vec<&str>); 3] =
        [("no Host", vec![]), ("the same Host twice", vec![own, own]), ("two Hosts", vec![own, "evil.example"])];
    for (what, hosts) in hosts {
        let me = context.with(Request::get(route::ME), &login.credential).hosts(&hosts);
        context.send(&me)?.must_be(400, &format!("/me with {what}"))?;
        let again = CheckContext::login_request(&login.username, user::PASSWORD).hosts(&hosts);
        context.send(&again)?.must_be(400, &format!("/login with {what}"))?;
    }
    context.must_be_accepted(&login.credential, "the credential with one Host")
}

/// Shared caches do not store a response to a bearer request in any case (RFC 9111 section 3.5).
fn not_cached(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    let login = context.login()?;
    // The rest is checked even without an administrator.
    let admin = context.admin().ok().map(|admin| (route::ADMIN, admin.credential));
    for (path, credential) in [(route::ME, login.credential)].into_iter().chain(admin) {
        let response = context.send(&context.with(Request::get(path), credential))?;
        response.must_be(200, path)?;
        let cached = response.header("cache-control").unwrap_or_default();
        ensure(cached.contains("no-store"), || format!("{path} has Cache-Control {cached:?} instead of no-store"))?;
    }
    Ok(())
}
