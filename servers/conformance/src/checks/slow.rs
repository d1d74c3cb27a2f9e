//! Row 26: clients that are slow or never finish a request do not affect other clients.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use contract::route;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, ensure, fail, not_applicable};
use crate::half_open::HalfOpenKind;
use crate::wire::{Request, RequestError};

/// Number of half-open connections: more than a server has threads or processes, and fewer than descriptors.
pub(crate) const HALF_OPEN_CONNECTIONS: usize = 100;
/// The time limit to open each of them.
const CONNECT: Duration = Duration::from_secs(2);
/// A size that no head needs, in one header or in many.
const LARGE_HEAD: usize = 256 * 1024;
/// The size of each header where there are many.
const LINE: usize = 4 * 1024;
/// Tolerance in addition to the time after which a half-open connection must be closed.
const SLACK: Duration = Duration::from_secs(2);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "half-open-flood-served",
        row: 26,
        title: "While 100 clients leave their request incomplete, others are served over old and new connections.",
        source: "CWE-400; OWASP Denial of Service Cheat Sheet",
        run: flood,
    },
    Check {
        id: "head-bounded",
        row: 26,
        title: "A request with a head of 256 KiB is rejected, and the server keeps working.",
        source: "RFC 6585 section 5; CWE-770",
        run: large_head,
    },
    Check {
        id: "half-open-closed",
        row: 26,
        title: "A connection whose request is not complete within a minute is closed.",
        source: "CWE-400; RFC 9110 section 15.5.9",
        run: closed,
    },
];

fn flood(context: &CheckContext<'_>) -> CheckResult {
    let login = context.login()?;
    let me = context.with(Request::get(route::ME), &login.credential);
    let mut existing = context.connection(context.first_node());
    context.send_over(&mut existing, &me)?.must_be(200, "/me before the flood")?;
    let held = open_half_open_connections(context)?;
    context.send_over(&mut existing, &me)?.must_be(200, "/me over an old connection, during the flood")?;
    context.send(&me)?.must_be(200, "/me over a new connection, during the flood")?;
    drop(context.login()?);
    drop(held);
    context.must_be_accepted(&login.credential, "/me after the flood")
}

/// Opens many half-open connections, of every kind.
fn open_half_open_connections(context: &CheckContext<'_>) -> CheckResult<Vec<TcpStream>> {
    let node = context.first_node();
    let open = |number: usize| {
        let mut stream = node.connect(CONNECT)?;
        let kind = HalfOpenKind::ALL[number % HalfOpenKind::ALL.len()];
        stream.write_all(kind.partial_request(node).as_bytes()).map(|()| stream)
    };
    let opened: Vec<_> = (0..HALF_OPEN_CONNECTIONS).map_while(|number| open(number).ok()).collect();
    match opened.len() {
        0 => not_applicable("no concurrent connection can be opened"),
        _ => Ok(opened),
    }
}

fn large_head(context: &CheckContext<'_>) -> CheckResult {
    let good = context.login()?.credential;
    let me = || context.with(Request::get(route::ME), &good);
    let many = (0..LARGE_HEAD / LINE).fold(me(), |request, n| request.header(format!("x-{n}"), "x".repeat(LINE)));
    for (what, request) in [("one header", me().header("x-large", "x".repeat(LARGE_HEAD))), ("many headers", many)] {
        match context.try_send(context.first_node(), &request) {
            Ok(response) => response.must_be_4xx(&format!("a head of {} KiB in {what}", LARGE_HEAD >> 10))?,
            // Closing the connection before everything is read is a rejection, too.
            Err(RequestError::Closed) => {}
            Err(error) => return fail(format!("a head of {} KiB in {what}: {error}", LARGE_HEAD >> 10)),
        }
    }
    context.must_be_accepted(&good, "a valid request after that")
}

/// The connections were opened at the beginning of the run, so that there is mostly nothing to wait for.
fn closed(context: &CheckContext<'_>) -> CheckResult {
    let (half_open, limit) = (&context.shared.half_open, Duration::from_secs(context.subject.extent.half_open_s));
    for kind in HalfOpenKind::ALL {
        let left = (limit + SLACK).saturating_sub(half_open.age());
        context.wait_until(left, || Ok(half_open.closed_after(kind).is_some()))?;
        let stayed = half_open.closed_after(kind);
        ensure(stayed.is_some_and(|stayed| stayed <= limit + SLACK), || {
            format!(
                "a connection on which the client sent {} is still open after {:?}",
                kind.name(),
                stayed.unwrap_or(half_open.age())
            )
        })?;
    }
    Ok(())
}
