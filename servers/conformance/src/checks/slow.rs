//! Row 26: clients that are slow or never finish a request do not affect other clients.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use contract::route;

use super::Check;
use crate::case::Case;
use crate::half_open::HalfOpenKind;
use crate::stop::{Step, ensure, fail, not_applicable};
use crate::wire::{Request, Silence};

/// Number of half-open connections: more than a server has threads or processes, and fewer than descriptors.
pub(crate) const HALF_OPEN: usize = 100;
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

fn flood(case: &Case<'_>) -> Step {
    let login = case.login()?;
    let me = case.with(Request::get(route::ME), &login.credential);
    let mut kept = case.connection(case.first());
    case.send_over(&mut kept, &me)?.must_be(200, "/me before the flood")?;
    let held = half_open(case)?;
    case.send_over(&mut kept, &me)?.must_be(200, "/me over an old connection, during the flood")?;
    case.send(&me)?.must_be(200, "/me over a new connection, during the flood")?;
    drop(case.login()?);
    drop(held);
    case.must_be_good(&login.credential, "/me after the flood")
}

/// Opens many half-open connections, of every kind.
fn half_open(case: &Case<'_>) -> Step<Vec<TcpStream>> {
    let node = case.first();
    let open = |number: usize| {
        let mut stream = node.connect(CONNECT)?;
        let kind = HalfOpenKind::ALL[number % HalfOpenKind::ALL.len()];
        stream.write_all(kind.beginning(node).as_bytes()).map(|()| stream)
    };
    let opened: Vec<_> = (0..HALF_OPEN).map_while(|number| open(number).ok()).collect();
    match opened.len() {
        0 => not_applicable("no concurrent connection can be opened"),
        _ => Ok(opened),
    }
}

fn large_head(case: &Case<'_>) -> Step {
    let good = case.login()?.credential;
    let me = || case.with(Request::get(route::ME), &good);
    let many = (0..LARGE_HEAD / LINE).fold(me(), |request, n| request.header(format!("x-{n}"), "x".repeat(LINE)));
    for (what, request) in [("one header", me().header("x-large", "x".repeat(LARGE_HEAD))), ("many headers", many)] {
        match case.try_send(case.first(), &request) {
            Ok(answer) => answer.must_be_4xx(&format!("a head of {} KiB in {what}", LARGE_HEAD >> 10))?,
            // Closing the connection before everything is read is a rejection, too.
            Err(Silence::Closed) => {}
            Err(silence) => return fail(format!("a head of {} KiB in {what}: {silence}", LARGE_HEAD >> 10)),
        }
    }
    case.must_be_good(&good, "a valid request after that")
}

/// The connections were opened at the beginning of the run, so that there is mostly nothing to wait for.
fn closed(case: &Case<'_>) -> Step {
    let (half_open, limit) = (&case.shared.half_open, Duration::from_secs(case.subject.extent.half_open_s));
    for kind in HalfOpenKind::ALL {
        let left = (limit + SLACK).saturating_sub(half_open.age());
        case.comes_to_hold(left, || Ok(half_open.stayed_open(kind).is_some()))?;
        let stayed = half_open.stayed_open(kind);
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
