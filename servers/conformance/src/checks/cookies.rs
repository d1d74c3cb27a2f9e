//! Row 12: the attributes of every cookie that login, renewal and logout set.

use contract::{Carrier, route};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, reason};
use crate::wire::Response;

const SOURCE: &str = "RFC 6265bis section 4.1; OWASP Session Management Cheat Sheet";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "cookie-host-prefix",
        row: 12,
        title: "Every cookie name begins with __Host-.",
        source: "RFC 6265bis section 4.1.3.2",
        run: |context| every(context, |cookie| cookie.name.starts_with("__Host-")),
    },
    Check {
        id: "cookie-secure",
        row: 12,
        title: "Every cookie has Secure.",
        source: SOURCE,
        run: |context| every(context, |cookie| cookie.attribute("secure").is_some()),
    },
    Check {
        id: "cookie-http-only",
        row: 12,
        title: "Every cookie has HttpOnly.",
        source: SOURCE,
        run: |context| every(context, |cookie| cookie.attribute("httponly").is_some()),
    },
    Check {
        id: "cookie-same-site",
        row: 12,
        title: "Every cookie has SameSite Lax or Strict.",
        source: SOURCE,
        run: |context| every(context, Cookie::is_same_site),
    },
    Check {
        id: "cookie-path",
        row: 12,
        title: "Every cookie has Path=/.",
        source: SOURCE,
        run: |context| every(context, |cookie| cookie.attribute("path") == Some("/")),
    },
    Check {
        id: "cookie-no-domain",
        row: 12,
        title: "No cookie has a Domain.",
        source: SOURCE,
        run: |context| every(context, |cookie| cookie.attribute("domain").is_none()),
    },
    Check {
        id: "cookie-cleared-at-logout",
        row: 12,
        title: "A logout clears every cookie that the login set.",
        source: "OWASP Session Management Cheat Sheet",
        run: cleared,
    },
    Check {
        id: "cookie-not-in-body",
        row: 12,
        title: "The value of an HttpOnly cookie is in no response body, where scripts could read it.",
        source: "OWASP Session Management Cheat Sheet",
        run: not_in_body,
    },
];

/// A parsed `Set-Cookie`.
struct Cookie {
    line: String,
    name: String,
    value: String,
    attributes: Vec<(String, String)>,
}

impl Cookie {
    fn parse(line: &str) -> Self {
        let mut parts = line.split(';').map(|part| part.split_once('=').unwrap_or((part, "")));
        let (name, value) = parts.next().unwrap_or_default();
        let attributes = parts.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Self {
            attributes: attributes.collect(),
            line: line.to_owned(),
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn is_same_site(&self) -> bool {
        self.attribute("samesite").is_some_and(|site| ["lax", "strict"].contains(&site.to_ascii_lowercase().as_str()))
    }
}

/// Returns the cookies of this response that have the credential or the refresh token, without a balancer's.
fn cookies(context: &CheckContext<'_>, response: &Response) -> Vec<Cookie> {
    context.set_credentials(response).map(Cookie::parse).collect()
}

/// Returns every cookie of the responses to a login, a renewal and a logout.
fn every(context: &CheckContext<'_>, good: impl Fn(&Cookie) -> bool) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    let login = context.login()?;
    let renewed = context.renew(&login)?;
    let logout = context.send(&context.post(route::LOGOUT, &renewed.credential))?;
    for response in [&login.response, &renewed.response, &logout] {
        for cookie in cookies(context, response) {
            ensure(good(&cookie), || format!("Set-Cookie: {}", cookie.line))?;
        }
    }
    Ok(())
}

fn cleared(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    for path in [route::LOGOUT, route::LOGOUT_ALL] {
        let login = context.login()?;
        let logout = context.send(&context.post(path, &login.credential))?;
        logout.must_be(204, path)?;
        for set in cookies(context, &login.response) {
            let gone = cookies(context, &logout).iter().any(|cookie| {
                cookie.name == set.name && cookie.value.is_empty() && cookie.attribute("max-age") == Some("0")
            });
            ensure(gone, || format!("{path} does not clear {}", set.name))?;
        }
    }
    Ok(())
}

fn not_in_body(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    let login = context.login()?;
    let renewed = context.renew(&login)?;
    for login in [&login, &renewed] {
        let body = String::from_utf8_lossy(&login.response.body).into_owned();
        for secret in [Some(&login.credential), login.refresh_token.as_ref()].into_iter().flatten() {
            ensure(!body.contains(secret.as_str()), || {
                "the response has the credential in its body and in a cookie".to_owned()
            })?;
        }
    }
    Ok(())
}
