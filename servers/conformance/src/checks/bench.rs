//! Row 28: the bench routes are not usable by a web page in a browser on the same machine.

use contract::route;
use serde_json::{Value, json};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, reason};
use crate::wire::Request;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "bench-host-loopback",
        row: 28,
        title: "The bench routes reject a Host that is not loopback, which prevents DNS rebinding.",
        source: "OWASP Server-Side Request Forgery Prevention Cheat Sheet, DNS pinning; CWE-350",
        run: foreign_host,
    },
    Check {
        id: "bench-other-site-rejected",
        row: 28,
        title: "The bench routes reject a request that the browser marks as cross-site.",
        source: "OWASP Cross-Site Request Forgery Prevention Cheat Sheet; Fetch Metadata",
        run: foreign_site,
    },
    Check {
        id: "bench-body-required",
        row: 28,
        title: "The bench routes accept only JSON, which an HTML form on another site cannot send.",
        source: "OWASP Cross-Site Request Forgery Prevention Cheat Sheet; Fetch section 2.2.2",
        run: body_required,
    },
];

/// Every route that changes something, with a body that it accepts.
fn requests() -> [(&'static str, Value); 3] {
    [
        (route::BENCH_MINT, json!({ "count": 1, "first_user": 1 })),
        (route::BENCH_CLOCK, json!({ "advance_s": 0 })),
        (route::BENCH_ROTATE, json!({})),
    ]
}

fn foreign_host(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.clock, reason::NO_CLOCK)?;
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1"] {
        for (path, body) in requests() {
            let response = context.send(&Request::post(path).hosts(&[host]).json(&body))?;
            response.must_be_4xx(&format!("{path} with Host {host}"))?;
        }
    }
    for host in ["localhost", "127.0.0.1:8080", "[::1]:8080"] {
        let moved = Request::post(route::BENCH_CLOCK).hosts(&[host]).json(&json!({ "advance_s": 0 }));
        context.send(&moved)?.must_be(200, &format!("{} with Host {host}", route::BENCH_CLOCK))?;
    }
    Ok(())
}

fn foreign_site(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.clock, reason::NO_CLOCK)?;
    let foreign = [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")];
    for (name, value) in foreign {
        for (path, body) in requests() {
            let response = context.send(&Request::post(path).header(name, value).json(&body))?;
            response.must_be_4xx(&format!("{path} with {name}: {value}"))?;
        }
    }
    Ok(())
}

fn body_required(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.clock, reason::NO_CLOCK)?;
    for (path, body) in requests() {
        context.send(&Request::post(path))?.must_be_4xx(&format!("{path} without a body"))?;
        for media_type in ["text/plain", "application/x-www-form-urlencoded"] {
            let form = Request::post(path).body(body.to_string()).header("content-type", media_type);
            context.send(&form)?.must_be_4xx(&format!("{path} with a body of {media_type}"))?;
        }
    }
    Ok(())
}
